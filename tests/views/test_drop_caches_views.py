"""Pictures and tables about drop_caches beside a pin, and the chart of timed releases."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from svg_rules import references_are_defined, texts_fit, texts_stand_apart

from mmsim.evidence import timed
from mmsim.evidence.measured import TIMED, VARIANTS
from mmsim.scenarios import SMALL, drop_caches_only, pin_versus
from mmsim.scenarios.fates import MISSED, NOT_SPLIT
from mmsim.scenarios.windows import windows
from mmsim.views.meetings import FAILS, LOCK, MAPPED, MOMENTS, REFERENCE, WAITS, meets, met, reached
from mmsim.views.timed_chart import timed_release
from mmsim.views.windows import windows_sentence, windows_svg, windows_table

WALK = "drop_caches"


def test_windows_of_a_batch():
    """The first is unlocked first and waits longest; all are let go one after the other."""
    found = windows(drop_caches_only(folios=4).run(), WALK)
    assert [window.name for window in found] == ["T1", "T2", "T3", "T4"]
    for before, after in pairwise(found):
        assert before.locked[0] + 4 == after.locked[0]
        assert before.referenced[1] + 1 == after.referenced[1]
    for window in found:
        assert window.referenced[0] + 1 == window.locked[0] < window.locked[1]
    alone = [window.referenced[1] - window.locked[1] for window in found]
    assert alone == sorted(alone, reverse=True)


def test_a_folio_that_somebody_else_has_locked_has_no_windows():
    found = windows(drop_caches_only(folios=3, locked=2).run(), WALK)
    assert [window.name for window in found] == ["T1", "T3"]


@pytest.mark.parametrize("folios", [1, 4, 15])
def test_the_picture_of_the_windows(folios):
    trace = drop_caches_only(folios=folios).run()
    svg = windows_svg(trace, WALK)
    root = ET.fromstring(svg)
    texts_fit(root)
    texts_stand_apart(root)
    references_are_defined(root)
    assert svg == windows_svg(drop_caches_only(folios=folios).run(), WALK)
    drawn = " ".join(t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text"))
    table = windows_table(trace, WALK)
    assert all(name in drawn for name in table.index)
    first = table.iloc[0]
    assert f"locked for {first['unlocked after'] - first['locked after step']} steps" in (
        windows_sentence(trace, WALK)
    )


def test_no_windows_to_draw():
    trace = drop_caches_only(folios=1, locked=1).run()
    assert windows_sentence(trace, WALK) == "The drop_caches walk locks nothing in this run."
    texts_fit(ET.fromstring(windows_svg(trace, WALK)))


@pytest.mark.parametrize("version", ["base", "v2", "v3"])
def test_the_lock_makes_a_pin_wait_and_the_reference_makes_it_fail(version):
    assert met(version) == {LOCK: WAITS, REFERENCE: FAILS}
    assert list(met(version)) == list(MOMENTS)


def test_after_how_many_steps_a_pin_meets_what():
    said = [meets("v2", steps)[2] for steps in range(16)]
    assert said[:2] == [MAPPED, MAPPED]
    assert said[3:8] == [WAITS] * 5
    assert said[8] == said[13] == FAILS
    assert said[14:] == [MAPPED, MAPPED]
    situation, state, _ = meets("v2", 8)
    assert situation.local(state, WALK).op.kind.name == "folio_batch_add"


def test_ends_by_version():
    table = reached(pin_versus(**SMALL), ("base", "v3"))
    assert table.loc["mapped", "base"] == "never"
    assert table.loc["mapped", "v3"] == "in 76 steps"
    assert table.loc[MISSED, "base"] == table.loc[MISSED, "v3"] == "in 62 steps"
    assert table.loc[NOT_SPLIT].tolist() == ["in 34 steps", "in 45 steps"]


def test_the_chart_of_timed_releases():
    chart = timed_release()
    assert len(chart.table) == len(VARIANTS) * len(TIMED)
    for (variant, how), row in chart.table.iterrows():
        code = next(code for code in TIMED if code in how)
        turns = timed.closeness(variant, code)
        assert row["turns at, measured (µs)"] == round(turns.measured)
        assert row["turns at, model (µs)"] == round(turns.model)
    assert f"{timed.microseconds_per_unit()} µs per unit" in chart.sentence
    turns_at = chart.table["turns at, model (µs)"].unstack()
    for how, gain in (turns_at.loc["v2"] - turns_at.loc["base"]).items():
        assert f"{gain} µs ({how})" in chart.sentence  # what a reader gets who subtracts
    panels = chart.figure.axes
    assert [panel.get_title(loc="left").split()[0] for panel in panels] == list(VARIANTS)
    for panel in panels:
        lines = [line for line in panel.get_lines() if str(line.get_label()).startswith("model")]
        assert len(lines) == len(TIMED)
        for line in lines:
            assert (line.get_ydata()[0], line.get_ydata()[-1]) == (0, 1)
    assert chart.png().startswith(b"\x89PNG")
    assert "3 % to 12 % apart" in chart.alt
