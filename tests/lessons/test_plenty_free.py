"""Lesson 03: the numbers of its text and of its tables."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.lessons import FOLDER
from mmsim.lessons import plenty_free as lesson
from mmsim.mm.fragmentation import suitable, sum_types
from mmsim.scenarios import boot_guest
from mmsim.scenarios.host import host, served_from


def huge_blocks(**knobs):
    return suitable(sum_types(host(**knobs).zone.lists()), 9)


def test_the_hosts():
    lent = host(**lesson.LENT).zone
    assert huge_blocks(**lesson.WORN) == 0 < huge_blocks(**lesson.TIDY)
    assert huge_blocks(cma=0, used=1) == 0
    assert round(100 * lent.nr_free_cma / lent.nr_free) == 46
    assert lent.lists()["CMA"][9:] == (0, 64)


@pytest.mark.parametrize("stored", load_csv(lesson.MODEL), ids=lambda row: row["version"])
def test_the_stored_fate_of_a_guest_is_what_the_model_gives(stored):
    run = boot_guest(stored["version"], host=1024, guest=2, **lesson.LENT).run()
    world, counts = run.last.world, run.last.world.vmstat
    mine = [counts["thp_split_page"], counts["pgmigrate_success"], run.results["guest"]]
    assert [int(stored[name]) for name in [*stored][1:]] == mine
    assert not any(world.in_cma(pfn) for pfn in world.folios)


def test_recall_is_what_the_model_does():
    for cma, place in ((51, "CMA"), (50, "ordinary memory")):
        assert served_from(host(cma=cma, used=0).zone)["huge page, for a process"] == place


def test_what_the_text_says_of_the_pins():
    rows = load_csv("kernel-runs/s10_s2_real_fragmentation_pins.csv")
    six = [r for r in rows if r["boot"] == lesson.BOOT and r["scenario"] == "S2_real"]
    six = [int(r["cma_pages_before"]) for r in six if lesson.RELEASED.items() <= r.items()]
    assert six == [4 * 512] * 6
    for row in rows:  # "its pin fails only if a page stays in CMA"
        if lesson.RELEASED.items() <= row.items():
            assert (row["pin_errno"] != "0") == (row["cma_pages_after"] != "0")


def test_the_blocks_of_the_strips_are_the_buddy_allocators():
    text = (FOLDER / "plenty_free.md").read_text(encoding="utf-8")
    for held, counts, where in (
        (lesson.EXAMPLE, (3, 3, 1, 0, 0), "1, 2-3, 4-7, 8-9, 11, 12-13, 14"),
        (lesson.MINE, (4, 2, 1, 0, 0), "0-1, 2, 5, 6-7, 9, 11, 12-15"),
    ):
        found, told = lesson.free_blocks(held)
        assert (tuple(found.values()), told) == (counts, where)
        assert "  ".join("#" if page in held else "." for page in range(16)) in text
