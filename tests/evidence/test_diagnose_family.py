"""The family of fates: found by searching small pages, exact for real huge pages."""

from __future__ import annotations

import pytest

from mmsim.engine.schedule import render
from mmsim.evidence.diagnose import ALONE, EVIDENCE, NOTHING, ROOM, SETTINGS, STAGES, fates
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios.situation import MISSED, NOT_MOVED, NOT_SPLIT, SINGLE

FULL = 9


def counters(trace):
    return {name: trace.last.world.vmstat[name] for name in EVIDENCE}


def test_the_plain_settings_are_where_their_names_say():
    assert dict(SETTINGS[NOTHING].knobs) == {"holder": 0}
    assert dict(SETTINGS[ROOM].knobs) == {"holder": 0, "targets": "available"}
    assert dict(SETTINGS[ALONE].knobs) == {"holder": 0, "order": 0}
    assert [setting.stage for setting in SETTINGS] == sorted(setting.stage for setting in SETTINGS)


# Golden: how many fates each version has in the first stage, in the second, in the third.
COUNTS = {"base": (26, 4, 6), "v2": (53, 4, 51)}


@pytest.mark.parametrize("version", COUNTS)
def test_the_number_of_fates(version):
    assert tuple(len(fates(version, stage)) for stage in STAGES) == COUNTS[version]


@pytest.mark.parametrize("version", ["base", "v3fix"])
def test_what_two_small_sizes_say_of_a_huge_page_is_what_a_huge_page_does(version):
    """Every fate of the first two stages, at its real size."""
    chosen = [fate for stage in (1, 2) for fate in fates(version, stage)]
    for fate in chosen if version == "base" else chosen[::4]:
        assert fate.counters == counters(fate.trace(FULL)), (fate.setting, fate.moves)


@pytest.mark.parametrize("version", [*VERSIONS, *POLICIES])
def test_each_way_to_fail_is_in_the_family(version):
    outcomes = {fate.outcome for fate in fates(version, 1)}
    assert {NOT_SPLIT, NOT_MOVED, MISSED, SINGLE} <= outcomes


@pytest.mark.parametrize("version", ["base", "v1", "v3fix"])
def test_a_schedule_replays_to_the_counters_it_was_kept_for(version):
    for fate in fates(version, 1):
        if fate.setting.searched:
            situation = fate.situation()
            trace = situation.replay(render(fate.moves))
            assert situation.finished(trace.last)
            assert counters(trace) == counters(fate.trace())
            assert situation.outcome(trace.last) == fate.outcome


def test_refusals_from_one_to_ten_are_all_found_by_the_search():
    refused = {fate.units["thp_split_page_failed"] for fate in fates("v2", 1)}
    assert refused == set(range(11))
    assert {fate.units["thp_split_page_failed"] for fate in fates("base", 1)} == {0, 1}
