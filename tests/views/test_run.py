"""A run as text: folding is exact, changes are all there, the table fits, the summary explains."""

from __future__ import annotations

import pytest
from view_states import run

from mmsim.scenarios import vfio_map
from mmsim.views.run import WIDTH, _shape, changes, fold, step_table, summary

LONG = [
    ("v2", {"released": "1", "order": 5}),
    ("base", {"holder": 0, "order": 6}),
    ("v2", {}),
    ("base", {"thps": 3}),
]


@pytest.mark.parametrize(("version", "knobs"), LONG)
def test_unfolding_is_exact(version: str, knobs: dict[str, object]) -> None:
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


def test_a_piece_that_fares_differently_stays_visible() -> None:
    trace = vfio_map("base", holder=0, order=6).run()
    middle = next(i for i, e in enumerate(trace.events) if i > 400 and e.outcome == "ok")
    broken = trace.events[middle]._replace(outcome="fail")
    trace.events[middle] = broken
    rows = fold(trace)
    assert any(not row.folded and row.start == middle for row in rows)
    assert sum(row.end - row.start for row in rows) == len(trace)


def test_the_same_page_again_is_no_further_piece() -> None:
    """Each attempt at a move has a new destination; the page that is moved is the same."""
    assert "11 steps 8 more times" in step_table(run("v3", targets="available"))
    assert "steps for 510 further" in step_table(run("base", holder=0))


def test_what_a_step_changed() -> None:
    trace = run("base")
    assert [str(change) for change in changes(trace.at(1))] == [
        "A refs 513 → 514",
        "A held by holder 0 → 1",
    ]
    assert changes(trace.at(0)) == []
    assert changes(trace.at(16)) == []
    assert [str(change) for change in changes(trace.at(17))] == ["thp_split_page_failed 0 → 1"]


@pytest.mark.parametrize(("version", "knobs"), LONG)
def test_the_table_fits(version: str, knobs: dict[str, object]) -> None:
    table = step_table(run(version, **knobs))
    assert max(map(len, table.splitlines())) <= WIDTH
    assert "\x1b" not in table
    assert all(line == line.rstrip() for line in table.splitlines())


def test_the_summary_says_what_it_means() -> None:
    said = summary(run("base"))
    assert "pin returns -ENOMEM" in said
    assert "the virtual machine does not start" in said
    assert "Huge page A is whole and lies in CMA." in said
    said = summary(run("v2", released="1"))
    assert "all of its 512 pieces lie in ordinary memory" in said
    assert "can start" in said
    assert "although every page has been moved" in summary(run("base", holder=0))
