"""How a page comes to its reference count: one folio, and holders made by the kernel's own steps.

Nothing here knows a count.  Each run starts without a folio and ends with the one that was asked
for, so every number that a lesson shows is what the model has counted."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mmsim.constants import ANON, SHMEM
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.trace import Trace
from mmsim.mm.actors import holder, isolate_by_name, pinner
from mmsim.mm.folio import Folio
from mmsim.mm.seams import Version
from mmsim.mm.shmem import map_in_another_process, populate
from mmsim.mm.world import World
from mmsim.scenarios.situation import (
    KnobError,
    Knobs,
    Setup,
    number,
    one_of,
    scenario,
)

REGION = "A"
MAPPERS = ("guest", "backend", "monitor", "backup")  # the first one also fills the memory
HOLDERS = ("drop_caches", "fault", "mincore")
PINNER = "debugger"  # process_vm_readv() pins while it copies, in Linux 6.1 too
PAGE_KNOBS = (
    one_of("order", "9", ["0", "9"], "0: a single page, 9: a huge page of 512"),
    one_of("cached", "yes", ["yes", "no"], "yes: a page of a memfd, no: of no file (anonymous)"),
    number("mappings", 1, 0, len(MAPPERS), "how many processes map it"),
    one_of("isolated", "yes", ["yes", "no"], "has the caller isolated it to move it?"),
    number("holders", 0, 0, len(HOLDERS), "how many others have looked it up just now"),
    one_of("pin", "no", ["no", "yes"], "does a debugger pin one page of it, to read it?"),
)


def _does(name: str, step: Callable[[str, int], Op]) -> Actor:
    """Takes this one step on the page."""

    def path() -> Generator[Op, Any, None]:
        yield step(REGION, 0)

    return Actor(name, path)


def _one_after_another(actors: list[Actor]) -> Setup:
    return Setup(World(), tuple(actors), usual=lambda: schedule.one_after_another)


@scenario(*PAGE_KNOBS)
def page_with(version: Version, knobs: Knobs) -> Setup:
    """A page with the holders that the knobs ask for.

    Raises KnobError for knobs that contradict each other."""
    order, mappings = int(knobs["order"]), int(knobs["mappings"])
    kind = SHMEM if knobs["cached"] == "yes" else ANON
    if kind == ANON and not mappings:
        raise KnobError(
            "with cached='no' and mappings=0 nobody needs the page, and the kernel frees it"
        )
    if knobs["pin"] == "yes" and not mappings:
        raise KnobError("with mappings=0 nobody can pin the page: a pin goes by a mapping")
    actors = [Actor(MAPPERS[0], lambda: populate(REGION, order, kind, mappings > 0))]
    actors += [_does(name, map_in_another_process) for name in MAPPERS[1:mappings]]
    if knobs["isolated"] == "yes":
        actors.append(_does("caller", isolate_by_name))
    actors += [holder(name, REGION, 0, leaves=False) for name in HOLDERS[: int(knobs["holders"])]]
    if knobs["pin"] == "yes":
        actors.append(pinner(PINNER, REGION, 0, leaves=False))
    return _one_after_another(actors)


@scenario()
def page_life(version: Version, knobs: Knobs) -> Setup:
    """A huge page from its allocation on: cached, mapped twice, isolated, looked at in passing."""
    return _one_after_another(
        [
            Actor(MAPPERS[0], lambda: populate(REGION, 9, SHMEM, True)),
            _does(MAPPERS[1], map_in_another_process),
            _does("caller", isolate_by_name),
            holder(HOLDERS[0], REGION, 0),
        ]
    )


def folio_of(trace: Trace, position: int | None = None) -> Folio:
    """The folio after so many steps of a run, or at its end."""
    state = trace.last if position is None else trace.state(position)
    folio: Folio = next(iter(state.world.folios.values()))
    return folio
