"""The merged search against the exact one, on every scenario and version that is small enough."""

from __future__ import annotations

import pytest
from small import merged_and_exact

from mmsim.mm.versions import POLICIES, VERSIONS
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
        {"order": 1, "passes": 1, "against": "fault,gup_fast"},
        {"order": 1, "passes": 1, "against": "drop_caches"},
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
CASES = [(name, knobs) for name, each in SMALL_ENOUGH.items() for knobs in each]


def test_every_scenario_is_here_or_too_large():
    assert set(SMALL_ENOUGH) | set(TOO_LARGE) == set(SCENARIOS)
    assert not set(SMALL_ENOUGH) & set(TOO_LARGE)


@pytest.mark.parametrize("version", [*VERSIONS, *POLICIES])
@pytest.mark.parametrize(("scenario", "knobs"), CASES, ids=str)
def test_merged_and_exact_search_agree(scenario, knobs, version):
    found = merged_and_exact(lambda merge: make(scenario, version, knobs, merge=merge))
    mine, theirs = (
        {(end.name, end.schedules, end.odds) for end in each.outcomes(each.scenario.outcome)}
        for each in found
    )
    assert mine == theirs
