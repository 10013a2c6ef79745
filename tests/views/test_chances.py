"""Share, odds and runs: three numbers, each right, side by side."""

from __future__ import annotations

from fractions import Fraction

import pytest
from coin import sample
from small import cells, forever
from svg_rules import seen

from mmsim.amounts import chance, count, fraction, size_words
from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.explore import explore
from mmsim.lessons.how_likely import Retrying, curve, gone_words, retry_law, success
from mmsim.scenarios import split_race, vfio_map
from mmsim.views import chances as view
from mmsim.views.chances import chances, chances_picture

RACE = split_race(released="1", order=1)


def test_what_does_not_end_has_no_share():
    found = explore(cells(forever, merge=True))
    with pytest.raises(ValueError, match="for ever"):
        chances(found.outcomes(lambda state: "done"))


def test_pictures_are_readable_with_and_without_runs():
    outcomes = RACE.explore().outcomes(RACE.full_outcome)
    runs = sample(RACE.merged(), RACE.full_outcome, 500, seed=0)
    pin = vfio_map("v2", order=1, targets="either", passes=2, released="1")
    for rows in (
        chances(outcomes),
        chances(outcomes, runs),
        chances(pin.explore().outcomes(pin.full_outcome)),
    ):
        picture = chances_picture(rows)
        drawn = seen(picture)
        assert "…" not in "".join(drawn)
        for row in rows[: view.OUTCOMES_MAX]:
            assert any(f"of {count(row.of)} = " in text for text in drawn)
        assert picture.words in picture.svg


# -- numbers in words, and the table of outcomes


@pytest.mark.parametrize(
    ("words", "number", "said"),
    [
        (count, None, "no limit"),
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
        (size_words, 1, "4 KiB"),
        (size_words, 2**18 - 2, "1023.99 MiB"),
        (size_words, 2**18 - 1, "1 GiB"),
        (size_words, 2**48 - 1, "1048576 TiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_can_be_read_and_are_never_rounded_to_a_certainty(words, number, said):
    assert words(number) == said


# -- the retry law: runs of the model, and the curve


@pytest.mark.parametrize("passes", [1, 2, 10, 100, 20_000])
@pytest.mark.parametrize("permanent", [0, Fraction(1, 2), Fraction(1999, 2000), 1])
@pytest.mark.parametrize("hold", [1, 2, 100, 2000])
def test_a_share_that_is_not_certain_never_looks_so(passes, permanent, hold):
    setting = Retrying(passes, 1, permanent)
    certain = {"0.0 %": 0, "100.0 %": 1}
    said = gone_words(setting, hold)
    assert said not in certain or success(setting, hold) == certain[said]


def dropped_in_tick(hold, tick):
    """The chance that a reference is dropped in this tick and not before."""
    return Fraction(1, hold) * Fraction(hold - 1, hold) ** (tick - 1)


@pytest.mark.parametrize("version", ["base", "v2"])
@pytest.mark.parametrize(("hold", "gap"), [(1, 1), (2, 1), (7, 3), (100, 3)])
def test_the_model_rescues_what_the_law_says(version, hold, gap):
    """Run the model for each pass before which the reference can go, and weigh the results."""
    total = Fraction(0)
    for k in range(1, MIGRATE_PASSES):
        ticks = range(gap * (k - 1) + 1, gap * k + 1)
        chance = sum((dropped_in_tick(hold, tick) for tick in ticks), Fraction(0))
        total += chance * (vfio_map(version, order=1, released=k).run().results["pin"] > 0)
    tried = MIGRATE_PASSES if version == "v2" else 1
    assert total == success(Retrying(tried, gap), hold)


@pytest.mark.parametrize(("passes", "permanent"), [(1, 0), (3, Fraction(1, 2)), (100, 1)])
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
            assert f"{gone_words(setting, hold)} if held for {hold:,} ticks" in picture.words
