"""What each version decides, made by running it: one table of decisions, one of how it ends.

Interface: decision_table, course_table, course, SPLITS, COURSES

A cell that says something else than the first column begins with "≠".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mmsim import errno
from mmsim.constants import MIGRATE_PASSES
from mmsim.engine.scenario import Event, Move, Scenario, State
from mmsim.engine.trace import Trace, record
from mmsim.mm.world import EITHER, NONE
from mmsim.scenarios import Situation, vfio_map
from mmsim.views.tables import DIFFERS, PIN, RETURNS, SPLIT_PAIR, ended, frame, labels

if TYPE_CHECKING:
    import pandas as pd


Knobs = dict[str, object]

# What can be the matter with the huge page: nothing, one reference too many, something else.
SPLITS: dict[str, Knobs] = {
    "splits": {"stranger": 0},
    "reference": {"stranger": 1},
    "truncated": {"stranger": 0, "trouble": "truncated"},
    "writeback": {"stranger": 0, "trouble": "writeback"},
    "no nodes": {"stranger": 0, "trouble": "nomem"},
}
USUAL = ("splits", "reference", "truncated")
REASONS = {
    "longterm_pin": "longterm_pin",
    "contig_range": "other",
    "numa_misplaced": "numa_misplaced",
}


# -- what migrate_pages() decides about one huge page


def _beginning(run: Situation) -> Trace:
    """The run up to its third visit of a folio: by then the first has been decided about."""
    scheduler, visits = run.usual(), 0

    def choose(scenario: Scenario, state: State) -> Move:
        nonlocal visits
        move = scheduler(scenario, state)
        op = scenario.local(state, move.actor).op
        visits += op is not None and op.site == "visit"
        if visits == 3:
            raise StopIteration
        return move

    return record(run, choose)


def _first_decision(trace: Trace, *, counts: bool) -> tuple[str, str]:
    """How the first split went, and what migrate_pages() did next."""
    split, visits, refused = "not attempted", 0, False
    for event in trace.events:
        if event.site in ("split.check", "split.freeze"):
            refused = event.answer is None or event.answer is False
        elif event.site == "split.unlock":
            failed = "refcount failure" if refused else "other errno"
            split = failed if event.told["ret"] else "0"
        visits += event.site == "visit"
        if event.site == "migrate.out" or visits == 2:
            return split, _decided(event) + (_counts(event) if counts else "")
    return split, "not finished"


def _decided(event: Event) -> str:
    if event.site == "migrate.out":
        return f"exit {errno.name(event.told['rc'])}"
    return "goes on" if event.told["round_"] > 1 else "stays for the next pass"


def _counts(event: Event) -> str:
    told = event.told
    failed = f"{told['nr_thp_failed']} failed, {told['nr_failed_pages']} pages"
    return f"; {failed}, {told['nr_thp_split']} split"


def _marked(cells: Sequence[str]) -> list[str]:
    return [cells[0], *(c if c == cells[0] else f"{DIFFERS} {c}" for c in cells[1:])]


def decision_table(
    versions: Sequence[str],
    *,
    reasons: Mapping[str, str] = REASONS,
    counts: bool = False,
    detailed: bool = False,
) -> pd.DataFrame:
    """One huge page whose destination can't be had: what happens after the first try to split it.

    `counts` adds what has been counted by then: huge pages failed, base pages failed, huge pages
    split.  `detailed` has a row for each of SPLITS, by its name.  `reasons`: the kernel's name of a
    reason, and what its rows are called."""
    import pandas as pd

    found: dict[tuple[str, str], list[str]] = {}
    for reason, word in reasons.items():
        for what in SPLITS if detailed else USUAL:
            cells, splits = [], []
            for version in versions:
                run = vfio_map(version, targets=NONE, reason=reason, **SPLITS[what])
                split, decided = _first_decision(_beginning(run), counts=counts)
                cells.append(decided)
                splits.append(split)
            split = what if detailed else "; ".join(dict.fromkeys(splits))
            found[word, split] = _marked(cells)
    index = pd.MultiIndex.from_tuples(list(found), names=["reason", "split result"])
    return frame(list(found.values()), index, labels(versions, "version"))


# -- how it ends

# What happens -> how often the split is refused, and what comes then.
COURSES: dict[str, tuple[int, str]] = {
    "split at once": (0, "split"),
    "refused once, then split": (1, "split"),
    "refused 9 times, then split": (9, "split"),
    "refused once, then a huge page is free": (1, "free"),
    "refused 9 times, then a huge page is free": (9, "free"),
    "refused in every pass": (MIGRATE_PASSES, ""),
}
ENDS = (RETURNS, PIN, *SPLIT_PAIR, "pgmigrate_fail")


def course(version: str, refused: int, then: str, **knobs: object) -> Situation:
    """One huge page without a destination, and a stranger who leaves before pass `refused`.

    `then`: "free" if a huge page can be had from that pass on; otherwise it has to be split."""
    knobs["stranger"] = int(refused > 0)
    if 0 < refused < MIGRATE_PASSES:
        knobs["released"] = str(refused)
    situation = vfio_map(version, targets=EITHER if then == "free" else NONE, **knobs)
    if then == "free":
        fail = frozenset(range(refused))
        situation.script = dataclasses.replace(situation.script, targets={"A": fail})
    return situation


def course_table(
    versions: Sequence[str], courses: Iterable[str] = tuple(COURSES), *, ends: Sequence[str] = ENDS
) -> pd.DataFrame:
    """What is returned and counted at the end of each course, a row for each of `ends`."""
    import pandas as pd

    found: dict[tuple[str, str], list[str]] = {}
    for name in courses:
        cells: dict[str, list[str]] = {end: [] for end in ends}
        for version in versions:
            run = course(version, *COURSES[name])
            state, codes = ended(run)
            result = run.local(state, run.main).result
            said = {RETURNS: codes, PIN: errno.name(result) if result < 0 else "pinned"}
            for end in ends:
                cells[end].append(said.get(end) or str(state.world.vmstat[end]))
        found |= {(name, end): _marked(cells[end]) for end in ends}
    index = pd.MultiIndex.from_tuples(list(found), names=["what happens", "at the end"])
    return frame(list(found.values()), index, labels(versions, "version"))
