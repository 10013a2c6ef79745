"""Pages with the holders that were asked for: consistent, and with the counts of the reference."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import pytest

from mmsim.mm.folio import ISOLATION, NEW_PAGE
from mmsim.scenarios.page_life import HOLDERS, MAPPERS, folio_of, page_with
from mmsim.scenarios.situation import KnobError
from mmsim.views.ledger import KNOWN, SPLIT_CHECK, ledger

POSSIBLE = [
    {"order": o, "cached": c, "mappings": m, "isolated": i, "holders": h, "pin": p}
    for o, c, m, i, h, p in product(
        "09", ("yes", "no"), range(len(MAPPERS) + 1), ("yes", "no"), range(4), ("yes", "no")
    )
    if m or (c == "yes" and p == "no")
]


def test_every_page_is_consistent_and_has_the_holders_that_were_asked_for():
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
        assert all(local.finished for local in trace.last.locals)


def test_known_holders_agree_with_the_kernels_own_check_of_a_huge_page():
    """KNOWN is can_split_folio() solved for the count: equal in the same cases."""
    for knobs in POSSIBLE:
        if knobs["order"] == "9" and knobs["isolated"] == "yes":
            world = page_with(**knobs).run().last.world
            mine, kernels = (ledger(world, "A", check=name).check for name in (KNOWN, SPLIT_CHECK))
            assert mine.expected == kernels.expected
            assert mine.equal == kernels.equal == (not knobs["holders"] and knobs["pin"] == "no")


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"mappings": 0, "cached": "no"}, "the kernel frees it"),
        ({"mappings": 0, "pin": "yes"}, "a pin goes by a mapping"),
        ({"mappings": 5}, "mappings must be 0-4"),
        ({"order": 4}, "order can't be '4'"),
        ({"mapings": 1}, "did you mean 'mappings'"),
    ],
)
def test_what_can_not_be_is_told(knobs, told):
    with pytest.raises(KnobError, match=told):
        page_with(**knobs)


def test_a_cell_that_can_not_be_shows_the_sentence_alone(tmp_path):
    """Where in the package the error arose helps nobody."""
    code = "from mmsim.scenarios.page_life import page_with; page_with(mappings=0, pin='yes')"
    shell = [sys.executable, "-m", "IPython", "--no-banner", "-c", code]
    ran = subprocess.run(
        shell, capture_output=True, text=True, env=os.environ | {"IPYTHONDIR": str(tmp_path)}
    )
    said = "with mappings=0 nobody can pin the page: a pin goes by a mapping"
    assert (ran.stdout + ran.stderr).strip() == said
