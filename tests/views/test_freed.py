"""Tables of chances: what they say is what is counted."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mmsim.chance import chance
from mmsim.views.freed import SMALL, chance_by_share, chance_table, enough


def test_exact_numbers_and_tries_stand_side_by_side():
    table = chance_table(seed=1, times=500)
    said = [text.rpartition(" = ") for text in table["chance"]]
    exact = [chance(*case) for case in SMALL]
    assert [float(number) for _, _, number in said] == pytest.approx([*map(float, exact)], abs=5e-4)
    assert [Fraction(text) for text, _, _ in said if text] == [*exact[:2], exact[4]]
    assert table.index[0] == "8 pages, 4 free, block of 4"
    assert table["tried"].str.endswith(" of 500").all()
    assert chance_table(seed=1, times=500).equals(table)
    assert not chance_table(seed=2, times=500)["tried"].equals(table["tried"])


@pytest.mark.parametrize("seed", range(1, 9))
def test_the_exact_number_is_nearly_always_inside_the_interval(seed):
    """99 of 100 intervals hold it; of these 48 two may miss, and none does."""
    assert set(chance_table(seed=seed, times=500)["chance is inside"]) == {"yes"}


def test_shares_of_a_gibibyte():
    table = chance_by_share((98, 99, 99.9))
    assert list(table.index) == ["98 %", "99 %", "99.9 %"]
    assert list(table.iloc[:, 0]) == ["0.016", "0.951", "1.000"]
    assert enough((99, 98)) == "99 %"
    assert enough((98,)) == "none"
