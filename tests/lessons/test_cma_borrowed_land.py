"""Lesson 02: the numbers of its text, where eight allocations land, and the judges' replies."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import matplotlib.text
import pytest
from views.svg_rules import NS, references_are_defined, texts_fit, texts_stand_apart

from mmsim.datafiles import load_csv
from mmsim.evidence.kernel_runs import BATCH, compare_file
from mmsim.lessons import cma_borrowed_land as lesson
from mmsim.lessons.cma_borrowed_land import CMA, ORDINARY, lending
from mmsim.mm.page_alloc import request
from mmsim.scenarios import boot_guest
from mmsim.scenarios.situation import KnobError


@pytest.fixture(autouse=True)
def opened():
    for card in (lesson.one, lesson.first, lesson.second, lesson.order, lesson.owner):
        card.forget()


def letters(**knobs):
    return "".join(grant.place[0] for grant in lending(**knobs).grants)


@pytest.mark.parametrize(
    ("knobs", "landed"),
    [
        ({}, "CCCCCCoC"),
        ({"cma": 50}, "oCoCoCoC"),
        ({"cma": 42}, "oooooooC"),
        ({"cma": 25}, "oooooooo"),
        ({"cma": 80}, "CCCCCCCC"),
        ({"movable": "no"}, "oooooooo"),
        ({"order": 0}, "CCCCCCCC"),
        ({"cma": 0, "free": 0}, "rrrrrrrr"),
        ({"cma": 25, "free": 60, "scattered": "yes"}, "CCCCCCCC"),  # the second road
        ({"cma": 25, "free": 60, "scattered": "yes", "order": 0}, "oooooooo"),
        ({"cma": 25, "free": 60, "scattered": "yes", "movable": "no"}, "rrrrrrrr"),
    ],
)
def test_where_eight_allocations_land(knobs, landed):
    assert letters(**knobs) == landed


def test_whoever_may_have_cma_gets_it_exactly_when_it_is_more_than_half_or_nothing_else_fits():
    settings = itertools.product((0, 20, 45, 60, 80), (0, 30, 100), (0, 4, 9, 10), ("no", "yes"))
    for cma, free, order, scattered in settings:
        made = lending(cma=cma, free=free, order=order, scattered=scattered)
        made.zone.check()
        for grant in made.grants:
            over = grant.free_cma > grant.free // 2
            if over and grant.place == ORDINARY:
                # Only if the area has no block of that order any more.
                assert not any(made.zone.free_blocks("CMA")[order:])
            if grant.place == CMA and not over:
                assert not any(made.zone.free_blocks("MOVABLE")[order:])


def test_the_numbers_of_the_first_and_the_seventh():
    first, *_, seventh, _ = lending().grants
    assert (first.free, first.free_cma) == (64 * 256, 38 * 256)
    assert (seventh.free, seventh.free_cma, seventh.free // 2) == (13312, 6656, 6656)


def test_a_wrong_knob_is_told_what_it_can_be():
    for knobs, says in (({"cma": 81}, "cma must be 0-80, not 81"), ({"fre": 1}, "mean 'free'")):
        with pytest.raises(KnobError, match=says):
            lending(**knobs)


@pytest.mark.parametrize(("movable", "scattered"), [("yes", "no"), ("no", "no"), ("yes", "yes")])
def test_pictures_can_be_read_at_every_setting(movable, scattered):
    for cma, free, order in itertools.product((0, 80), (0, 10, 100), (0, 9, 10)):
        made = lending(cma=cma, free=free, order=order, movable=movable, scattered=scattered)
        root = ET.fromstring(lesson.drawn(made).svg)
        texts_fit(root)
        texts_stand_apart(root)
        references_are_defined(root)
        words = [text.text for text in root.iter(f"{NS}text")]
        assert "…" not in "".join(words)
        assert words.count("refused") == made.count("refused")


@pytest.mark.parametrize(
    ("knobs", "rule"),
    [
        ({}, "Where CMA reaches beyond the half line"),
        ({"cma": 25, "free": 60, "scattered": "yes"}, "nothing else of this size was free"),
        ({"movable": "no"}, "gets no CMA"),
    ],
)
def test_the_rule_under_the_bars_is_the_one_that_decided(knobs, rule):
    assert rule in lesson.drawn(lending(**knobs)).svg


def test_every_control_draws_another_picture():
    widget = lesson.play_lending()
    widget.boxes["free"].value = 60  # with all of it free, nothing can be scattered
    for name, box in widget.boxes.items():
        first, seen = box.value, set()
        values = box.options if hasattr(box, "options") else (box.min, box.max)
        for value in values:
            box.value = value
            seen.add(widget.view.value)
            assert "8 allocations of" in widget.said.value
        assert len(seen) == len(values), name
        box.value = first
    widget.reset.click()
    assert widget.view.value == lesson.drawn(lending()).svg


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lending(cma=0), "there 0 of the eight lie in CMA"),
        (lending(cma=8, free=0), "not all of the eight were granted"),
        (lending(cma=80), "there 8 of the eight"),
    ],
)
def test_exactly_one_means_one_of_eight_that_were_granted(answer, told):
    verdict = lesson.one_judged(answer)
    assert told in verdict.why
    assert verdict.detail.startswith("8 allocations of 2 MiB")
    assert "lesson.lending(cma=..., free=...)" in lesson.one(50).problem


# -- measured


def test_a_guess_about_the_first_page_from_cma_meets_what_would_be_free():
    assert "with 256 MiB populated, 721 MiB would be free" in lesson.first_judged(256).why
    assert "long since" in lesson.first_judged(700).why
    assert lesson.first_judged(468).state == lesson.first_judged(465).state == "passed"


def test_what_the_text_says_of_the_measured_steps():
    s9 = compare_file("s9_cma_fallback.csv")
    verdicts = [len(s9.having(name)) for name in ("agree", "explained", "disagree")]
    assert verdicts == [1377, 731, 0]
    assert sum(verdicts) == 2108
    assert sum("less than the 63 pages" in row.why for row in s9.having("explained")) == 730
    assert BATCH == 63
    assert [course[0].first for course in lesson.courses().values()] == [848, 468, 4]
    assert [course[1].first for course in lesson.courses().values()] == [852, 468, 4]
    assert max(lesson.apart(*both) for both in lesson.courses().values()) == 176


def test_the_chart_names_its_file_and_has_the_half_line():
    chart = lesson.populate_chart()
    drawn = {text.get_text() for text in chart.figure.findobj(matplotlib.text.Text)}
    assert any("s9_cma_fallback.csv" in text for text in drawn)
    lines = {line.get_label(): line for line in chart.figure.axes[1].lines}
    free, half = (lines[name].get_ydata() for name in ("free, model", "half of it"))
    assert [y / 2 for y in free] == list(half)
    assert chart.png() == lesson.populate_chart().png()


def test_what_the_text_says_of_the_old_host_and_of_fragmented_ones():
    old = boot_guest(**lesson.OLD_HOST, guest=64, pin="none")
    there, zone = old.landed(), old.initial().world.zone
    assert (there.thps_in_cma, there.thps_outside) == (32, 0)
    assert round(100 * zone.nr_free_cma / zone.nr_free) == 32
    pins = load_csv("kernel-runs/s10_s2_real_fragmentation_pins.csv")
    pins = [row for row in pins if row["alloc_mode"] == "frag_pinned"]
    assert len(pins) == 1059
    assert all(int(r["cma_pages_before"]) == 512 * int(r["n_units_2mib"]) for r in pins)
    shares = {round(100 * int(r["free_cma_before"]) / int(r["free_pages_before"])) for r in pins}
    assert shares == {41, 42}


# -- the pin and the owner


def test_a_wrong_road_meets_the_run_at_the_second_try():
    verdict = lesson.second_judged("a")
    assert "in CMA" not in verdict.why
    assert "32 huge pages (in 32 pageblocks) in CMA" in verdict.second


def test_who_may_borrow_is_what_the_allocator_says():
    wants = (request(9), request(0), request(0, "UNMOVABLE"), request(0, "RECLAIMABLE"))
    may = [want.alloc_cma for want in (*wants, request(9, pin_scope=True))]
    assert [answer == "yes" for answer, _ in lesson.BORROWERS.values()] == may


def test_the_six_steps_of_the_pin_are_found_in_the_run():
    at = lesson.places_of(lesson.pinned())
    assert sorted(at.values()) == list(at.values())
    table = lesson.pin_steps()
    assert table.loc["look", "in the model"] == "is_longterm_pinnable_page(guest) = no"
    assert table.loc["move", "what changed"] == "guest place CMA → UNMOVABLE memory"


def test_a_wrong_order_is_told_which_comes_first_and_a_doubled_one_is_no_answer():
    steps = list(lesson.STEPS)
    wrong = dict(zip(lesson.PLACES, [steps[1], steps[0], *steps[2:]], strict=True))
    assert "'pin' comes before 'look'" in lesson.order_judged(wrong).why
    assert "nobody waits" in lesson.order_judged({**wrong, "sixth": "wait"}).why
    assert "name each step once" in lesson.order(["pin"] * 6).problem


def test_how_often_the_page_is_pinned_is_as_the_text_says():
    inverted = boot_guest(guest=2, scattered=0, isolation="inverted").run()
    names = [event.op.kind.name for event in inverted.events]
    assert (names.count("follow_page_mask"), names.count("lru_add_drain_all")) == (3, 1)
    for run, acquired, released in ((lesson.pinned(), 1024, 512), (inverted, 1536, 1024)):
        counters = run.last.world.vmstat
        assert counters["nr_foll_pin_acquired"] == acquired
        assert counters["nr_foll_pin_released"] == released


def test_the_owner_gets_its_memory_or_ebusy():
    assert [lesson.cleared(name)[1] for name in lesson.OWNERS] == ["memory", "-EBUSY"]
    assert lesson.cleared("for_good")[0].last.world.vmstat["cma_alloc_fail"] == 1
