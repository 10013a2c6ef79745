"""The family of fates: stored as a search finds them, exact for real huge pages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from mmsim.evidence.diagnose import ALONE, EVIDENCE, NOTHING, OTHER, PIN, ROOM, SETTINGS, fates
from mmsim.evidence.pasted import PasteError
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios.situation import MISSED, NOT_MOVED, NOT_SPLIT, SINGLE

FULL = 9
EVERY = [*VERSIONS, *POLICIES]
SCRIPT = Path(__file__).parents[2] / "tools" / "build_fates.py"
spec = importlib.util.spec_from_file_location("build_fates", SCRIPT)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)


def test_the_plain_settings_are_where_their_names_say():
    assert dict(SETTINGS[NOTHING].knobs) == {"holder": 0}
    assert dict(SETTINGS[ROOM].knobs) == {"holder": 0, "targets": "available"}
    assert dict(SETTINGS[ALONE].knobs) == {"holder": 0, "order": 0}
    assert [setting.stage for setting in SETTINGS] == sorted(setting.stage for setting in SETTINGS)


@pytest.mark.parametrize("version", EVERY)
def test_what_is_stored_is_what_a_search_finds(version):
    """If it is not: python tools/build_fates.py."""
    head, *stored = build.FILE.read_text(encoding="utf-8").splitlines()
    mine = [row for row in stored if row.startswith(f"{version},")]
    assert build.text((version,)).splitlines() == [head, *mine]
    assert {row.partition(",")[0] for row in stored} == {*EVERY}


@pytest.mark.parametrize(("version", "part"), [("base", 1), ("v3fix", 4)])
def test_what_two_small_sizes_say_of_a_huge_page_is_what_a_huge_page_does(version, part):
    """Fates of the first two stages, at their real size."""
    for fate in [fate for stage in (1, 2) for fate in fates(version, stage)][::part]:
        vmstat = build.at_order(fate, FULL).last.world.vmstat
        assert fate.counters == {name: vmstat[name] for name in EVIDENCE}, fate


@pytest.mark.parametrize("version", EVERY)
def test_each_way_to_fail_is_in_the_family(version):
    outcomes = {fate.outcome for fate in fates(version, 1)}
    assert {NOT_SPLIT, NOT_MOVED, MISSED, SINGLE} <= outcomes
    single = {fate.reason for fate in fates(version, 1) if not fate.is_huge and fate.returns > (0,)}
    assert {PIN, OTHER} < single


def test_refusals_from_one_to_ten_are_all_found_by_the_search():
    refused = {fate.units["thp_split_page_failed"] for fate in fates("v2", 1)}
    assert refused == set(range(11))
    assert {fate.units["thp_split_page_failed"] for fate in fates("base", 1)} == {0, 1}


def test_a_version_that_nobody_searched_is_named():
    with pytest.raises(PasteError, match=r"no fates of v9 are stored: run tools/build_fates\.py"):
        fates("v9", 1)
