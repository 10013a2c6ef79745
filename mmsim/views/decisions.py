"""Which way a run took: migrate a huge page whole, or split it and migrate the pieces.

Interface: taken, Taken, flow_sentence

Everything is counted from the steps of the run: which were made, inside which function, what was
answered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from mmsim import errno
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Trace
from mmsim.probe import migrate_returns
from mmsim.views.names import main_actor, result_words

WIDTH, HEIGHT = 1100, 560


@dataclasses.dataclass
class Taken:
    """How often a run went where.  Visits of huge pages, except for the pieces."""

    visits: int = 0
    whole: int = 0
    moved: int = 0
    freed: int = 0
    busy: int = 0
    busy_again: int = 0
    no_target: int = 0
    tried: int = 0
    look_ok: int = 0
    split: int = 0
    at_site1: int = 0
    at_site2: int = 0
    other_refusals: int = 0
    left: int = 0
    stayed: int = 0
    stayed_again: int = 0
    pieces: int = 0
    pieces_visited: int = 0
    pieces_moved: int = 0
    returns: tuple[str, ...] = ()
    ends: str = ""

    @property
    def refused(self) -> int:
        """Splits that were tried and refused."""
        return self.at_site1 + self.at_site2 + self.other_refusals

    @property
    def looked(self) -> int:
        """Splits that came as far as the check of the references, site 1."""
        return self.tried - self.other_refusals

    @property
    def missed(self) -> int:
        """Pieces that were not moved, tried or not."""
        return self.pieces - self.pieces_moved


class _Visit(NamedTuple):
    """The steps of one turn of the loop in migrate_pages(); `leaves`: it ended the call early."""

    pfn: int
    huge: bool
    steps: list[Event]
    leaves: bool

    def answer(self, site: str) -> tuple[object, ...]:
        """What the step at this site answered, as a tuple of none or one."""
        return tuple(event.answer for event in self.steps if event.site == site)


def _visits(trace: Trace) -> Iterator[_Visit]:
    """Every turn, in order."""
    actor = main_actor(trace.scenario)
    now: _Visit | None = None
    for event in trace.events:
        if event.actor != actor:
            continue
        if event.site == "visit":
            if now is not None:
                yield now
            now = _Visit(event.op.args[0], event.told["huge"], [event], False)
        elif event.site == "migrate.out" and now is not None:
            yield now._replace(leaves=event.told["rc"] < 0)
            now = None
        elif now is not None:
            now.steps.append(event)
    if now is not None:
        yield now


def taken(trace: Trace) -> Taken:
    """Count the ways of a run."""
    found = Taken()
    waiting: dict[int, str] = {}  # pfn -> why it is on the list for another pass
    for visit in _visits(trace):
        moved = bool(visit.answer("move.freed"))
        if not visit.huge:
            found.pieces_visited += 1
            found.pieces_moved += moved
            continue
        found.visits += 1
        why = waiting.pop(visit.pfn, "")
        found.busy_again += why == "busy"
        found.stayed_again += why == "refused"
        target = visit.answer("move.target")
        if target == (None,):
            _without_target(visit, found, waiting)
        elif target:
            found.whole += 1
            found.moved += moved
            found.busy += not moved
            waiting |= {} if moved else {visit.pfn: "busy"}
        else:
            found.freed += 1
    found.returns = tuple(map(errno.name, migrate_returns(trace)))
    found.ends = _ends(trace)
    return found


def _ends(trace: Trace) -> str:
    """What became of the pin; nothing to add if somebody else called migrate_pages()."""
    actor = main_actor(trace.scenario)
    local = trace.scenario.local(trace.last, actor)
    if not local.finished:
        return f"the {actor} has not finished"
    if actor != "pin":
        return ""
    words = result_words(trace.scenario, trace.last, actor)
    return f"the pin succeeded ({words})" if local.result > 0 else f"the pin returned {words}"


def _without_target(visit: _Visit, found: Taken, waiting: dict[int, str]) -> None:
    found.no_target += 1
    if not visit.answer("split.lock"):
        found.left += visit.leaves
        return
    found.tried += 1
    looked = visit.answer("split.check")
    pieces = visit.answer("split.cut")
    found.look_ok += bool(looked) and looked != (None,)
    if pieces and isinstance(pieces[0], tuple):
        found.split += 1
        found.pieces += len(pieces[0])
        return
    found.at_site1 += looked == (None,)
    found.at_site2 += bool(looked) and looked != (None,)
    found.other_refusals += not looked
    if visit.leaves:
        found.left += 1
    else:
        found.stayed += 1
        waiting[visit.pfn] = "refused"


# -- in words


def flow_sentence(trace: Trace) -> str:
    """The way that the run took, in one sentence."""
    t = taken(trace)
    parts = []
    if t.whole:
        parts.append(f"a destination for the whole page was found {_times(t.whole)}")
        if t.busy:
            after = f", tried again {_times(t.busy_again)}" if t.busy_again else ""
            parts.append(f"it could not be moved {_times(t.busy)}{after}")
        if t.moved:
            parts.append(f"it was moved whole {_times(t.moved)}")
    if t.no_target:
        parts.append(f"a destination for the whole page was missing {_times(t.no_target)}")
        if t.no_target > t.tried:
            parts.append("the reason forbids a split")
    if t.refused:
        parts.append(f"the split was refused {_times(t.refused)} ({_where(t)})")
        if t.stayed:
            parts.append(
                f"the page stayed for another pass and was tried again {_times(t.stayed_again)}"
            )
    if t.left:
        parts.append("the call was left at once")
    if t.split:
        pieces = (
            f"split {_times(t.split)}, and {t.pieces_moved:,} of {t.pieces:,} pieces were moved"
        )
        parts.append(f"it was {pieces}")
    said = "; ".join(parts) or "no huge page was on the list"
    return f"{said[0].upper()}{said[1:]}; {outcome(t)}."


def outcome(t: Taken) -> str:
    """What came back."""
    returned_ = f"migrate_pages() returned {', '.join(t.returns)}" if t.returns else ""
    return " and ".join(filter(None, (returned_, t.ends)))


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def _where(t: Taken) -> str:
    places = (t.at_site1, "site 1"), (t.at_site2, "site 2"), (t.other_refusals, "before site 1")
    return ", ".join(f"{place} ×{n}" for n, place in places if n)
