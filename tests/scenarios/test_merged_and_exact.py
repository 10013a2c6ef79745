"""The merged search against the exact one, on all scenarios that are small enough."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios import SCENARIOS, make

ONE = {"order": 1, "passes": 2, "released": "1"}
TINY = {"order": 1, "passes": 1}
LOOK_UP = {"order": 1, "passes": 2, "against": "lookup"}
SMALL_ENOUGH = {
    "vfio_map": [
        {**ONE, "targets": "either"},
        {**ONE, "thps": 2, "holder": 2, "refs": 2},
        {**ONE, "trouble": "truncated"},
        {**ONE, "reason": "compaction"},
    ],
    "pin_versus": [
        {**TINY, "against": "direct_io", "thps": 2, "on": 2},
        {**TINY, "against": "fault,lookup"},
        {**TINY, "against": "drop_caches"},
    ],
    "drop_caches_only": [{"folios": 2, "order": 1}, {"folios": 2, "order": 1, "dirty": "no"}],
    "timed_hold": [{"order": 1, "passes": 2}],
    "lru_batch": [{}],
    "split_race": [{"holders": 2, "passes": 2, "order": 1, "released": "1"}],
}
TOO_LARGE = {
    "boot_guest": "one actor, in a zone of thousands of blocks",
    "cma_alloc": "a huge page of 512 pieces: 13,000 states and more",
}
CASES = [
    *(("vfio_map", ONE, version) for version in (*VERSIONS, *POLICIES)),
    *(("pin_versus", LOOK_UP, version) for version in VERSIONS),
    *((name, knobs, "v3") for name, each in SMALL_ENOUGH.items() for knobs in each),
    # The loop of 6.12 has a shape of its own.
    *(("vfio_map", knobs, "6.12") for knobs in SMALL_ENOUGH["vfio_map"]),
]


def test_every_scenario_is_here_or_too_large():
    assert set(SMALL_ENOUGH) | set(TOO_LARGE) == set(SCENARIOS)


def facts(found):
    """What both searches must say, apart from how many states there are: schedules, ends, odds, and
    of every state its world and what each actor has returned or is about to do."""
    assert found.complete
    outcomes = found.outcomes(found.scenario.outcome)
    states = set()
    for _, state in found.walk():
        state.world.check()
        pending = [str(local.result if local.op is None else local.op) for local in state.locals]
        states.add((state.world.key(), *pending))
    ends = {(end.name, end.schedules, end.odds) for end in outcomes}
    return found.schedules(), bool(found.deadlocks), ends, states


@pytest.mark.parametrize(("scenario", "knobs", "version"), CASES, ids=str)
def test_merged_and_exact_search_agree(scenario, knobs, version):
    """The exact one takes two places of an actor for the same only after the same answers from the
    start on, so it is right in any case."""
    merged, exact = (make(scenario, version, knobs, merge=m).explore() for m in (True, False))
    assert merged.states <= exact.states
    assert facts(merged) == facts(exact)
