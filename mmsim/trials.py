"""A policy on trial: how likely a pin gets through against each kind of holder, exactly.

Floor 4.  Interface: tried, Trial, TRIALS, PIN_WEIGHT

Each trial is a small pin_versus (huge pages of two pages, a few passes) in which every order of
steps is searched.  Left out: durations.  How fast the pin is beside a holder is a weight: it takes
PIN_WEIGHT steps for one of the other, on average.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from mmsim.mm.versions import Version
from mmsim.scenarios import make
from mmsim.scenarios.fates import MAPPED

PASSES = 3
PIN_WEIGHT = 10
STATES_MAX = 40_000


class Trial(NamedTuple):
    """Who is in the way, for a table and as the scenario calls it."""

    name: str
    against: str


TRIALS = {
    trial.name: trial
    for trial in (
        Trial("a look-up", "lookup"),
        Trial("direct I/O", "direct_io"),
        Trial("a batch that nobody drains", "undrained_batch"),
        Trial("drop_caches", "drop_caches"),
        Trial("a pin that stays", "permanent_pin"),
    )
}


def tried(version: str | Version, trial: Trial, *, weight: int = PIN_WEIGHT) -> Fraction | None:
    """The chance that the memory is mapped; None if the search did not finish.

    Raises PolicyError if the version's policy is one's own and can't be used."""
    knobs = {"order": 1, "passes": PASSES, "against": trial.against}
    situation = make("pin_versus", version, knobs)
    found = situation.explore(states_max=STATES_MAX)
    if not found.complete:
        return None
    odds = {each.name: each.odds for each in found.outcomes(situation.outcome, {"pin": weight})}
    return odds.get(MAPPED.word, Fraction(0))
