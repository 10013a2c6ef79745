"""Lesson 03: the numbers of its text and of its tables."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.lessons import FOLDER
from mmsim.lessons import plenty_free as lesson
from mmsim.mm.fragmentation import suitable, sum_types
from mmsim.scenarios import boot_guest
from mmsim.scenarios.host import host


def test_the_host_at_the_top_has_no_huge_page_even_with_one_percent_in_use():
    assert suitable(sum_types(host(cma=0, used=1).zone.lists()), 9) == 0


@pytest.mark.parametrize("stored", load_csv(lesson.MODEL), ids=lambda row: row["version"])
def test_the_stored_fate_of_a_guest_is_what_the_model_gives(stored):
    run = boot_guest(stored["version"], host=1024, guest=2, **lesson.LENT).run()
    world, counts = run.last.world, run.last.world.vmstat
    mine = [counts["thp_split_page"], counts["pgmigrate_success"], run.results["guest"]]
    assert [int(stored[name]) for name in [*stored][1:]] == mine
    assert not any(world.in_cma(pfn) for pfn in world.folios)


def test_the_blocks_of_the_strips_are_the_buddy_allocators():
    text = (FOLDER / "plenty_free.md").read_text(encoding="utf-8")
    for held, counts, where in (
        (lesson.EXAMPLE, (3, 3, 1, 0, 0), "1, 2-3, 4-7, 8-9, 11, 12-13, 14"),
        (lesson.MINE, (4, 2, 1, 0, 0), "0-1, 2, 5, 6-7, 9, 11, 12-15"),
    ):
        found, told = lesson.free_blocks(held)
        assert (tuple(found.values()), told) == (counts, where)
        assert "  ".join("#" if page in held else "." for page in range(16)) in text
