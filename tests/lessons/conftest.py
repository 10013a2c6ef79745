"""Every test of a lesson begins with open cards."""

from __future__ import annotations

import pytest
from build_teaching import MODULES

from mmsim.lessons.activity import State
from mmsim.lessons.card import Card


@pytest.fixture(autouse=True)
def open_cards():
    for card in (card for module in MODULES.values() for card in vars(module).values()):
        if isinstance(card, Card) and (card.state != State() or card.problem):
            card.forget()
