"""The retry law with a guess on it, the measured effect, and the ways to fail in the model."""

from __future__ import annotations

from fractions import Fraction

import matplotlib.text
import pytest

from mmsim.evidence.measured import VARIANTS
from mmsim.retrylaw import LawError, Retrying, success
from mmsim.scenarios import SMALL, pin_versus
from mmsim.scenarios.fates import MISSED
from mmsim.views.effect_chart import (
    KINDS,
    PIN_WEIGHT,
    left_behind,
    missed_piece,
    pins_beside_drop_caches,
    ways_to_fail,
)
from mmsim.views.retry_chart import ASKED, retry_law, retry_question

SETTINGS = [
    Retrying(),
    Retrying(1),
    Retrying(100, 100),
    Retrying(3, 7, Fraction(1, 2), Fraction(1, 2), drain=True),
    Retrying(permanent=1),
]


def test_what_is_not_certain_is_not_said_to_be():
    assert "over 99.9 % for 10 ticks" in retry_law(Retrying(100)).sentence
    assert "0.0 % for 10 ticks" in retry_law(Retrying(permanent=1)).sentence


def written(chart):
    return " ".join(text.get_text() for text in chart.figure.findobj(matplotlib.text.Text))


def curve(chart):
    (line,) = (line for line in chart.figure.axes[0].lines if line.get_label() == "the law")
    return dict(zip(line.get_xdata(), line.get_ydata(), strict=True))


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_curve_is_the_law(setting):
    chart = retry_law(setting, hold=50)
    drawn = curve(chart)
    assert len(drawn) > 60
    for hold, part in drawn.items():
        assert part == pytest.approx(float(success(setting, int(hold))))
    assert chart.png().startswith(b"\x89PNG")
    said = f"{float(100 * success(setting, 50)):.1f} %"
    assert ("over 99.9 %" if said == "100.0 %" else said) in chart.sentence
    for name, hold in ASKED.items():
        assert f"for {hold:,} ticks" in chart.sentence, name


def test_the_guess_is_drawn_on_it():
    guess = retry_question()
    assert "your guess" not in written(retry_law(guess=guess))
    answer = dict(zip(ASKED, (90, 60, 10), strict=True))
    guess.set(answer)
    chart = retry_law(Retrying(gap=10), guess)
    assert "your guess" in written(chart)
    assert chart.table["predicted"].tolist() == ["90 %", "60 %", "10 %"]
    (points,) = (line for line in chart.figure.axes[0].lines if line.get_label() == "your guess")
    assert [round(100 * y) for y in points.get_ydata()] == [*answer.values()]


def test_measured_points_have_their_file_and_number():
    said = written(retry_law())
    assert "s3_timed_release_by_actual_release.csv, pins: 672 base, 672 v2" in said


def test_a_setting_that_makes_no_sense():
    with pytest.raises(LawError):
        retry_law(Retrying(0))


def test_every_scenario_and_kind_is_drawn():
    chart = pins_beside_drop_caches()
    assert chart.table.shape == (8, 4)
    assert chart.table.loc["together"].tolist() == [
        "501 of 1,020",
        "500 of 1,020",
        "503 of 1,020",
        "4 of 1,020",
    ]
    assert "4,080 pins" in written(chart)
    assert chart.png() == pins_beside_drop_caches().png()


def test_what_is_left_behind_adds_up():
    chart = left_behind()
    pieces, huge = chart.table["only pieces left"], chart.table["huge page left"]
    assert [int(n) for n in huge] == [6, 1, 0, 0]
    for kind, both in zip(KINDS, pieces + huge, strict=True):
        assert chart.table.loc[kind, "failed"] == f"{both} of 1,020"
    for kind in VARIANTS:
        assert f"{pieces[kind]} + {huge[kind]}" in written(chart)


@pytest.mark.parametrize("weight", [1, PIN_WEIGHT])
def test_the_patch_does_not_touch_the_pieces(weight):
    """Exactly: a missed piece is as likely before the patch as after it."""
    odds = {}
    for version in ("6.1.0", "v3", "subpage_retry"):
        situation = pin_versus(version, **SMALL)
        found = situation.explore()
        ends = found.outcomes(situation.outcome, {"pin": weight})
        odds[version] = {end.name: end.odds for end in ends}
        assert sum(odds[version].values()) == 1
    assert odds["6.1.0"][MISSED] == odds["v3"][MISSED] > odds["subpage_retry"][MISSED] > 0
    assert odds["v3"]["mapped"] > odds["6.1.0"]["mapped"]


def test_the_table_of_ways_to_fail():
    table = ways_to_fail(("6.1.0", "v3", "subpage_retry"), passes=2)
    missed = "a piece missed its pass"
    assert table.loc["6.1.0", missed] == table.loc["v3", missed] == "17.84 %"
    assert table.loc["v3", "could not be split"] == table.loc["subpage_retry", "could not be split"]


def test_a_piece_misses_its_pass():
    run = missed_piece("v3")
    assert len(run) == 62
    assert run.scenario.outcome(run.last) == MISSED
    assert run.last.world.vmstat["thp_split_page"] == 1
