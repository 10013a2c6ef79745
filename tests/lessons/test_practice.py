"""Endless practice: every number is a card that can be answered, and always the same one."""

from __future__ import annotations

import re

import pytest

from mmsim.lessons import migrate_or_split, plenty_free, who_holds_this_page
from mmsim.mm.boot import boot
from mmsim.mm.page_alloc import take_block

LESSONS = (who_holds_this_page, plenty_free, migrate_or_split)
SEEDS = range(5)
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda m: m.__name__.split(".")[-1])


@each_lesson
def test_every_number_is_a_card_that_can_be_right_or_wrong(lesson):
    questions = set()
    for seed in SEEDS:
        card = lesson.practise(seed)
        assert card is lesson.practise(seed)
        questions.add(card.text)
        assert f"lesson.practise({seed}).answer(" in repr(card)
        right = card.right()
        wrong = {part: n + 1 if isinstance(n, int) else n for part, n in right.items()}
        told = "".join(card.answer(wrong).reply())
        assert "Not yet" in told
        assert not card.unlocked
        assert card.answer(right).settled
        card.forget()
    assert len(questions) > len(SEEDS) * 0.7


def test_a_number_is_the_same_card_in_every_python():
    for lesson, told in zip(
        LESSONS,
        (
            "mapped by two processes, looked up by three holders",
            "`.... .... .... ##..`",
            "no huge page is free; nobody is in the way",
        ),
        strict=True,
    ):
        assert told in lesson.practise(1).text


def test_a_strip_has_the_blocks_of_the_allocator():
    for seed in range(20):
        card = plenty_free.practise(seed)
        drawn = re.search(r"`([#. ]+)`", card.text)[1].replace(" ", "")
        zone = boot(512)
        for page in (*(n for n, sign in enumerate(drawn) if sign == "#"), *range(16, 512)):
            take_block(zone, page, 0)
        assert zone.lists()["MOVABLE"][:5] == tuple(card.right().values())


@pytest.mark.parametrize("seed", ["1", None, True, -1, 1.0])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0 on"):
        plenty_free.practise(seed)
