"""Endless practice: every number is a card that can be answered, and always the same one."""

from __future__ import annotations

import re

import pytest

from mmsim.lessons import capstone_and_recall, migrate_or_split, plenty_free, who_holds_this_page
from mmsim.mm.boot import boot
from mmsim.mm.page_alloc import take_block

SEEDS = range(5)
# What the card of number 1 asks, in every Python.
LESSONS = {
    who_holds_this_page: "mapped by two processes, looked up by three holders",
    plenty_free: "`.... .... .... ##..`",
    migrate_or_split: "no huge page is free; nobody is in the way",
}


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_number_is_a_card_that_can_be_right_or_wrong(lesson):
    assert LESSONS[lesson] in lesson.practise(1).text
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


def test_a_strip_has_the_blocks_of_the_allocator():
    for seed in range(20):
        card = plenty_free.practise(seed)
        drawn = re.search(r"`([#. ]+)`", card.text)[1].replace(" ", "")
        zone = boot(512)
        for page in (*(n for n, sign in enumerate(drawn) if sign == "#"), *range(16, 512)):
            take_block(zone, page, 0)
        assert zone.lists()["MOVABLE"][:5] == tuple(card.right().values())


@pytest.mark.parametrize("draw", [plenty_free.practise, capstone_and_recall.take])
@pytest.mark.parametrize("seed", ["1", None, True, -1, 1.0])
def test_what_is_no_seed(draw, seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0 on"):
        draw(seed)
