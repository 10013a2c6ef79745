"""The traces of Linux 6.12 beside the model: every line agrees where nothing was compacted."""

from __future__ import annotations

import pytest

from mmsim import datafiles
from mmsim.evidence.ftrace import TODAY, align, real_trace, situation

NAMES = [name.removeprefix(TODAY) for name in datafiles.names() if name.startswith(TODAY)]
OTHERS = ("K612_GUPTEST", "K612_S4")
"""Another program's pins, and runs beside drop_caches: when it comes is not known."""
MOVABLE = "frag_movable"  # compaction finds huge pages, which the model has not got
COMPACTED = {"compact_stall", "compact_fail"}
PINS = [name for name in NAMES if not name.startswith(OTHERS) and MOVABLE not in name]
LARGE = ("_n4", "_n8")
CHECKED = [name for name in PINS if not any(n in name for n in LARGE) or "unit3" in name]
"""Of the large ones two, with a holder in the middle; what all of them counted is in the tables."""


@pytest.mark.parametrize("name", CHECKED)
def test_every_line_of_a_pin_agrees(name):
    real = real_trace(name)
    assert real.version == "6.12"
    rows = align(real, situation(real).run())
    differing = {row.what for row in rows if not row.agrees}
    assert differing <= (COMPACTED if "frag_pinned" in name else set())
    assert len(rows) > 20


def test_there_are_so_many_pins():
    assert len(NAMES) == 36
    assert len(PINS) == 25
    assert len(CHECKED) == 15


def test_another_version_does_not_agree():
    real = real_trace("K612_S3_held_n1_unit0_sub0_refs1.txt")
    rows = align(real, situation(real).with_("v3").run())
    assert {row.what for row in rows if not row.agrees} >= {"migrate_pages() has counted"}
