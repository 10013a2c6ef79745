"""Lesson 03: the numbers of its text and of its tables."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.lessons import FOLDER
from mmsim.lessons import plenty_free as lesson
from mmsim.scenarios import boot_guest


@pytest.mark.parametrize("stored", load_csv(lesson.MODEL), ids=lambda row: row["version"])
def test_the_stored_fate_of_a_guest_is_what_the_model_gives(stored):
    run = boot_guest(stored["version"], host=1024, guest=2, **lesson.LENT).run()
    world, counts = run.last.world, run.last.world.vmstat
    mine = [counts["thp_split_page"], counts["pgmigrate_success"], run.results["guest"]]
    assert [int(stored[name]) for name in [*stored][1:]] == mine
    assert not any(world.in_cma(pfn) for pfn in world.folios)


def test_the_strips_of_the_text_are_those_that_are_judged():
    text = (FOLDER / "plenty_free.md").read_text(encoding="utf-8")
    for held in (lesson.EXAMPLE, lesson.MINE):
        assert "  ".join("#" if page in held else "." for page in range(16)) in text
