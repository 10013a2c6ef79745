"""Traces of real kernels beside runs of the model: all of them in a table, one as a list.

Interface: TRACES, trace_names, aligned, agreements, differing, trace_said, lines_html
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from mmsim import datafiles
from mmsim.engine.trace import Trace
from mmsim.evidence.ftrace import FOLDER, RealTrace, Row, align, real_trace, situation
from mmsim.views.svg import BAD, INK, LINE, MARKED, MUTED, PANEL
from mmsim.views.tables import AGREES, DIFFERS, frame, labels

if TYPE_CHECKING:
    import pandas as pd


LINES_AROUND = 3
COMPACTION = "compact_"
# What the measuring program had set up, by the beginning of a file's name.
TRACES = {
    "S1": "a huge page is free, nobody there",
    "S2": "none free, nobody there",
    "S2_noretfix": "none free, nobody there, return value not repaired",
    "S2_real": "none free, real fragmentation",
    "S3_held": "none free, one reference for ever",
    "S3_held_4": "none free, four huge pages, the first one held",
    "S3_held_order9ok": "a huge page is free, one reference for ever",
    "S3_real_held": "real fragmentation, one reference for ever",
}


@functools.cache
def _read(name: str) -> RealTrace:
    return real_trace(name)


@functools.cache
def trace_names() -> tuple[str, ...]:
    """The files of data/kernel-runs/traces/."""
    return tuple(n.removeprefix(FOLDER) for n in datafiles.names() if n.startswith(FOLDER))


def trace_said(name: str) -> str:
    """A file in words: what was set up, and which version the kernel behaved like."""
    return f"{TRACES[_read(name).scenario]} · {_read(name).version}"


@functools.lru_cache(maxsize=64)
def aligned(name: str, version: str = "") -> tuple[Trace, list[Row]]:
    """A run of the model with the set-up of a real trace, and every line of the two side by side.

    `version`: of the model; usually the one that behaves like the measured kernel.  Raises
    ValueError for a trace that was cut off."""
    real = _read(name)
    run = (situation(real).with_(version) if version else situation(real)).run()
    return run, align(real, run)


def agreements(beginning: str = "") -> pd.DataFrame:
    """Traces whose names begin so: what was set up, which lines agree, what differs."""
    rows = []
    names = [name for name in trace_names() if name.startswith(beginning)]
    names.sort(key=lambda name: [*TRACES].index(_read(name).scenario))
    for name in names:
        real = _read(name)
        if real.cut:
            rows.append([real.version, "—", f"{real.cut} lines were cut off"])
            continue
        _, lines = aligned(name)
        differ = [f"{row.what}: {row.measured}, not {row.model}" for row in lines if not row.agrees]
        agree = sum(row.agrees for row in lines)
        rows.append([real.version, f"{agree} of {len(lines)}", "; ".join(differ) or "nothing"])
    columns = ["version", "lines that agree", "what differs"]
    return frame(rows, labels([TRACES[_read(name).scenario] for name in names], "set-up"), columns)


def differing(table: pd.DataFrame, *, of_the_pin: bool = False) -> int:
    """How many traces of `agreements` have a line that differs.

    `of_the_pin`: leave out the counters of compaction, which is no part of it."""
    found = 0
    for what in table["what differs"]:
        lines = [line for line in what.split("; ") if ", not " in line]
        found += any(not (of_the_pin and line.startswith(COMPACTION)) for line in lines)
    return found


def lines_html(rows: Sequence[Row], at: int) -> str:
    """The lines around number `at` (from 0) as a table; the current one is marked."""
    first = min(max(at - LINES_AROUND, 0), max(len(rows) - 2 * LINES_AROUND - 1, 0))
    cell = f"padding:0.1em 0.7em;text-align:left;border-bottom:1px solid {LINE};color:{INK}"
    head = "".join(
        f'<th scope="col" style="{cell};color:{MUTED}">{name}</th>'
        for name in ("", "line", "what", "measured", "model", "")
    )
    body = []
    for number in range(first, min(first + 2 * LINES_AROUND + 1, len(rows))):
        row = rows[number]
        here = number == at
        ground = MARKED if here else PANEL
        sign = AGREES if row.agrees else DIFFERS
        colour = "" if row.agrees else f";color:{BAD};font-weight:bold"
        cells = ["▶" if here else "", number + 1, row.what, row.measured, row.model]
        tds = "".join(f'<td style="{cell}">{escape(str(value))}</td>' for value in cells)
        tds += f'<td style="{cell}{colour}">{sign}</td>'
        body.append(f'<tr style="background:{ground}">{tds}</tr>')
    agree = sum(row.agrees for row in rows)
    said = f"{agree} of {len(rows)} lines agree."
    return (
        f'<div style="background:{PANEL};color:{INK};padding:0.5em"><table '
        f'style="border-collapse:collapse;background:{PANEL}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table><p>{said}</p></div>"
    )
