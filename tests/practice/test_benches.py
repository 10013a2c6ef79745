"""The bench: every page of it is consistent, and its counts are those of the reference tables."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from itertools import product

import pytest
from lint import lint_module

from mmsim.knobs import KnobError
from mmsim.mm.folio import ISOLATION, NEW_PAGE
from mmsim.practice.benches import (
    HOLDERS,
    MAPPERS,
    MOMENTS,
    folio_on,
    leak_hunt,
    page_life,
    refs_added,
    workbench,
)
from mmsim.views.ledger import KNOWN, SPLIT_CHECK, describe, ledger

POSSIBLE = [
    {"order": o, "cached": c, "mappings": m, "isolated": i, "holders": h, "pin": p}
    for o, c, m, i, h, p in product(
        "09", ("yes", "no"), range(len(MAPPERS) + 1), ("yes", "no"), range(4), ("yes", "no")
    )
    if m or (c == "yes" and p == "no")
]


def test_paths_can_be_told_apart_by_their_frames():
    for name in ("mmsim.practice.benches", "mmsim.mm.memory"):
        assert lint_module(importlib.import_module(name)) == []


@pytest.mark.parametrize(
    ("knobs", "refcount", "mapcount"),
    [
        # The kernel's own arithmetic: conformance vectors A1 (drained), A2, A3, A6, A7, A13, A10.
        ({"order": 0, "isolated": "no"}, 2, 1),
        ({"isolated": "no"}, 513, 1),
        ({"isolated": "no", "mappings": 2}, 514, 2),
        ({}, 514, 1),
        ({"holders": 1}, 515, 1),
        ({"pin": "yes"}, 515, 1),
        ({"cached": "no"}, 2, 1),
        ({"order": 0, "isolated": "no", "pin": "yes"}, 1026, 1),
        ({"mappings": 0, "isolated": "no"}, 512, 0),
    ],
)
def test_counts_are_those_of_the_reference(knobs, refcount, mapcount):
    folio = workbench(**knobs).folio()
    assert (folio.refcount, folio.mapcount) == (refcount, mapcount)


def test_every_page_is_consistent_and_has_the_holders_that_were_asked_for():
    for knobs in POSSIBLE:
        trace = workbench(**knobs).run()
        trace.last.world.check()
        folio = folio_on(trace)
        held = dict(folio.held)
        assert len(trace.last.world.folios) == 1
        assert folio.mapcount == knobs["mappings"]
        assert folio.nr_pages == 1 << int(knobs["order"])
        assert folio.cached == (knobs["cached"] == "yes")
        assert (ISOLATION in held) == (knobs["isolated"] == "yes")
        assert [name for name in held if name in HOLDERS] == sorted(HOLDERS[: knobs["holders"]])
        assert folio.pincount == (knobs["pin"] == "yes")
        assert NEW_PAGE not in held
        assert all(local.finished for local in trace.last.locals)


def test_every_state_of_a_run_is_consistent():
    for bench in (page_life(), workbench(order=0), workbench(cached="no"), leak_hunt(3)):
        trace = bench.run()
        for position in range(len(trace) + 1):
            trace.state(position).world.check()


def test_known_holders_agree_with_the_kernels_own_check_of_a_huge_page():
    """KNOWN is can_split_folio() solved for the count: equal in the same cases."""
    for knobs in POSSIBLE:
        if knobs["order"] == "9" and knobs["isolated"] == "yes":
            world = workbench(**knobs).run().last.world
            mine, kernels = (ledger(world, "A", check=name).check for name in (KNOWN, SPLIT_CHECK))
            assert mine.expected == kernels.expected
            assert mine.equal == kernels.equal == (not knobs["holders"] and knobs["pin"] == "no")


def test_known_holders_of_a_single_page_count_its_mappings():
    book = ledger(workbench(order=0, mappings=3).run().last.world, "A", check=KNOWN)
    assert (book.check.expected, book.refcount) == (5, 5)
    assert "5 == 1 + 3 + 1 is equal" in describe(book)


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
        workbench(**knobs)
    assert issubclass(KnobError, ValueError)


def test_a_cell_that_can_not_be_shows_the_sentence_alone(tmp_path):
    """Where in the package the error arose helps nobody."""
    code = "from mmsim import workbench; workbench(mappings=0, pin='yes')"
    shell = [sys.executable, "-m", "IPython", "--no-banner", "-c", code]
    ran = subprocess.run(
        shell, capture_output=True, text=True, env=os.environ | {"IPYTHONDIR": str(tmp_path)}
    )
    said = "with mappings=0 nobody can pin the page: a pin goes by a mapping"
    assert (ran.stdout + ran.stderr).strip() == said


def test_the_same_bench_with_other_knobs():
    bench = workbench(mappings=3, holders=1).with_(holders=0)
    assert (bench.knobs["mappings"], bench.knobs["holders"]) == (3, 0)
    assert bench.with_("v2").folio() == bench.folio()
    assert page_life().with_().run().moves == page_life().run().moves
    assert leak_hunt(5).with_().run().moves == leak_hunt(5).run().moves


def test_the_life_of_a_page_has_five_moments():
    added = refs_added(page_life().run())
    assert list(added) == list(MOMENTS)
    assert list(added.values()) == [512, 0, 1, 1, 1]


@pytest.mark.parametrize("seed", [-1, True, 1.5, "1", None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="a seed is a whole number"):
        leak_hunt(seed)
