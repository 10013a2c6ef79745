"""The retry law with a guess on it, and what was measured beside it."""

from __future__ import annotations

from fractions import Fraction

import matplotlib.text
import pytest

from mmsim.retrylaw import Retrying, success
from mmsim.views.retry_chart import ASKED, retry_law

SETTINGS = [
    Retrying(),
    Retrying(1),
    Retrying(100, 100),
    Retrying(3, 7, Fraction(1, 2), Fraction(1, 2), drain=True),
    Retrying(permanent=1),
]


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


def test_the_guess_and_what_was_measured_are_drawn_on_it():
    plain = written(retry_law())
    assert "your guess" not in plain
    assert "s3_timed_release_by_actual_release.csv, pins: 672 base, 672 v2" in plain
    answer = dict(zip(ASKED, (90, 60, 10), strict=True))
    chart = retry_law(Retrying(gap=10), answer)
    assert "your guess" in written(chart)
    assert chart.table["predicted"].tolist() == ["90 %", "60 %", "10 %"]
    (points,) = (line for line in chart.figure.axes[0].lines if line.get_label() == "your guess")
    assert [round(100 * y) for y in points.get_ydata()] == [*answer.values()]
