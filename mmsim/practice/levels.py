"""Levels: situations with something to bring about.

Interface: Level, level, names, free_play, dare, refused_at

A level is data: a situation, a goal in words, and a test of the run."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from mmsim.engine.trace import Trace
from mmsim.errors import nearest
from mmsim.knobs import Value
from mmsim.practice.game import kinds
from mmsim.scenarios import SMALL, Situation, make, pin_versus, split_race, vfio_map
from mmsim.scenarios.fates import fails
from mmsim.views.words import plural

FREE = "free"
SEEDS_MAX = 999_999

Won = Callable[[Trace], bool]


class Level(NamedTuple):
    """One thing to bring about.  `won` is asked after every press, `told` is said when it is."""

    name: str
    title: str
    goal: str
    situation: Situation
    won: Won
    told: str


def refused_at(trace: Trace, site: str) -> bool:
    """Has a split been refused here?"""
    return any(
        event.site == site and (event.answer is None or event.answer is False)
        for event in trace.events
    )


def _ended(trace: Trace) -> str:
    """How the run ended for the main actor."""
    assert isinstance(trace.scenario, Situation)
    return trace.scenario.outcome(trace.last)


def _at_check(trace: Trace) -> bool:
    return fails(_ended(trace)) and refused_at(trace, "split.check")


def _at_freeze(trace: Trace) -> bool:
    return fails(_ended(trace)) and refused_at(trace, "split.freeze")


def _piece(trace: Trace) -> bool:
    return "piece" in _ended(trace)


def _rescued(trace: Trace) -> bool:
    refused = refused_at(trace, "split.check") or refused_at(trace, "split.freeze")
    return refused and _ended(trace) == "pinned"


# Small huge pages: whoever plays would have to press through 512 pieces.
PLAYED_ORDER = 2


@cache
def _levels() -> dict[str, Level]:
    race = split_race("base", released="1")
    pin = vfio_map("v3", order=PLAYED_ORDER, released="1")
    found = (
        Level(
            "check",
            "Refused at the check",
            "Make the split fail at the reference check.",
            race,
            _at_check,
            "The check counted one reference that it could not explain, and nothing was changed.",
        ),
        Level(
            "freeze",
            "Refused at the freeze",
            "Make the split fail, although the check finds nothing.",
            race,
            _at_freeze,
            "The reference came after the look. The page was left without its mappings.",
        ),
        Level(
            "piece",
            "A piece misses its one pass",
            "The huge page is split. Make the pin fail all the same.",
            pin,
            _piece,
            "A piece gets one attempt; a single reference at that moment fails the whole pin.",
        ),
        Level(
            "rescue",
            "Refused, and tried again",
            "Make the first attempt to split fail, and the pin succeed.",
            pin,
            _rescued,
            "Without the retry this pin would have failed at the first refusal.",
        ),
        Level(
            "walk",
            "drop_caches in person",
            "Make a single write to drop_caches fail the pin.",
            pin_versus("v3", **SMALL),
            lambda trace: fails(_ended(trace)),
            "A walk over the page cache is enough, patch or no patch.",
        ),
    )
    return {each.name: each for each in found}


def level(name: str | Situation | Level) -> Level:
    """A level by name, or free play of a situation; raises ValueError with the nearest match."""
    if isinstance(name, Level):
        return name
    if isinstance(name, Situation):
        return free_play(name)
    if name not in _levels():
        raise ValueError(f"no level {name!r}{nearest(name, _levels())}")
    return _levels()[name]


def names() -> list[str]:
    """The names of all levels, easiest first."""
    return list(_levels())


def free_play(situation: Situation) -> Level:
    """Any situation as a level that has no goal."""
    goal = "There is none: bring about whatever you like."
    return Level(FREE, "Free play", goal, situation, lambda trace: False, "")


# What a dare is drawn from: scenario, versions, knobs with their values.
_DARES: tuple[tuple[str, tuple[str, ...], dict[str, tuple[Value, ...]]], ...] = (
    ("split_race", ("base",), {"strangers": (1, 2), "passes": (1, 2), "released": ("1", "never")}),
    ("vfio_map", ("6.1.0", "v3"), {"order": (1, 2), "passes": (1, 2, 3), "released": ("1",)}),
    ("vfio_map", ("6.1.0", "v3"), {"order": (1,), "passes": (2,), "targets": ("either",)}),
)


def _given(situation: Situation) -> str:
    """What there is to know of a drawn situation, in words."""
    knobs = situation.knobs
    tries, strangers = int(knobs["passes"]), int(knobs.get("strangers", 1))
    who = plural(strangers, "stranger")
    if knobs["released"] == "never":
        who += " who never " + ("lets go" if strangers == 1 else "let go")
    else:
        who += " who " + ("lets go again" if strangers == 1 else "let go again")
    if situation.name == "split_race":
        return f"the split has {plural(tries, 'try', 'tries')}; {who}"
    given = f"version {situation.version.name}, {plural(tries, 'pass', 'passes')}; {who}"
    if knobs["targets"] == "either":
        given += "; whether a huge page is free is up to you (pin:ok, pin:fail)"
    return given


def dare(seed: int) -> Level:
    """A level drawn from a seed: some situation, and one of the ends that it can come to.

    Raises ValueError for a seed that is no whole number from 0 to SEEDS_MAX."""
    if type(seed) is not int or not 0 <= seed <= SEEDS_MAX:
        raise ValueError(f"a seed is a whole number from 0 to {SEEDS_MAX:,}, not {seed!r}")
    rng = random.Random(seed)
    scenario, versions, knobs = rng.choice(_DARES)
    drawn = {name: rng.choice(values) for name, values in knobs.items()}
    situation = make(scenario, rng.choice(versions), drawn)
    wanted = rng.choice(kinds(situation)[0])
    goal = f"Make the {situation.main} end like this: {wanted.removeprefix('failed: ')}."
    return Level(
        f"seed {seed}",
        f"Drawn from seed {seed}",
        f"{goal} Given: {_given(situation)}.",
        situation,
        lambda trace: situation.fate(trace.last) == wanted,
        "One of the ends that the search had found; another seed gives another level.",
    )
