"""A run as text: folding is exact, changes are all there, the table fits, the summary explains."""

from __future__ import annotations

import pytest
from view_states import run

from mmsim.views.run import _shape, fold, step_table, summary

LONG = [
    ("v2", {"released": "1", "order": 5}),
    ("base", {"holder": 0, "order": 6}),
    ("v2", {}),
    ("base", {"thps": 3}),
]


@pytest.mark.parametrize(("version", "knobs"), LONG)
def test_unfolding_is_exact(version, knobs):
    trace = run(version, **knobs)
    rows = fold(trace, short=20)
    assert sum(row.end - row.start for row in rows) == len(trace)
    at = 0
    for row in rows:
        assert row.start == at
        assert row.end - row.start == row.block * row.times
        at = row.end
        if row.folded:
            first = [_shape(e) for e in trace.events[row.start - row.block : row.start]]
            for start in range(row.start, row.end + row.block, row.block):
                block = trace.events[start : start + row.block]
                assert [_shape(e) for e in block] == first
                assert len({e.actor for e in block}) == 1


def test_the_same_page_again_is_no_further_piece():
    """Each attempt at a move has a new destination; the page that is moved is the same."""
    assert "11 steps 8 more times" in step_table(run("v3", targets="available"))
    assert "steps for 510 further" in step_table(run("base", holder=0))


def test_the_summary_says_what_it_means():
    assert "Huge page A is whole and lies in CMA." in summary(run("base"))
    assert "although every page has been moved" in summary(run("base", holder=0))
