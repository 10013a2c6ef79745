"""Lesson 01: the numbers of its text, the judges' special cases, and the ledger with knobs."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from views.svg_rules import NS, texts_fit, texts_stand_apart

from mmsim.constants import HPAGE_PMD_NR, PAGE_SIZE, PAGEVEC_SIZE
from mmsim.lessons import who_holds_this_page as lesson
from mmsim.scenarios import vfio_map
from mmsim.scenarios.page_life import folio_of


@pytest.fixture(autouse=True)
def opened():
    for card in (lesson.counts, lesson.unmapped, lesson.leak, lesson.vote):
        card.forget()


def test_numbers_of_the_text():
    assert list(lesson.refs_added().values()) == [512, 0, 1, 1, 1]
    assert lesson.sums() == {"expected": 514, "actual": 514}
    assert lesson.sums(mappings=2, holders=2) == {"expected": 515, "actual": 517}
    assert lesson.sums(isolated="no")["actual"] == 513
    assert folio_of(lesson.leaking()).refcount == 514
    assert HPAGE_PMD_NR * PAGE_SIZE == 2 << 20
    assert PAGEVEC_SIZE == 15
    assert lesson.sums(order=0, pin="yes")["actual"] == 3 + 1024


def test_the_four_pages_that_look_alike_do():
    table = lesson.alike()
    assert {*table["refcount"]} == {514}
    assert len({*table["who has them"]}) == len(table) == 4


def test_the_right_numbers_are_the_models():
    assert list(lesson.true_counts().values()) == lesson.counts.solution


def test_a_wrong_number_gets_a_question_and_then_the_ledger():
    right = lesson.counts.solution
    said = repr(lesson.counts(*[*right[:7], 4]))
    assert "d_actual: not 4; whose references are these?" in said
    assert "1027" not in said
    said = " ".join(repr(lesson.counts(*[*right[:7], 4])).split())
    assert "d_actual: the model has 1027: mappings 2, direct_io (pin) 1024, isolation 1" in said


@pytest.mark.parametrize("letter", "abc")
def test_a_wrong_vote_meets_a_page_that_contradicts_it(letter):
    assert "mapped once, isolated: page cache 512" in lesson.voted(letter).why


def test_a_page_or_its_run_will_do_and_nothing_else():
    right = lesson.unmapped.solution
    assert lesson.unmapped(right).settled
    assert lesson.unmapped_judged(right.run()).state == "passed"
    assert "refcount 514, mapcount 1" in lesson.unmapped_judged(lesson.page_with()).why
    for other in (vfio_map(), 514):
        assert "should be a page: lesson.page_with(" in lesson.unmapped(other).problem


@pytest.mark.parametrize(
    ("holder", "step", "told"),
    [
        ("guest", 1, "its allocation is the mapping's"),
        ("mincore", 7, "drops in steps [9, 20]: it balances"),
        ("fault", 8, "takes in step 8 it drops in step 12"),
        ("fault", 12, "it takes nothing in step 12"),
    ],
)
def test_a_wrong_leak_is_answered_from_the_run(holder, step, told):
    assert told in lesson.leak_judged({"holder": holder, "step": step}).why


def test_the_judges_run_the_model(monkeypatch):
    """A model in which the cache took one reference for a huge page would change the answers."""
    from mmsim.mm import folio

    monkeypatch.setattr(folio.Folio, "nr_pages", property(lambda self: 1))
    lesson._counted.cache_clear()
    answer = dict(zip(lesson.counts.parts, lesson.counts.solution, strict=True))
    assert lesson.count_judged(answer).state == "failed"
    assert lesson.unmapped_judged(lesson.unmapped.solution).state == "failed"
    lesson._counted.cache_clear()


def test_every_knob_at_every_value_draws_a_ledger_that_can_be_read_or_says_why_not():
    widget = lesson.play_page()
    for name, box in widget.boxes.items():
        first, seen = box.value, set()
        values = box.options if hasattr(box, "options") else range(box.min, box.max + 1)
        for value in values:
            box.value = value
            root = ET.fromstring(widget.view.value)
            texts_fit(root)
            texts_stand_apart(root)
            assert not any((text.text or "").endswith("…") for text in root.iter(f"{NS}text"))
            seen.add(widget.view.value)
        assert len(seen) > 1, name
        box.value = first
    widget.boxes["cached"].value = "no"
    widget.boxes["mappings"].value = 0
    assert "the kernel frees it" in widget.said.value
    widget.reset.click()
    assert widget.view.value == lesson.drawn(lesson.page_with()).svg
