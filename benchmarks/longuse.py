"""Long use: random moves of every widget and every card's play, the slowest, and what memory stays.

usage: python -m benchmarks longuse      1,000 moves each; MOVES=9 for fewer, ONLY=text for some"""

from __future__ import annotations

import gc
import importlib
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import ipywidgets as w

import mmsim
from benchmarks import Result
from mmsim.lessons import COURSE
from mmsim.lessons.card import Card
from mmsim.widgets.first_screen import FirstScreen

MOVES = int(os.environ.get("MOVES", "1000"))
TEXTS = ("", "hello", "pin*9 holder pin*3", "Node 0, zone   Normal 1 1 1 1 1 1 1 1 1 1 1", "3")
WIDGETS = {
    "stepper": lambda: mmsim.stepper(mmsim.vfio_map()),
    "first screen": FirstScreen,
    "console": lambda: mmsim.console(mmsim.vfio_map(), knobs=["holder", "released", "passes"]),
    "scheduler": lambda: mmsim.scheduler(mmsim.pin_versus(**mmsim.SMALL)),
    "explorer": lambda: mmsim.explorer(mmsim.vfio_map(order=1)),
    "paste": mmsim.paste,
}
PLAYS = {
    f"{name}.{card.name}": card
    for name in (lesson.name for lesson in COURSE)
    for card in vars(importlib.import_module(f"mmsim.lessons.{name}")).values()
    if isinstance(card, Card) and card.play is not None
}


def parts(widget: Any) -> Iterator[Any]:
    """Every widget inside, as they are now."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def move(box: Any, rng: random.Random) -> None:
    """Press or turn something that can be pressed or turned."""
    kinds = (w.Button, w.IntSlider, w.Text, w.Textarea)
    can = [p for p in parts(box) if isinstance(p, kinds) or hasattr(p, "options")]
    part = rng.choice([p for p in can if not p.disabled])
    if isinstance(part, w.Button):
        part.click()
    elif isinstance(part, w.IntSlider):
        part.value = rng.randint(part.min, part.max)
    elif hasattr(part, "options"):
        part.index = rng.randrange(len(part.options))
    else:
        part.value = rng.choice(TEXTS)


def megabytes() -> float:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def use(name: str, moves: int) -> tuple[float, float]:
    """Seconds of CPU of the slowest of so many moves, and the megabytes they have added."""
    card = PLAYS.get(name)
    box = WIDGETS[name]() if card is None else card.solved().play()  # type: ignore[misc]
    rng, slowest = random.Random(1), 0.0
    gc.collect()
    before = megabytes()
    for _ in range(moves):
        begin = time.process_time()
        move(box, rng)
        slowest = max(slowest, time.process_time() - begin)
    return slowest, megabytes() - before


def longuse() -> list[Result]:
    """Each in a process of its own, so that memory is its own."""
    found = []
    for name in [n for n in (*WIDGETS, *PLAYS) if os.environ.get("ONLY", "") in n]:
        words = [sys.executable, "-m", "benchmarks.longuse", name]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        slowest, grown = map(float, done.stdout.split())
        found += [
            Result(f"{name}: slowest of {MOVES} moves", slowest, "s CPU", budget="0.5 s"),
            Result(f"{name}: memory after them", grown, "MB more", budget="200 MB"),
        ]
    return found


if __name__ == "__main__":
    print(*use(sys.argv[1], MOVES))
