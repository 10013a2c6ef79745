"""Share, odds and runs: three numbers, each right, side by side."""

from __future__ import annotations

from fractions import Fraction

import pytest
from coin import sample
from small import cells, nop
from svg_rules import seen

from mmsim.engine.explore import Outcome, explore
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import along
from mmsim.scenarios import split_race, vfio_map
from mmsim.views import chances as view
from mmsim.views.chances import chances, chances_picture, outcome_table
from mmsim.views.words import chance, count, fraction

RACE = split_race(released="1", order=1)
RUNS = 2_000


@pytest.fixture(scope="module")
def outcomes():
    return RACE.explore().outcomes(RACE.fate)


@pytest.fixture(scope="module")
def runs():
    return sample(RACE.merged(), RACE.fate, RUNS, seed=0)


def forever():
    while True:
        yield nop()


def test_what_does_not_end_has_no_share():
    found = explore(cells(forever, merge=True))
    with pytest.raises(ValueError, match="for ever"):
        chances(found.outcomes(lambda state: "done"))


def test_failures_are_added_up_and_successes_come_first(outcomes, runs):
    rows = chances(outcomes, runs)
    assert [row.name for row in rows[:2]] == ["split", view.ALL_FAILURES]
    assert rows[1].share == Fraction(33, 73) == rows[2].share + rows[3].share
    assert rows[1].odds == Fraction(59, 2048) == rows[2].odds + rows[3].odds
    assert rows[1].hits == rows[2].hits + rows[3].hits
    assert sum(row.odds for row in rows if row.name != view.ALL_FAILURES) == 1


def test_pictures_are_readable_with_and_without_runs(outcomes, runs):
    pin = vfio_map("v2", order=1, targets="either", passes=2, released="1")
    for rows in (
        chances(outcomes),
        chances(outcomes, runs),
        chances(outcomes, odds=False),
        chances(pin.explore().outcomes(pin.fate)),
    ):
        picture = chances_picture(rows)
        drawn = seen(picture)
        assert "…" not in "".join(drawn)
        for row in rows[: view.OUTCOMES_MAX]:
            assert any(f"of {count(row.of)} = " in text for text in drawn)
        assert picture.words in picture.svg
    assert "odds" not in seen(chances_picture(chances(outcomes, odds=False)))


def test_a_schedule_that_can_not_be_has_no_odds():
    with pytest.raises(ValueError, match="move 1, holder:ok, can't be made; those that can: spl"):
        along(RACE, [Move("holder", "ok")])


# -- numbers in words, and the table of outcomes


@pytest.mark.parametrize(
    ("words", "number", "said"),
    [
        (count, None, "no limit"),
        (count, 0, "0"),
        (count, 10**12 - 1, "999,999,999,999"),
        (count, 10**12, "1.00e12"),
        (count, 16_772_001_688_831_118_283, "1.68e19"),
        (count, 999_999 * 10**20, "1.00e26"),
        (count, 10**5000 - 1, "1.00e5000"),
        (chance, Fraction(0), "never"),
        (chance, Fraction(1), "always"),
        (chance, Fraction(1, 1000), "0.10 %"),
        (chance, Fraction(1, 1001), "1 in 1,001"),
        (chance, Fraction(999, 1000), "99.90 %"),
        (chance, 1 - Fraction(1, 10**20), "all but 1 in 1.00e20"),
        (chance, Fraction(1, 2**20_000), "1 in 3.98e6020"),
        (fraction, Fraction(59, 2048), "59/2048"),
        (fraction, Fraction(1, 3**100), "a fraction of 49 digits"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_can_be_read_and_are_never_rounded_to_a_certainty(words, number, said):
    assert words(number) == said


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
