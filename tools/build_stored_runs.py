"""Search every way to end, in every version, and store a run of each: data/stored_runs.csv.

    python tools/build_stored_runs.py

Most settings of `mmsim.evidence.diagnose` are searched: every order of the steps of the actors, on
huge pages of two pages; of each end the shortest schedule is kept.  The counters that are stored
are those of real huge pages: they are linear in the size of the pages, so two sizes are enough."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path

from mmsim.constants import HPAGE_PMD_ORDER
from mmsim.engine.actor import Local
from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace, record
from mmsim.evidence.counters import EVIDENCE, PAGES
from mmsim.evidence.diagnose import SEARCHED_ORDER, SETTINGS, Setting, StoredRun
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios import Situation
from mmsim.scenarios.observed import migrate_returns

FILE = Path(__file__).parent.parent / "data" / "stored_runs.csv"
COLUMNS = ("version", "setting", "outcome", "returns", "steps", "schedule", *EVIDENCE)


# -- the same run with larger pages
#
# A search over huge pages of two pages is quick, and a run that it found is carried over: whoever
# interrupted the main actor does so at the same place of its path, and the environment answers the
# same.  A place is the step that comes next, its site, the visit (page and pass), and how often the
# actor has been there.  Left out: pieces that small pages don't have; they run through undisturbed.


Place = tuple[Hashable, int]


def _where(local: Local, visit: Hashable) -> Hashable:
    """The step that comes next, its site, and the visit that it belongs to."""
    if local.op is None:
        return "finished"
    op = local.op
    by_name = bool(op.args) and isinstance(op.args[0], str)  # its place in the file
    return (op.kind.name, op.site, op.args[:2] if by_name else (), visit)


class _Places:
    """Where the main actor is, counted."""

    def __init__(self, scenario: Situation) -> None:
        self.scenario = scenario
        self.seen: Counter[Hashable] = Counter()
        self.local: Local | None = None
        self.visit: Hashable = ()
        self.now: Place = ("", 0)

    def at(self, state: State) -> Place:
        local = self.scenario.local(state, self.scenario.main)
        if local is not self.local:
            self.local = local
            op = local.op
            if op is not None and op.site == "visit":
                self.visit = (op.args[0], op.notes["round_"], op.notes["pass_"])
            elif op is not None and op.site == "migrate.out":
                self.visit = ()
            where = _where(local, self.visit)
            self.seen[where] += 1
            self.now = (where, self.seen[where])
        return self.now


def _told(
    small: Situation, moves: tuple[Move, ...]
) -> tuple[list[tuple[Place, Move]], dict[Place, str]]:
    """Who interrupts where, and what the environment answers where it has a choice."""
    visits: list[tuple[Place, Move]] = []
    answers: dict[Place, str] = {}
    places, state = _Places(small), small.initial()
    for move in moves:
        place = places.at(state)
        if move.actor != small.main:
            visits.append((place, move))
        elif move.choice:
            answers[place] = move.choice
        state, _ = small.step(state, move)
    return visits, answers


def resized(small: Situation, moves: tuple[Move, ...], large: Situation) -> Trace:
    """The run of `large` that goes as `moves` go in `small`, to its end."""
    visits, answers = _told(small, moves)
    places = _Places(large)

    def choose(scenario: Scenario, state: State) -> Move:
        place = places.at(state)
        finished = scenario.local(state, large.main).finished
        if visits and (visits[0][0] == place or finished):
            return visits.pop(0)[1]
        if finished:
            raise StopIteration
        return scenario.plain(state, Move(large.main, answers.get(place, _first(scenario, state))))

    def _first(scenario: Scenario, state: State) -> str:
        return scenario.choices(state, large.main)[0]

    return record(large, choose)


# -- the search


def stored_runs(version: str) -> Iterator[StoredRun]:
    """Every run that moves a counter, each kind once."""
    found: set[tuple[object, ...]] = set()
    for number, setting in enumerate(SETTINGS):
        situation = setting.situation(version, SEARCHED_ORDER)
        for schedule, trace in _ends(version, setting):
            outcome = situation.outcome(trace.last)
            small, returns = _counters(trace), migrate_returns(trace)
            run = StoredRun(version, number, outcome, returns, schedule, len(trace), small)
            key = (setting.stage, *run.kind, *small.values())
            if any(small.values()) and key not in found:
                found.add(key)
                large = _counters(at_order(run, SEARCHED_ORDER + 1))
                steps = (1 << HPAGE_PMD_ORDER - SEARCHED_ORDER) - 1
                yield run._replace(
                    counters={
                        name: n + (large[name] - n) * steps if name in PAGES else n
                        for name, n in small.items()
                    }
                )


def at_order(run: StoredRun, order: int) -> Trace:
    """This run with huge pages of another order."""
    large = run.setting.situation(run.version, order)
    if not run.setting.searched:
        return large.run()
    small = run.setting.situation(run.version, SEARCHED_ORDER)
    return resized(small, tuple(small.replay(run.schedule).moves), large)


def _counters(trace: Trace) -> dict[str, int]:
    return {name: trace.last.world.vmstat[name] for name in EVIDENCE}


def _ends(version: str, setting: Setting) -> Iterator[tuple[str, Trace]]:
    """Each end: its schedule and the run that goes there."""
    situation = setting.situation(version, SEARCHED_ORDER)
    if not setting.searched:
        yield "", situation.run()
        return
    explored = setting.situation(version, SEARCHED_ORDER, merge=True).explore()
    for number in explored.ends:
        schedule = render(explored.schedule_to(number))
        yield schedule, situation.replay(schedule)


# -- the file


def text(versions: tuple[str, ...] = (*VERSIONS, *POLICIES)) -> str:
    """The whole table, or the rows of these versions."""
    table = io.StringIO()
    out = csv.writer(table, lineterminator="\n")
    out.writerow(COLUMNS)
    for version in versions:
        for run in stored_runs(version):
            returns = " ".join(map(str, run.returns))
            row = (version, run.number, run.outcome, returns, run.steps, run.schedule)
            out.writerow([*row, *run.counters.values()])
    return table.getvalue()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
