"""What a tracer would print about a run of the model: tracepoints, return probes, local variables.

Interface: marks, Mark, stops, Stop, returned, migrate_returns, names,
region

A recorded run keeps the steps of every actor, not the local variables between them.  They are had
by sending the recorded answers to the actor's path once more and looking at its suspended frames
before each step, as a debugger would.  Nothing is computed here that the model does not hold at
that moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from mmsim.constants import MODES, REASONS
from mmsim.engine.actor import Path
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Trace
from mmsim.mm.folio import extra_pins
from mmsim.mm.world import World

Fields = dict[str, int | str]

COUNTS = ("nr_succeeded", "nr_failed", "nr_thp_succeeded", "nr_thp_failed", "nr_thp_split")
CHECK = "check_and_migrate_movable_pages"


class Stop(NamedTuple):
    """An actor in front of one of its steps.

    `position`: how many steps the run had taken.  `frames`: the suspended functions with their
    local variables, outermost first; read them before going on to the next stop."""

    position: int
    event: Event
    frames: dict[str, Any]

    @property
    def op(self) -> str:
        """The name of the step that comes next."""
        return self.event.op.kind.name

    def inside(self, function: str) -> bool:
        """Is this function on the stack?"""
        return function in self.frames

    def variable(self, function: str, name: str) -> Any:
        """A local variable of a function on the stack; KeyError if there is none."""
        return self.frames[function].f_locals[name]


class Mark(NamedTuple):
    """One line of the tracer; `position`: where in the run it can be seen; `huge`: about whom."""

    kind: str
    fields: Fields
    position: int
    huge: str = ""


def stops(trace: Trace) -> Iterator[Stop]:
    """Every step of the first actor, seen from just before it."""
    actor = trace.scenario.actors[0]
    path = actor.start()
    next(path)
    for position, event in enumerate(trace.events):
        if event.actor != actor.name:
            continue
        yield Stop(position, event, _frames(path))
        try:
            path.send(event.answer)
        except StopIteration:
            return


def _frames(path: Path) -> dict[str, Any]:
    frames = {}
    inner: Any = path
    while inner is not None:
        frames[inner.gi_code.co_name] = inner.gi_frame
        inner = inner.gi_yieldfrom
    return frames


def returned(event: Event, function: str) -> Any:
    """What a function returns right after this step; None if it is not on the stack or goes on.

    A return probe: the suspended path is made again, and the function in question gets the answer.
    """
    path = event.local.release()  # keep it: a path that is let go of closes all it waits for
    inner: Any = path
    while inner is not None and inner.gi_code.co_name != function:
        inner = inner.gi_yieldfrom
    if inner is None:
        return None
    try:
        inner.send(event.answer)
    except StopIteration as stop:
        return stop.value
    return None


def migrate_returns(trace: Trace) -> tuple[int, ...]:
    """What each migrate_pages() of a run returned, in order."""
    ends = (event for event in trace.events if event.op.kind.name == "trace_mm_migrate_pages")
    return tuple(returned(event, "migrate_pages") for event in ends)


def names(world: World) -> list[str]:
    """The huge pages of a world, in the order in which they were made."""
    return [folio.name for folio in world.folios.values() if folio.is_thp and folio.name]


def region(world: World, name: str) -> Fields:
    """Where the 2 MiB of a huge page are now, as the measuring program saw it from outside."""
    there = [(pfn, folio) for pfn, folio in world.folios.items() if folio.region == name]
    inside = sum(folio.nr_pages for pfn, folio in there if world.in_cma(pfn))
    return {
        "cma": int(inside > 0),
        "thp": int(any(folio.is_thp for _, folio in there)),
        "map": sum(folio.mapcount for _, folio in there),
        "pages_in_cma": inside,
    }


class _Tracer:
    """Collects the marks of one run, stop by stop."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.units = {name: number for number, name in enumerate(names(trace.state(0).world))}
        self.found: list[Mark] = []
        self.now: tuple[int, int] | None = None  # round and pass
        self.seen = 0  # visits of this pass
        self.failures = 0  # pages that this call has given up so far
        self.huge = ""  # the huge page that is being visited
        self.counts: Fields = {}
        self.looked_at = 0

    def mark(self, kind: str, fields: Fields, position: int) -> None:
        name = self.huge if kind in ("mm_page_alloc", "thp", "split_ret", "split") else ""
        self.found.append(Mark(kind, fields, position, name))

    def run(self) -> list[Mark]:
        before: Stop | None = None
        for stop in stops(self.trace):
            if before is not None:
                self.after(before, stop)
            if stop.inside("migrate_pages"):
                self.before(stop, before)
            before = stop
        if before is None:
            return []
        self.after(before, None)
        result = self.trace.results.get(self.trace.scenario.actors[0].name)
        if before.inside("pin_user_pages_remote") and result is not None:
            self.mark("pin_ret", {"ret": result}, len(self.trace))
        return self.found

    def before(self, stop: Stop, last: Stop | None) -> None:
        """Inside migrate_pages(), about to take a step."""
        position, args = stop.position, stop.event.op.args
        if stop.op == "trace_mm_migrate_pages_start":
            start: Fields = {"mode": MODES[args[0]], "reason": REASONS[args[1]]}
            self.mark("mm_migrate_pages_start", start, position + 1)
            self.now = None
        elif stop.op == "count_vm_events" and stop.inside("_leave"):
            self.end_of_pass(stop)
        elif stop.op == "folio_ref_count" and stop.inside("unmap_and_move"):
            self.visit(stop)
        elif stop.op in ("folio_lock", "can_split_folio") and stop.inside("try_split_thp"):
            folio = self.trace.state(position).world.folio(args[0])
            expected = extra_pins(folio) + folio.mapcount + 1
            self.counts = {"ref": folio.refcount, "map": folio.mapcount, "expected": expected}
            self.looked_at = position
        elif stop.op == "folio_unlock" and stop.inside("try_split_thp") and last is not None:
            ret = returned(last.event, "split_huge_page_to_list")
            self.mark("split_ret", {"ret": ret}, position)
            ret = stop.variable("try_split_thp", "ret")
            unit: Fields = {"unit": self.units[self.huge]}
            self.mark("split", {**unit, **self.counts, "ret": ret}, self.looked_at)
        if not stop.inside("_leave"):
            self.failures = len(stop.variable("migrate_pages", "ret_pages"))

    def visit(self, stop: Stop) -> None:
        """The loop turns to a page: is this another pass?"""
        now = stop.variable("migrate_pages", "round_"), stop.variable("migrate_pages", "pass_")
        if now != self.now:
            self.end_of_pass(stop)
            self.now = now
        self.seen += 1
        self.huge = ""
        if stop.variable("unmap_and_move", "page").is_thp:
            self.huge = self.trace.state(stop.position).world.folio(stop.event.op.args[0]).name

    def end_of_pass(self, stop: Stop) -> None:
        """The stop is the first one after a pass: what does the loop know now?"""
        if self.now is None:
            return
        fields: Fields = {"round": self.now[0], "pass": self.now[1], "seen": self.seen}
        self.seen = 0
        stats = stop.variable("migrate_pages", "stats")
        if stop.inside("_leave") and stop.variable("_leave", "rc") < 0:
            fields["rc"] = stop.variable("_leave", "rc")
            return self.mark("loop", fields, stop.position)
        if stop.inside("_leave"):
            fields["retry"], fields["thp_retry"] = stats.retry, stats.thp_retry
            fields["retry_pages"] = stats.nr_retry_pages
        else:
            # The loop has reset these three already; the pages themselves are still on a list.
            left = stop.variable("migrate_pages", "todo")
            if stop.variable("migrate_pages", "round_") != self.now[0]:
                gone = stop.variable("migrate_pages", "ret_pages")
                left = gone[: len(gone) - self.failures]
            fields["retry"] = sum(not page.is_thp for page in left)
            fields["thp_retry"] = sum(page.is_thp for page in left)
            fields["retry_pages"] = sum(page.nr for page in left)
        fields["ok"] = stats.nr_succeeded
        self.mark("loop", fields, stop.position)

    def after(self, stop: Stop, now: Stop | None) -> None:
        """The step of `stop` has been taken: its frames have moved on to `now`."""
        event, position = stop.event, stop.position + 1
        if self.huge and stop.op == "alloc_migration_target":
            order = self.trace.state(stop.position).world.folio(event.op.args[0]).order
            found = int(event.answer is not None)
            self.mark("mm_page_alloc", {"order": order, "found": found}, position)
        same_visit = now is not None and now.inside("unmap_and_move")
        same_visit = same_visit and now is not None and now.op != "folio_ref_count"
        if self.huge and self.now and stop.inside("unmap_and_move") and not same_visit:
            rc = returned(event, "unmap_and_move")
            where: Fields = {"round": self.now[0], "pass": self.now[1]}
            self.mark("thp", {**where, "unit": self.units[self.huge], "rc": rc}, position)
        if stop.op == "trace_mm_migrate_pages":
            *counts, mode, reason = event.op.args
            fields: Fields = dict(zip(COUNTS, counts, strict=True))
            fields |= {"mode": MODES[mode], "reason": REASONS[reason]}
            self.mark("mm_migrate_pages", fields, position)
            rc = returned(event, "migrate_pages")
            self.mark("return", {"reason": reason, "return": rc}, position)
            self.mark("migrate_ret", {"ret": rc}, position)
        if stop.inside(CHECK) and not (now is not None and now.inside(CHECK)):
            pinned = event.local.variable("pin_user_pages_remote", "nr")
            rc = returned(event, CHECK)
            self.mark("gup_longterm", {"pinned": pinned, "check_and_migrate": rc}, position)


def marks(trace: Trace) -> list[Mark]:
    """Every line that the tracer of the measurements would print about this run of the model."""
    return _Tracer(trace).run()
