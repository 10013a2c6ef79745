"""Folding is exact, the ledger adds up, the code is the model's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from view_states import run

import mmsim
from mmsim.scenarios import vfio_map
from mmsim.views.ledger import CHECKS, JUST, NEXT, check_at, describe, ledger, ledger_svg
from mmsim.views.run import _shape, fold
from mmsim.views.state import LINES_MAX, breadcrumb, code_lines, listing

LONG = [("v2", {"released": "1"}), ("base", {"stranger": 0}), ("v2", {}), ("base", {"thps": 3})]


@pytest.mark.parametrize(("version", "knobs"), LONG)
def test_unfolding_is_exact(version: str, knobs: dict[str, object]) -> None:
    trace = run(version, **knobs)
    rows = fold(trace, short=20)
    assert sum(row.steps for row in rows) == len(trace)
    at = 0
    for row in rows:
        assert row.start == at
        assert row.steps == row.block * row.times
        at = row.end
        if row.folded:
            first = [_shape(e)[0] for e in trace.events[row.start - row.block : row.start]]
            for start in range(row.start, row.end + row.block, row.block):
                block = trace.events[start : start + row.block]
                assert [_shape(e)[0] for e in block] == first
                assert len({e.actor for e in block}) == 1


def test_the_pieces_of_a_huge_page_are_one_row() -> None:
    rows = fold(run("v2", released="1"))
    assert len(rows) < 100
    assert [row.words() for row in rows if row.folded] == [
        "the same 12 steps for 510 further pieces",
        "the same 3 steps for 510 further pieces",
        "the same step for 510 further pieces",
    ]


def test_repeated_passes_are_told_as_such() -> None:
    (row,) = [row for row in fold(run("v2"), short=20) if row.folded]
    assert row.words() == "the same 11 steps 8 more times"


def test_short_runs_are_not_folded() -> None:
    trace = run("v2")
    assert [row.end for row in fold(trace)] == list(range(1, len(trace) + 1))


def test_a_piece_that_fares_differently_stays_visible() -> None:
    situation = vfio_map("base", stranger=0)
    trace = situation.run()
    middle = next(i for i, e in enumerate(trace.events) if i > 3000 and e.outcome == "ok")
    broken = trace.events[middle]._replace(outcome="fail")
    trace.events[middle] = broken
    rows = fold(trace)
    assert any(not row.folded and row.start == middle for row in rows)
    assert sum(row.steps for row in rows) == len(trace)


@pytest.mark.parametrize(("version", "knobs"), [("base", {}), ("base", {"taken": "0.site2"})])
def test_the_ledger_adds_up(version: str, knobs: dict[str, object]) -> None:
    trace = run(version, **knobs)
    for position in range(len(trace) + 1):
        for check in ("", *CHECKS):
            book = ledger(trace.state(position).world, "A", check=check)
            assert book is not None
            assert book.frozen or book.held == book.refcount
            assert book.check.equal == (book.check.expected == book.held)
            assert book.check.name in describe(book, JUST) or ":" in describe(book, JUST)


def test_the_report_in_one_line() -> None:
    book = ledger(run("base").state(16).world, "A")
    assert book is not None
    assert [(row.holder, row.refs, row.counted_on) for row in book.rows] == [
        ("page cache", 512, True),
        ("PMD mapping", 1, True),
        ("isolation", 1, True),
        ("stranger", 1, False),
    ]
    assert book.check.numbers == "1 == 515 - 512 - 1"
    assert book.check.verdict == "not equal"
    assert (book.check.expected, book.refcount) == (514, 515)


def test_a_frozen_folio_is_shown_as_such() -> None:
    trace = run("v2", released="1")
    position = next(
        i for i, e in enumerate(trace.events, 1) if e.op.kind.name == "folio_ref_freeze"
    )
    book = ledger(trace.state(position).world, "A", check=check_at(trace, position)[0])
    assert book is not None
    assert book.frozen
    assert book.refcount == 0
    assert book.check.equal
    assert check_at(trace, position)[1] == JUST
    assert check_at(trace, position - 1)[1] == NEXT
    assert "frozen" in ledger_svg(book, JUST)


def test_a_wrong_check_is_named() -> None:
    with pytest.raises(ValueError, match="split pre-check, split freeze, move freeze"):
        ledger(run("base").state(0).world, "A", check="freeze")
    assert ledger(run("base").state(0).world, "Z") is None


def test_the_code_is_the_models_own() -> None:
    trace = run("base")
    shown = listing(trace, 16, "pin")
    assert shown.file == "mm/huge_memory.py"
    assert shown.past
    assert breadcrumb(trace, 16, "pin").endswith("split_huge_page_to_list > _split")
    (current,) = [line for line in shown.lines if line.current]
    source = (Path(mmsim.__file__).parent / shown.file).read_text().splitlines()
    assert source[current.number - 1].strip() == current.text.strip()
    assert "can_split_folio" in current.text
    (seam,) = [line for line in shown.lines if line.seam]
    assert "version.ref_errno" in seam.text


@pytest.mark.parametrize(("version", "knobs"), LONG[2:])
def test_every_position_has_code(version: str, knobs: dict[str, object]) -> None:
    trace = run(version, **knobs)
    for row in fold(trace, short=20):
        for actor in ("pin", "stranger"):
            lines = code_lines(trace, row.end, actor)
            chain = breadcrumb(trace, row.end, actor)
            assert len(lines) <= LINES_MAX
            assert any(line.current for line in lines) == bool(chain)
            assert not any('"""' in line.text for line in lines)
            assert "/" not in chain
