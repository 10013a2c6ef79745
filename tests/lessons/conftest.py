"""Every test of a lesson begins with open cards, and leaves none answered."""

from __future__ import annotations

import sys

import pytest

from mmsim.lessons.card import Card


@pytest.fixture(autouse=True)
def open_cards():
    _forget()
    yield
    _forget()


def _forget():
    for name, module in [*sys.modules.items()]:
        for card in vars(module).values() if name.startswith("mmsim.lessons.") else ():
            if isinstance(card, Card) and (
                card.stored is not None or card.problem or card.state.hints
            ):
                card.forget()
