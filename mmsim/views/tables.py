"""Small tables, made by running the model.

Interface: counters_by_version, counters_of_runs, retry_table, decision_table, alignment,
measured_table, steps

Every function answers a pandas DataFrame with a named index; pandas is imported when one is called.
Where cells are compared, a difference has a sign of its own, never a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmsim import errno
from mmsim.engine.scenario import State
from mmsim.engine.trace import Trace
from mmsim.ftrace import Row
from mmsim.ftracefile import RealTrace
from mmsim.mm.migration_target import NONE
from mmsim.probe import Stop, returned, stops
from mmsim.scenarios import Situation, vfio_map
from mmsim.units import HPAGE_PMD_ORDER, MIGRATE_PASSES
from mmsim.views.changes import changes
from mmsim.views.fold import fold
from mmsim.views.table import cell

if TYPE_CHECKING:
    import pandas as pd

AGREES, DIFFERS = "✓", "≠"
SPLIT_PAIR = ("thp_migration_fail", "thp_split_page_failed")
CHANGES_MAX = 3
RETURNS, PIN = "migrate_pages returns", "pin returns"

# What can be the matter with the huge page: nothing, one reference too many, something else.
TROUBLES: tuple[dict[str, object], ...] = (
    {"stranger": 0},
    {"stranger": 1},
    {"stranger": 0, "trouble": "truncated"},
)
REASONS = {
    "longterm_pin": "longterm_pin",
    "contig_range": "other",
    "numa_misplaced": "numa_misplaced",
}


def _frame(rows: Sequence[Sequence[object]], index: Any, columns: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(list(rows), index=index, columns=columns, dtype=object)


def _names(names: Iterable[str], title: str) -> pd.Index[Any]:
    import pandas as pd

    return pd.Index(list(names), name=title, dtype=object)


def _outcome(run: Situation) -> tuple[State, str]:
    """The end of a run, and what each migrate_pages() of it returned; keeps no way back."""
    scheduler, state, codes = run.usual(), run.initial(), list[str]()
    while True:
        try:
            move = scheduler(run, state)
        except StopIteration:
            return state, ", ".join(codes) or "not called"
        state, event = run.step(state, move, keep=False)
        if event.op.kind.name == "trace_mm_migrate_pages":
            codes.append(errno.name(returned(event, "migrate_pages")))


def counters_by_version(situation: Situation, versions: Sequence[str]) -> pd.DataFrame:
    """What moved in the same situation with each version, and what was returned."""
    runs = [situation.with_(name) for name in versions]
    ends = [_outcome(run) for run in runs]
    moved: dict[str, list[object]] = {}
    for counter, before in situation.initial().world.vmstat.items():
        grown = [state.world.vmstat[counter] - before for state, _ in ends]
        if any(grown):
            moved[counter] = list(grown)
    moved[RETURNS] = [codes for _, codes in ends]
    if situation.main == "pin":
        moved[PIN] = [run.result(state) for run, (state, _) in zip(runs, ends, strict=True)]
    return _frame(list(moved.values()), _names(moved, "counter"), _names(versions, "version"))


def counters_of_runs(runs: Mapping[str, Trace]) -> pd.DataFrame:
    """The two counters of the report and the result, for runs that have names."""
    rows = []
    for trace in runs.values():
        counted = [trace.last.world.vmstat[name] for name in SPLIT_PAIR]
        rows.append([*counted, trace.scenario.result(trace.last)])  # type: ignore[attr-defined]
    return _frame(rows, _names(runs, "situation"), [*SPLIT_PAIR, PIN])


def retry_table(
    versions: Sequence[str],
    released: Iterable[int] = range(MIGRATE_PASSES + 1),
    *,
    order: int = HPAGE_PMD_ORDER,
) -> pd.DataFrame:
    """One huge page without a destination; a reference on it goes away before pass k.

    0: there is none.  10, the number of passes: it never goes away.  A smaller `order` makes the
    runs shorter; these numbers do not depend on it.
    """
    import pandas as pd

    columns = pd.MultiIndex.from_product(
        [(RETURNS, PIN, *SPLIT_PAIR), list(versions)], names=["", "version"]
    )
    times = list(released)
    rows = []
    for k in times:
        knobs: dict[str, object] = {"targets": NONE, "stranger": int(k > 0), "order": order}
        if 0 < k < MIGRATE_PASSES:
            knobs["released"] = str(k)
        cells: dict[str, list[object]] = {name: [] for name in (RETURNS, PIN, *SPLIT_PAIR)}
        for version in versions:
            run = vfio_map(version, **knobs)
            state, codes = _outcome(run)
            result = run.local(state, run.main).result
            cells[RETURNS].append(codes)
            cells[PIN].append(errno.name(result) if result < 0 else "pinned")
            for name in SPLIT_PAIR:
                cells[name].append(state.world.vmstat[name])
        rows.append([cell for group in cells.values() for cell in group])
    words = {0: "no reference", MIGRATE_PASSES: "never"}
    index = _names([words.get(k, f"before pass {k}") for k in times], "reference dropped")
    return _frame(rows, index, columns)


# -- what migrate_pages() decides about one huge page


def _first_decision(trace: Trace, *, counts: bool) -> tuple[str, str]:
    """How the first split went, and what migrate_pages() did next."""
    split, tried = "not attempted", False
    for stop in stops(trace):
        if stop.op == "folio_unlock" and stop.inside("try_split_thp"):
            ret = stop.variable("try_split_thp", "ret")
            refused = "refcount failure" if _counted(trace, stop) else "other errno"
            split = refused if ret else "0"
        left = stop.op == "count_vm_events" and stop.inside("_leave")
        again = tried and stop.op == "folio_ref_count" and stop.inside("unmap_and_move")
        if left or again:
            return split, _decided(stop, left) + (_counts(stop) if counts else "")
        tried = tried or stop.op == "alloc_migration_target"
    return split, "not finished"


def _counted(trace: Trace, unlock: Stop) -> bool:
    """Was it a count of references that refused the split?"""
    for event in reversed(trace.events[: unlock.position]):
        if event.op.kind.name in ("can_split_folio", "folio_ref_freeze"):
            return event.answer is None or event.answer is False
        if event.op.kind.name == "folio_lock":
            return False
    return False


def _decided(stop: Stop, left: bool) -> str:
    if left:
        return f"exit {errno.name(stop.variable('_leave', 'rc'))}"
    if stop.variable("migrate_pages", "round_") > 1:
        return "goes on"
    return "stays for the next pass"


def _counts(stop: Stop) -> str:
    stats = stop.variable("migrate_pages", "stats")
    failed = f"{stats.nr_thp_failed} failed, {stats.nr_failed_pages} pages"
    return f"; {failed}, {stats.nr_thp_split} split"


def decision_table(versions: Sequence[str], *, counts: bool = False) -> pd.DataFrame:
    """One huge page whose destination can't be had: what happens after the first try to split it.

    A cell that says something else than the first column begins with "≠".  `counts` adds what has
    been counted by then: huge pages failed, base pages failed, huge pages split.
    """
    import pandas as pd

    found: dict[tuple[str, str], list[str]] = {}
    for reason, word in REASONS.items():
        for knobs in TROUBLES:
            cells, splits = [], []
            for version in versions:
                trace = vfio_map(version, targets=NONE, reason=reason, **knobs).run()
                split, decided = _first_decision(trace, counts=counts)
                cells.append(decided)
                splits.append(split)
            row = [cells[0], *(c if c == cells[0] else f"{DIFFERS} {c}" for c in cells[1:])]
            found[word, "; ".join(dict.fromkeys(splits))] = row
    index = pd.MultiIndex.from_tuples(list(found), names=["reason", "split result"])
    return _frame(list(found.values()), index, _names(versions, "version"))


# -- measured


def measured_table(real: RealTrace) -> pd.DataFrame:
    """The counters of migration that moved during a measured pin, and what the pin returned.

    The rest of /proc/vmstat counts whatever else the machine did.
    """
    known = vfio_map().initial().world.vmstat
    moved: dict[str, list[object]] = {
        name: [grown] for name, grown in real.delta.items() if grown and name in known
    }
    said = f"{real.pin_result} ({errno.name(real.pin_result)})" if real.pin_result else "0"
    moved[PIN] = [said]
    return _frame(list(moved.values()), _names(moved, "counter"), ["measured"])


def alignment(rows: Sequence[Row]) -> pd.DataFrame:
    """A real trace beside the model's (`ftrace.align`), with a sign for each row."""
    import pandas as pd

    cells = [(r.what, r.measured, r.model, AGREES if r.agrees else DIFFERS) for r in rows]
    index = pd.Index(range(1, len(rows) + 1), name="line")
    return _frame(cells, index, ["what", "measured", "model", "agrees"])


def steps(trace: Trace) -> pd.DataFrame:
    """A run as a table: time downwards, a column for each actor, long repetitions folded."""
    import pandas as pd

    actors = [actor.name for actor in trace.scenario.actors]
    cells, numbers = [], []
    for row in fold(trace):
        said = f"… {row.words()}" if row.folded else cell(trace, row.end)
        mover = trace.events[row.end - 1].actor
        found = changes(trace, row.end, since=row.start)
        more = [f"and {len(found) - CHANGES_MAX} more"] if len(found) > CHANGES_MAX else []
        what = "; ".join([*map(str, found[:CHANGES_MAX]), *more])
        cells.append([*(said if name == mover else "" for name in actors), what])
        numbers.append(f"{row.start + 1}–{row.end}" if row.folded else str(row.end))
    index = pd.Index(numbers, name="step", dtype=object)
    return _frame(cells, index, [*actors, "what changed"])
