"""Counts and odds in words, and the table of outcomes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mmsim.engine.explore import Outcome
from mmsim.engine.scenario import Move
from mmsim.views.chances import outcome_table
from mmsim.views.words import chance, count


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (None, "no limit"),
        (0, "0"),
        (1_234_567, "1,234,567"),
        (10**12 - 1, "999,999,999,999"),
        (10**12, "1.00e12"),
        (16_772_001_688_831_118_283, "1.68e19"),
        (999_999 * 10**20, "1.00e26"),
        (10**5000 - 1, "1.00e5000"),
        (17 * 10**9000, "1.70e9001"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_counts(number, said):
    assert count(number) == said


@pytest.mark.parametrize(
    ("odds", "said"),
    [
        (Fraction(0), "never"),
        (Fraction(1), "always"),
        (Fraction(1, 3), "33.33 %"),
        (Fraction(1, 1000), "0.10 %"),
        (Fraction(1, 1001), "1 in 1,001"),
        (Fraction(999, 1000), "99.90 %"),
        (1 - Fraction(1, 10**20), "all but 1 in 1.00e20"),
        (Fraction(1, 2**20_000), "1 in 3.98e6020"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_chances_are_never_rounded_to_a_certainty(odds, said):
    assert chance(odds) == said


def test_the_table_of_outcomes():
    pin = tuple([Move("pin")] * 45)
    outcomes = [
        Outcome("mapped", 3, 9_999, Fraction(2697, 2698), pin),
        Outcome("failed", 1, 1, Fraction(1, 2698), pin[:3]),
    ]
    assert outcome_table(outcomes, 10_000).splitlines()[:4] == [
        "outcome  schedules                share                odds  steps",
        "-------  ---------  -------------------  ------------------  -----",
        "mapped       9,999  all but 1 in 10,000  all but 1 in 2,698     45",
        "failed           1          1 in 10,000          1 in 2,698      3",
    ]
    for_ever = Outcome("goes on for ever", 0, None, Fraction(1, 2), None)
    table = outcome_table([for_ever], None).splitlines()
    assert table[2].split() == ["goes", "on", "for", "ever", "no", "limit", "50.00", "%"]
