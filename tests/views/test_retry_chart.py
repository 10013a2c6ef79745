"""The retry law as a curve, with guesses beside it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from svg_rules import readable, words

from mmsim.views.retry_chart import curve, gone, retry_law
from mmsim.views.retrylaw import Retrying, success

SETTINGS = [
    Retrying(),
    Retrying(1),
    Retrying(100, 100),
    Retrying(3, 7, Fraction(1, 2)),
    Retrying(permanent=1),
]


def test_what_is_not_certain_is_not_said_to_be():
    assert gone(Retrying(100), 10) == "over 99.9 %"
    assert gone(Retrying(permanent=1), 10) == "0.0 %"


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_curve_is_the_law(setting):
    drawn = curve(setting)
    assert len(drawn) > 60
    for hold, part in drawn[::20]:
        assert part == pytest.approx(float(success(setting, round(hold))))
    picture = retry_law(setting, {50: None, 1000: None})
    readable(picture.svg)
    for hold in (50, 1000):
        assert f"{gone(setting, hold)} if held for {hold:,} ticks" in picture.words
    assert ("the window" in words(picture.svg)) == (setting.passes > 1)


def test_the_guess_is_drawn_beside_it():
    assert "your guess" not in words(retry_law(Retrying(gap=10), {100: None}).svg)
    guessed = retry_law(Retrying(gap=10), {10: 90, 100: 60, 1000: 10})
    assert "your guess" in words(guessed.svg)
    readable(guessed.svg)
