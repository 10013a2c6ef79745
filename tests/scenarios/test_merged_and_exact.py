"""The merged search against the exact one, on every scenario and version that is small enough."""

from __future__ import annotations

import pytest
from small import merged_and_exact

from mmsim.mm.versions import OF_THE_SERIES, POLICIES, VERSIONS
from mmsim.scenarios import SCENARIOS, make

ONE = {"order": 1, "passes": 2, "released": "1"}
SMALL_ENOUGH = {
    "vfio_map": [
        ONE,
        {**ONE, "targets": "either"},
        {**ONE, "thps": 2, "holder": 2, "refs": 2},
        {**ONE, "trouble": "truncated"},
        {**ONE, "reason": "compaction"},
    ],
    "pin_versus": [
        {"order": 1, "passes": 2, "against": "lookup"},
        {"order": 1, "passes": 1, "against": "direct_io", "io_steps": 1, "thps": 2, "on": 2},
        {"order": 1, "passes": 1, "against": "fault,lookup"},
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
# With policies, the exact search of a walk would be too large.
WALK = {"order": 1, "passes": 1, "against": "drop_caches"}
CASES = [
    *(
        (name, knobs, version)
        for name, each in SMALL_ENOUGH.items()
        for knobs in each
        for version in (*VERSIONS, *POLICIES)
    ),
    # In 6.12 a pin goes round while drop_caches has the page off its LRU: there an exact search,
    # which tells the rounds apart, has no end.
    *(("pin_versus", WALK, version) for version in OF_THE_SERIES),
]


def test_every_scenario_is_here_or_too_large():
    assert set(SMALL_ENOUGH) | set(TOO_LARGE) == set(SCENARIOS)
    assert not set(SMALL_ENOUGH) & set(TOO_LARGE)


@pytest.mark.parametrize(("scenario", "knobs", "version"), CASES, ids=str)
def test_merged_and_exact_search_agree(scenario, knobs, version):
    found = merged_and_exact(lambda merge: make(scenario, version, knobs, merge=merge))
    mine, theirs = (
        {(end.name, end.schedules, end.odds) for end in each.outcomes(each.scenario.outcome)}
        for each in found
    )
    assert mine == theirs
