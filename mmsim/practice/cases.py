"""Pages to practise on: described in words, and what is expected of each.

Interface: cases, folios, described, in_words, expected_and_actual, outcomes, KINDS

The answers are not here either: `expected_and_actual` counts them in runs of the model.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product
from typing import Any

from mmsim.practice.benches import HOLDERS, MAPPERS, PINNER, Bench, check_seed, workbench

# Case -> what is not left to chance: every seed has something of everything.
KINDS: dict[str, dict[str, object]] = {
    "a": {"order": "9", "cached": "yes"},
    "b": {"order": "0", "cached": "yes"},
    "c": {"cached": "no"},
    "d": {"order": "0", "pin": "yes"},
    "e": {"order": "9", "mappings": 0, "cached": "yes"},
}


def described(bench: Bench) -> dict[str, str]:
    """A bench in words: what it is, whose, and who else refers to it."""
    knobs = bench.knobs
    mappers = MAPPERS[: int(knobs["mappings"])]
    others = [*HOLDERS[: int(knobs["holders"])]]
    others += [f"{PINNER} (one pin)"] if knobs["pin"] == "yes" else []
    return {
        "page": "huge page" if knobs["order"] == "9" else "single page",
        "file": "memfd" if knobs["cached"] == "yes" else "none",
        "mapped by": ", ".join(mappers) or "nobody",
        "others": ", ".join(others) or "nobody",
    }


def in_words(bench: Bench) -> str:
    """The same in half a sentence."""
    said = described(bench)
    where = "of a memfd" if said["file"] == "memfd" else "of no file"
    return (
        f"a {said['page']} {where}, mapped by {said['mapped by']}, isolated, "
        f"others: {said['others']}"
    )


def expected_and_actual(bench: Bench) -> tuple[int, int]:
    """The count without strangers, and the count: both are runs of the model."""
    alone = bench.with_(holders=0, pin="no")
    return alone.folio().refcount, bench.folio().refcount


def cases(seed: int) -> dict[str, Bench]:
    """Five different pages drawn from `seed`; KINDS says of what kind each one is.

    Raises ValueError unless `seed` is a whole number from 0 on.
    """
    check_seed(seed)
    draw = random.Random(seed)

    def one_of(*choices: Any) -> Any:
        return choices[int(draw.random() * len(choices))]  # random() is the same in every Python

    found: list[dict[str, object]] = []
    while len(found) < len(KINDS):
        knobs: dict[str, object] = {
            "order": one_of("9", "0"),
            "cached": one_of("yes", "yes", "no"),
            "mappings": one_of(*range(1, 5)),
            "holders": one_of(0, 0, 1, 2, 3),
            "pin": "no",
        }
        knobs |= list(KINDS.values())[len(found)]
        if knobs not in found:
            found.append(knobs)
    return {name: workbench(**knobs) for name, knobs in zip(KINDS, found, strict=True)}


def folios() -> list[Bench]:
    """Isolated pages of every kind, the plainest first."""
    found = []
    for strangers, order, mappings, cached in product(
        ((0, "no"), (1, "no"), (0, "yes"), (3, "yes")), "09", range(5), ("yes", "no")
    ):
        holders, pin = strangers
        if mappings or (cached == "yes" and pin == "no"):
            knobs = {"order": order, "mappings": mappings, "cached": cached}
            found.append(workbench(**knobs, holders=holders, pin=pin))
    return found


def outcomes(benches: Mapping[str, Bench]) -> dict[str, str]:
    """For each page: are the two sides equal?"""
    sides = {name: expected_and_actual(bench) for name, bench in benches.items()}
    return {name: "equal" if e == a else "not equal" for name, (e, a) in sides.items()}
