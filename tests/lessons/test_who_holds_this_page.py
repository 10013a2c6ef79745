"""Lesson 01: pages with the holders that were asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import pytest

from mmsim.engine.schedule import ScheduleError
from mmsim.lessons.who_holds_this_page import HOLDERS, folio_of, page_with
from mmsim.mm.folio import ISOLATION, NEW_PAGE
from mmsim.views.ledger import EXPLAINED, SPLIT_CHECK, ledger_of

POSSIBLE = [
    {"order": o, "cached": c, "mappings": m, "isolated": i, "holders": h, "pin": p}
    for o, c, m, i, h, p in product(
        "09", ("yes", "no"), (0, 1, 3), ("yes", "no"), (0, 2), ("yes", "no")
    )
    if m or (c == "yes" and p == "no")
]


def test_every_page_is_consistent_and_has_the_holders_that_were_asked_for():
    """Of a huge page that is isolated the ledger's expectation is can_split_folio()'s own."""
    for knobs in POSSIBLE:
        trace = page_with(**knobs).run()
        trace.last.world.check()
        folio = folio_of(trace)
        names = {name for name, _ in folio.held}
        assert len(trace.last.world.folios) == 1
        assert (folio.mapcount, folio.pincount) == (knobs["mappings"], knobs["pin"] == "yes")
        assert folio.nr_pages == 1 << int(knobs["order"])
        assert folio.cached == (knobs["cached"] == "yes")
        assert (ISOLATION in names) == (knobs["isolated"] == "yes")
        assert names & {*HOLDERS} == {*HOLDERS[: knobs["holders"]]}
        assert NEW_PAGE not in names
        if knobs["order"] == "9" and knobs["isolated"] == "yes":
            world = trace.last.world
            mine, kernels = (
                ledger_of(world, "A", check=name).check for name in (EXPLAINED, SPLIT_CHECK)
            )
            assert mine.expected == kernels.expected
            assert mine.equal == kernels.equal == (not knobs["holders"] and knobs["pin"] == "no")


def test_nobody_maps_a_page_before_whoever_has_allocated_it():
    with pytest.raises(ScheduleError, match="waits for the lock of A, held by guest"):
        page_with(mappings=2, isolated="no").replay("guest*2 backend")


def test_a_cell_that_can_not_be_shows_the_sentence_alone(tmp_path):
    """Where in the package the error arose helps nobody."""
    code = (
        "from mmsim.lessons.who_holds_this_page import page_with; page_with(mappings=0, pin='yes')"
    )
    shell = [sys.executable, "-m", "IPython", "--no-banner", "-c", code]
    ran = subprocess.run(
        shell, capture_output=True, text=True, env=os.environ | {"IPYTHONDIR": str(tmp_path)}
    )
    said = "with mappings=0 nobody can pin the page: a pin goes by a mapping"
    assert (ran.stdout + ran.stderr).strip() == said
