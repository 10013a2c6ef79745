"""Trying a policy out: the same few cases for every policy, each searched through.

Floor 4.  Interface: CASES, Case, Score, score, others_notice, STEPS_MAX

Three cases can be won; the fourth can't, and there it counts how soon a policy gives up.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from mmsim.flags import MR_LONGTERM_PIN, REASONS
from mmsim.mm.versions import LATEST, Version
from mmsim.scenarios import SMALL, Situation, make

PIN = "pin"
OFTENER = {PIN: 8}
"""The pin moves 8 times as often as the others, so that they are still there when it retries."""
DRAIN_ALL = "lru_add_drain_all"
STEPS_MAX = 200
"""A policy that takes more steps than this to give up costs everybody who can't be helped."""


class Case(NamedTuple):
    """A situation to try a policy in; `winnable`: it is possible to pin."""

    what: str
    scenario: str
    knobs: Mapping[str, object]
    winnable: bool = True


CASES = {
    "visit": Case(
        "somebody refers to the huge page and lets go at some time",
        "vfio_map",
        {"order": 1, "passes": 3, "released": 1},
    ),
    "drop_caches": Case("drop_caches walks over the memory once", "pin_versus", {**SMALL}),
    "batch": Case("a single page lies in a batch that nobody empties", "lru_batch", {}),
    "never": Case(
        "somebody refers to the huge page and never lets go",
        "vfio_map",
        {"order": 1},
        winnable=False,
    ),
}


class Score(NamedTuple):
    """How a policy fared in a case.

    `odds`: of success, over every order of steps; in a case that can't be won, in the run that its
    knobs describe.  `steps`, `drains`: of the pin in that run; a drain is work for other CPUs."""

    odds: Fraction
    steps: int
    drains: int


def _odds(situation: Situation) -> Fraction:
    found = situation.explore()
    if not found.complete:
        raise ValueError(f"the search was not finished: {found.stopped}")
    ends = found.outcomes(
        lambda state: "won" if situation.succeeded(state) else "lost",
        OFTENER if len(situation.actors) > 1 else {},
    )
    return sum((end.odds for end in ends if end.name == "won"), Fraction(0))


def score(version: str | Version, case: str) -> Score:
    """Try a version, or a policy such as `own_policy` makes, in a case of CASES.

    Raises PolicyError, in one sentence, if the policy itself goes wrong."""
    situation = make(CASES[case].scenario, version, CASES[case].knobs)
    run = situation.run()
    events = [event for event in run.events if event.actor == PIN]
    drains = sum(event.op.kind.name == DRAIN_ALL for event in events)
    won = Fraction(situation.succeeded(run.last))
    odds = _odds(situation) if CASES[case].winnable else won
    return Score(odds, len(events), drains)


def others_notice(version: str | Version) -> list[str]:
    """For which reasons other than a long-term pin a run ends otherwise than without a policy."""
    found = []
    for number, reason in enumerate(REASONS):
        if number == MR_LONGTERM_PIN:
            continue
        ends = [
            make("vfio_map", row, {"reason": reason, "order": 1}).run() for row in (LATEST, version)
        ]
        if ends[0].last.world.key() != ends[1].last.world.key() or len(ends[0]) != len(ends[1]):
            found.append(reason)
    return found
