"""Lesson 03: the numbers of its text, the judges' special cases, and the host with knobs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations
from math import comb

import pytest

from mmsim.fragmentation import PIN_SCOPE_TYPES, suitable, summed
from mmsim.lessons import plenty_free as lesson
from mmsim.mm.zone import pattern
from mmsim.scenarios import boot_guest
from mmsim.scenarios.host import fates, host
from mmsim.views.memory import memory


@pytest.fixture(autouse=True)
def opened():
    for card in (lesson.blocks, lesson.least, lesson.healthy):
        card.forget()


# -- numbers of the text


def test_the_worn_host():
    worn, tidy = host(**lesson.WORN).zone, host(**lesson.WORN, scattered=0).zone
    assert lesson.supply(worn) == {"blocks": 0, "huge_page": "-ENOMEM"}
    assert lesson.supply(tidy) == {"blocks": 198, "huge_page": "granted"}
    assert round(worn.nr_free / worn.nr_pages, 2) == round(tidy.nr_free / tidy.nr_pages, 2) == 0.4
    assert worn.nr_free > 100_000
    assert worn.lists()["MOVABLE"][3:] == (59,) + (0,) * 7
    assert lesson.huge_blocks(host(cma=0, used=1).zone) == 0
    assert lesson.index_of(lesson.WORN).iloc[:, 0].tolist() == [0, "1.000", "0.998", "100 %"]
    assert lesson.index_of(lesson.WORN).iloc[:, 1].tolist() == [0, "1.000", "0.998", "100 %"]


def test_the_host_with_cma():
    zone = host(**lesson.LENT).zone
    assert round(100 * zone.nr_free_cma / zone.nr_free) == 46
    assert lesson.huge_blocks(zone) == 128
    assert lesson.index_of(lesson.LENT).iloc[:, 0].tolist() == [128, "0.544", "-1.000", "54 %"]
    assert lesson.index_of(lesson.LENT).iloc[:, 1].tolist() == [0, "1.000", "0.998", "100 %"]


def test_the_guest_on_it():
    start = boot_guest("base", host=1024, guest=8, **lesson.LENT)
    assert start.landed()[:2] == (4, 0)
    run = lesson.guest_run()
    assert run.results["guest"] == -12
    assert run.last.world.zone.nr_free * 4 // 1024 > 500
    together = boot_guest("base", host=1024, guest=8, scattered=0, **lesson.LENT)
    assert together.landed()[:2] == (0, 4)
    assert together.run().results["guest"] == 0


def test_more_to_try():
    lists = [host(host=4096, cma=25, used=30, scattered=s).zone.lists() for s in (97, 98)]
    assert [suitable(summed(free, PIN_SCOPE_TYPES), 9) for free in lists] == [25, 0]
    packed = boot_guest("base", cma=25, used=60, compaction="on", guest=8).run()
    assert packed.results["guest"] == 0
    assert packed.last.world.vmstat["thp_migration_success"] == 4
    few = [summed(host(cma=0, used=used).zone.lists()) for used in (30, 40)]
    assert [suitable(free, 4) for free in few] == [65, 0]


def test_recall_is_what_the_model_does():
    for cma, place in ((51, "CMA"), (50, "ordinary memory")):
        assert fates(host(cma=cma, used=0).zone)["huge page, for a process"] == place


def test_what_was_read_off_the_kernel():
    table = lesson.pieces_table()
    assert table.loc["just booted"].tolist() == [249833, 65536, 356, 128, "0.008", "-1.000"]
    assert table.loc["order 9 used up"].tolist() == [155031, 65274, 0, 126, "0.583", "-1.000"]
    assert set(table["extfrag_index"]) == {"-1.000"}
    assert list(table["2 MiB outside CMA"]) == [356, 8, 8, 6, 0]
    assert round((155031 - 65274) * 4 / 1024) == 351


def test_what_became_of_the_pins():
    table = lesson.pins_table().values.tolist()
    assert table == [[36, 144, 144, 0, 144, 0], [6, 6, 6, 0, 0, 6], [72, 288, 288, 288, 0, 0]]


# -- chances


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("pages", [8, 16])
def test_a_chance_is_what_every_choice_says(pages, order):
    blocks = [{*range(at, at + (1 << order))} for at in range(0, pages, 1 << order)]
    for free in range(0, pages + 1, 2):
        every = [*map(set, combinations(range(pages), free))]
        hits = sum(any(block <= chosen for block in blocks) for chosen in every)
        share = hits / comb(pages, free)
        assert lesson.chance(pages, free, order) == pytest.approx(share, abs=1e-9)


def test_the_chances_of_the_text():
    assert lesson.chance(8, 4, 2) == pytest.approx(1 / 35)
    assert round(lesson.chance(64, 32, 2), 3) == 0.657
    assert round(lesson.chance(64, 32, 3), 3) == 0.019
    chances = ["4.4e-202", "4.7e-62", "1.8e-21", "0.016", "0.47", "0.95"]
    assert list(lesson.share_table().iloc[:, 0]) == chances


# -- judges


def test_the_blocks_of_the_strips_are_the_buddy_allocators():
    held = {"example": (0, 10, 15), "a": (8, 9, 13), "b": (3, 4, 8, 10)}
    for name, (counts, where) in lesson.FREE.items():
        found = pattern(4, [(page, 0) for page in held[name]])
        assert found.free[:5] == counts
        free = [(b.offset, b.offset + (1 << b.order) - 1) for b in found.blocks if b.held is None]
        assert where == ", ".join(f"{a}-{z}" if a < z else str(a) for a, z in free)
        marks = "  ".join("#" if page in held[name] else "." for page in range(16))
        assert marks in lesson_text()


def lesson_text():
    from mmsim.lessons import FOLDER

    return (FOLDER / "plenty_free.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("strip", "told", "second"),
    [
        ((1, 2, 1, 1, 0), "has 13 free pages, your blocks have 17", "0-7, 10-11, 12, 14-15"),
        ((1, 2, 2, 0, 0), "not the largest blocks", "0-7, 10-11, 12, 14-15"),
    ],
)
def test_wrong_counts_meet_the_number_of_pages_first(strip, told, second):
    verdict = lesson.blocks_judged({**lesson.blocks.right(), "a": strip})
    assert told in verdict.why
    assert second in verdict.second


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ([5], "and pages 512 to 1023 are a huge page"),
        (list(range(0, 4096, 256)), "it can be done with fewer"),
        ([4096], "Not stored: there is no page 4096"),
        ([-1], "there is no page -1"),
        (["x"], "there is no page 'x'"),
        (7, "could not be used"),
    ],
)
def test_held_pages_that_are_not_the_least(pages, told):
    assert told in " ".join(lesson.least(pages).reply())


def test_the_least_that_spoils_all_is_any_page_of_each_pageblock():
    assert lesson.least_judged([511, 512, 1500, 2000, 2049, 3000, 3500, 4095]).state == "passed"
    for left_out in range(8):
        pages = [at for at in range(0, 4096, 512) if at != left_out * 512]
        assert lesson.least_judged(pages).state == "failed"


def test_where_requests_go_is_told_at_the_second_try():
    verdict = lesson.requests.judge({**lesson.got(), "pin_huge": "CMA"})
    assert verdict.why == "pin_huge: no list outside CMA has a block of 2 MiB, and what a pin " \
        "asks for may not borrow"  # fmt: skip
    assert verdict.second.startswith("pin_huge: -ENOMEM; ")


@pytest.mark.parametrize(
    ("cma", "used", "told"),
    [
        (60, 50, "80.0 % free"),
        (0, 0, "the pin should get nothing"),
        (0, 1, "the index should say"),
        (101, 1, "cma must be 0-100, not 101"),
    ],
)
def test_a_host_that_is_not_healthy_enough(cma, used, told):
    assert told in " ".join(lesson.healthy(cma=cma, used=used).reply())


# -- the host with knobs


def test_every_control_draws_another_picture():
    widget = lesson.play_host()
    widget.boxes["cma"].value, widget.boxes["host"].value = 25, "64"
    for name, box in widget.boxes.items():
        first, seen = box.value, set()
        values = box.options if hasattr(box, "options") else (box.min, box.max)
        for value in values:
            box.value = value
            ET.fromstring(widget.view.value)
            seen.add(widget.view.value)
            assert "for a long-term pin: " in widget.said.value
        assert len(seen) == len(values), name
        box.value = first
    widget.boxes["order"].value = 3
    assert widget.view.value == memory(host(host=64, cma=25, used=60).zone, 3).svg
    widget.reset.click()
    assert widget.view.value == memory(host(**lesson.WORN).zone).svg
