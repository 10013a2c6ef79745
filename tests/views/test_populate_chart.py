"""The chart of s9: measured points, the model's lines, and a table that says how far apart."""

from __future__ import annotations

import matplotlib.text

from mmsim import datafiles
from mmsim.views.populate_chart import CMA_MIB, populate_chart


def test_the_table_holds_measured_and_modelled_side_by_side():
    chart = populate_chart()
    table = chart.table
    assert len(table) == 2 * len(CMA_MIB) == 6
    rows = datafiles.load_csv("kernel-runs/s9_cma_fallback.csv")
    first = next(
        int(row["mapped_mib"])
        for row in rows
        if row["boot"] == "s9_anon_4k_cma256" and int(row["pages_from_cma_in_step"])
    )
    assert table.iloc[:, 0].tolist() == [848, 852, first, 468, 4, 4]
    assert table["in the model"].tolist() == [852, 852, 468, 468, 4, 4]
    apart = table["most pages apart"]
    assert apart.tolist()[1::2] == [0, 0, 0]  # huge pages: not one page
    assert max(apart) == 176
    assert "at most 176 pages apart" in chart.sentence
    assert "by 468" in chart.sentence


def test_the_picture_names_its_file_and_rows_and_has_the_half_line():
    chart = populate_chart()
    drawn = {text.get_text() for text in chart.figure.findobj(matplotlib.text.Text)}
    assert any("s9_cma_fallback.csv: 1,412 rows" in text for text in drawn)
    assert {"free, model", "half of it", "free CMA, model", "measured, huge pages"} <= drawn
    assert {f"CMA {mib} MiB" for mib in CMA_MIB} <= drawn
    lines = {line.get_label(): line for line in chart.figure.axes[1].lines}
    free, half = (lines[name].get_ydata() for name in ("free, model", "half of it"))
    assert [y / 2 for y in free] == list(half)
    measured = [line for line in chart.figure.axes[1].lines if line.get_linestyle() == "None"]
    assert len(measured) == 4  # free and free CMA, twice
    assert chart.png() == populate_chart().png()
    assert len(chart.alt) > 60
