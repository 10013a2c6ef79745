"""What a tracer would print about a run of the model: tracepoints and return probes.

Interface: marks, Mark, migrate_returns, names, region

Everything here is read off the events of the main actor: their sites, what the path told there, and
what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmsim.constants import MODES, REASONS
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Trace
from mmsim.errno import EAGAIN, ENOMEM
from mmsim.mm.folio import extra_pins
from mmsim.mm.world import World

Fields = dict[str, int | str]

COUNTS = ("nr_succeeded", "nr_failed", "nr_thp_succeeded", "nr_thp_failed", "nr_thp_split")


class Mark(NamedTuple):
    """One line of the tracer; `position`: where in the run it can be seen; `huge`: about whom."""

    kind: str
    fields: Fields
    position: int
    huge: str = ""


def migrate_returns(trace: Trace) -> tuple[int, ...]:
    """What each migrate_pages() of a run returned, in order."""
    return tuple(event.told["rc"] for event in trace.events if event.site == "migrate.end")


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
    """Collects the marks of one run, event by event."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.units = {name: number for number, name in enumerate(names(trace.state(0).world))}
        self.found: list[Mark] = []
        self.now: tuple[int, int] | None = None  # round and pass
        self.seen = 0  # visits of this pass
        self.huge = ""  # the huge page that is being visited
        self.counts: Fields = {}
        self.looked_at = 0
        self.pinned = 0
        self.checked = 0  # position after the last step of a round that was not pinning

    def mark(self, kind: str, fields: Fields, position: int) -> None:
        about = ("mm_page_alloc", "thp", "split_ret", "split", "move_ret")
        name = self.huge if kind in about else ""
        self.found.append(Mark(kind, fields, position, name))

    def run(self) -> list[Mark]:
        actor = self.trace.scenario.actors[0].name
        pins = False
        for position, event in enumerate(self.trace.events):
            if event.actor == actor:
                pins = pins or event.site == "gup.pin"
                self.event(position, event)
        result = self.trace.results.get(actor)
        if pins and result is not None:
            if self.checked:
                self.checked_round(min(result, 0))
            self.mark("pin_ret", {"ret": result}, len(self.trace))
        return self.found

    def event(self, position: int, event: Event) -> None:
        """One step of the main actor; `position` is before it."""
        site, told, args = event.site, event.told, event.op.args
        if site in ("gup.pin", "gup.fault"):
            if self.checked:
                self.checked_round(-EAGAIN)
            self.pinned += getattr(event.answer, "pins", 0)
            return
        self.checked = position + 1 if self.pinned else 0
        if site == "migrate.start":
            start: Fields = {"mode": MODES[args[0]], "reason": REASONS[args[1]]}
            self.mark("mm_migrate_pages_start", start, position + 1)
            self.now = None
        elif site == "visit":
            self.visit(position, event)
        elif site == "migrate.out":
            self.end_of_pass(told, position, left=True)
        elif site == "move.target" and self.huge:
            order = self.trace.state(position).world.folio(args[0]).order
            found = int(event.answer is not None)
            self.mark("mm_page_alloc", {"order": order, "found": found}, position + 1)
            if not found:
                self.visited(-ENOMEM, position + 1)
        elif site == "move.expect":
            self.huge = self.name(position, args[0])
        elif site in ("move.check", "move.freeze") and self.now is None:
            if self.huge and event.answer is False:
                self.mark("move_ret", {"ret": -EAGAIN}, position + 1)
        elif site == "move.done" and told["rc"]:
            self.visited(told["rc"], position + 1)
        elif site == "move.freed":
            self.visited(0, position + 1)
        elif site in ("split.lock", "split.check"):
            folio = self.trace.state(position).world.folio(args[0])
            expected = extra_pins(folio) + folio.mapcount + 1
            self.counts = {"ref": folio.refcount, "map": folio.mapcount, "expected": expected}
            self.looked_at = position
        elif site == "split.unlock":
            self.mark("split_ret", {"ret": told["ret"]}, position)
            unit: Fields = {"unit": self.units[self.huge]}
            self.mark("split", {**unit, **self.counts, "ret": told["ret"]}, self.looked_at)
        elif site == "migrate.end":
            *counts, mode, reason = args
            fields: Fields = dict(zip(COUNTS, counts, strict=True))
            fields |= {"mode": MODES[mode], "reason": REASONS[reason]}
            self.mark("mm_migrate_pages", fields, position + 1)
            self.mark("return", {"reason": reason, "return": told["rc"]}, position + 1)
            self.mark("migrate_ret", {"ret": told["rc"]}, position + 1)

    def checked_round(self, rc: int) -> None:
        """One round of the pin is over: what was pinned was checked, and moved if it had to be."""
        fields: Fields = {"pinned": self.pinned, "check_and_migrate": rc}
        self.mark("gup_longterm", fields, self.checked)
        self.pinned = self.checked = 0

    def visit(self, position: int, event: Event) -> None:
        """The loop turns to a page: is this another pass?  Of 6.12 no such line was traced."""
        self.huge = self.name(position, event.op.args[0])
        if "batch" in event.told:
            return
        now = event.told["round_"], event.told["pass_"]
        if now != self.now:
            self.end_of_pass(event.told, position)
            self.now = now
        self.seen += 1

    def name(self, position: int, pfn: int) -> str:
        """The name of the huge page here; "" for a single page."""
        folio = self.trace.state(position).world.folio(pfn)
        return folio.name if folio.is_thp else ""

    def visited(self, rc: int, position: int) -> None:
        """The visit of a huge page is over."""
        if self.huge and self.now:
            where: Fields = {"round": self.now[0], "pass": self.now[1]}
            self.mark("thp", {**where, "unit": self.units[self.huge], "rc": rc}, position)

    def end_of_pass(self, told: Mapping[str, Any], position: int, *, left: bool = False) -> None:
        """A pass is over: what does the loop know now?"""
        if self.now is None:
            return
        fields: Fields = {"round": self.now[0], "pass": self.now[1], "seen": self.seen}
        self.seen = 0
        if left and told["rc"] < 0:
            fields["rc"] = told["rc"]
        else:
            fields["retry"], fields["thp_retry"] = told["retry"], told["thp_retry"]
            fields["retry_pages"] = told["nr_retry_pages"]
            fields["ok"] = told["nr_succeeded"]
        self.mark("loop", fields, position)


def marks(trace: Trace) -> list[Mark]:
    """Every line that the tracer of the measurements would print about this run of the model."""
    return _Tracer(trace).run()
