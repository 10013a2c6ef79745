"""Every test of a lesson begins with open cards."""

from __future__ import annotations

import pytest

from mmsim.lessons import COURSE
from mmsim.lessons.activity import State
from mmsim.lessons.tally import cards_of


@pytest.fixture(autouse=True)
def open_cards():
    for card in (card for lesson in COURSE for card in cards_of(lesson)):
        if card.state != State() or card.problem:
            card.forget()
