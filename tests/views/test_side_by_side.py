"""Two versions beside each other: what differs has a mark, and every line is the model's own."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from mmsim.mm.versions import POLICIES, VERSIONS, get, seam_source, seams
from mmsim.series import SERIES
from mmsim.views.side_by_side import changes_table, side_by_side_sentence, side_by_side_svg
from mmsim.views.svg import text_width

NS = "{http://www.w3.org/2000/svg}"
EVERY = (*VERSIONS, *POLICIES)


def texts(svg):
    return [(float(t.get("x")), t.text or "") for t in ET.fromstring(svg).iter(f"{NS}text")]


@pytest.mark.parametrize("old", EVERY)
@pytest.mark.parametrize("new", ["base", "v1", "v2", "v3fix", "drain"])
def test_what_is_marked_is_what_differs(old, new):
    svg = side_by_side_svg(old, new)
    shown = [text for _, text in texts(svg)]
    everything = seams(get(old)) | seams(get(new))
    differing = [name for name in everything if getattr(get(old), name) != getattr(get(new), name)]
    assert [text[2:] for text in shown if text.startswith("≠ ")] == differing
    same = next(text for text in shown if text.startswith("= "))
    assert set(re.findall(r"\w+", same.partition(":")[2])) - {"nothing"} == (
        set(everything) - set(differing)
    )
    assert (shown.count("−") > 0) == bool(set(differing) & {*seams(get(old))})
    assert (shown.count("+") > 0) == bool(set(differing) & {*seams(get(new))})
    words = side_by_side_sentence(old, new)
    assert all(name in words for name in differing)


def test_every_line_of_a_differing_seam_is_there_on_its_side():
    shown = texts(side_by_side_svg("v1", "v2"))
    for version, right in (("v1", False), ("v2", True)):
        side = [text for x, text in shown if (x > 500) is right]
        for seam in ("rc_after_split", "final_rc", "gup_fails"):
            for line in seam_source(get(version), seam).splitlines():
                assert line in side


@pytest.mark.parametrize("pair", [("base", "v1"), ("v1", "v2"), ("v3fix", "wait"), ("v2", "v2")])
def test_everything_fits(pair):
    root = ET.fromstring(side_by_side_svg(*pair))
    high = float(root.get("viewBox").split()[3])
    for text in root.iter(f"{NS}text"):
        size, mono = float(text.get("font-size")), "font-family" in text.attrib
        bold = text.get("font-weight") == "700"
        wide = text_width(text.text, size, mono=mono, bold=bold)
        assert not text.text.endswith("…")
        assert wide <= float(text.get("data-w")) + 0.01, text.text
        assert float(text.get("x")) + wide <= 1100
        assert float(text.get("y")) < high


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'v3fix'"):
        side_by_side_svg("v3fixed", "v1")
    with pytest.raises(ValueError, match="no version 'v9'"):
        changes_table(["v9"])


def test_the_table_of_changes_has_the_rows_of_the_versions_asked_for():
    assert len(changes_table()) == len(SERIES)
    table = changes_table(("v2",))
    assert list(table["in the model"]) == ["ref_errno", "retry_split", "final_rc"]
    assert (
        list(changes_table(("v1",))["in release"])
        == ["6.2; 6.1.116", "6.2; 6.1.116"] + ["none"] * 2
    )


def test_on_the_day_nobody_knew_what_became_of_a_patch():
    table = changes_table(("v1",), posted=True)
    assert list(table.index) == ["1/2", "2/2", "2/2", "2/2"]
    assert "in release" not in table.columns
    assert not any("v2" in str(cell) or "v3" in str(cell) for row in table.values for cell in row)
