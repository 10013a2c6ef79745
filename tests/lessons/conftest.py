"""Every test of a lesson begins with open cards."""

from __future__ import annotations

import pytest
from build_teaching import MODULES

from mmsim.lessons.card import Card


@pytest.fixture(autouse=True)
def open_cards():
    for card in (card for module in MODULES.values() for card in vars(module).values()):
        if isinstance(card, Card) and (card.stored is not None or card.problem or card.state.hints):
            card.forget()
