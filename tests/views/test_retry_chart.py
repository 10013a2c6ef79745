"""The retry law as a curve, with guesses beside it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from svg_rules import seen

from mmsim.views.chances import Retrying, curve, gone, retry_law, success


@pytest.mark.parametrize("passes", [1, 3, 100])
@pytest.mark.parametrize("permanent", [Fraction(0), Fraction(1, 2), Fraction(1)])
def test_the_curve_is_the_law_and_a_guess_stands_beside_it(passes, permanent):
    setting = Retrying(passes, 7, permanent)
    for hold, part in curve(setting)[::20]:
        assert part == pytest.approx(float(success(setting, round(hold))))
    for guess in (None, 60):
        picture = retry_law(setting, {50: guess, 1000: None})
        drawn = seen(picture)
        assert ("your guess" in drawn) == (guess is not None)
        assert ("the window" in drawn) == (passes > 1)
        for hold in (50, 1000):
            assert f"{gone(setting, hold)} if held for {hold:,} ticks" in picture.words


def test_what_is_not_certain_is_not_said_to_be():
    assert gone(Retrying(100), 10) == "over 99.9 %"
    assert gone(Retrying(permanent=1), 10) == "0.0 %"
