"""One folio on the bench: who refers to it, chosen with knobs, and made by the kernel's own steps.

Interface: workbench, page_life, leak_hunt, refs_added, folio_on, folio_at, check_seed,
Bench, WORKBENCH_KNOBS, MAPPERS, HOLDERS, VISITORS, MOMENTS

Nothing here knows a reference count.  A bench is a run that starts with no folio at all and ends
with the wanted one, so every number that a lesson shows is what the model counted.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from typing import Any

from mmsim.constants import ANON, SHMEM
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.scenario import Move, Scenario, Scheduler, State
from mmsim.engine.trace import Trace, record
from mmsim.knobs import KnobError, Value, number, one_of, settle
from mmsim.mm.folio import Folio
from mmsim.mm.memory import map_in_another_process, populate
from mmsim.mm.page_ref import folio_get, folio_put
from mmsim.mm.versions import BASE, Version
from mmsim.mm.world import World
from mmsim.scenarios import Situation
from mmsim.script import Script
from mmsim.strangers import isolate_by_name, pinner, stranger

REGION = "A"
MAPPERS = ("guest", "backend", "monitor", "backup")
"""Processes that map the same memory; the first one is also who fills it."""
HOLDERS = ("drop_caches", "fault", "mincore")
"""Who may look a page up and keep a reference for a while."""
VISITORS = (*HOLDERS, "move_pages")
CALLER, PINNER = "caller", "direct_io"

WORKBENCH_KNOBS = (
    one_of("order", "9", ["0", "9"], "0: a single page, 9: a huge page of 512"),
    one_of("cached", "yes", ["yes", "no"], "yes: a page of a memfd, no: of no file (anonymous)"),
    number("mappings", 1, 0, len(MAPPERS), "how many processes map it"),
    one_of("isolated", "yes", ["yes", "no"], "has the caller isolated it to move it?"),
    number("holders", 0, 0, len(HOLDERS), "how many others have looked it up just now"),
    one_of("pin", "no", ["no", "yes"], "does a direct I/O pin one page of it?"),
)


class Bench(Situation):
    """A situation whose run is: the guest fills its memory, then the others take their turns.

    `make` builds the same bench with other knobs.
    """

    def __init__(
        self,
        name: str,
        knobs: dict[str, Value],
        actors: tuple[Actor, ...],
        make: Callable[..., Bench],
        then: Callable[[], Scheduler] = lambda: schedule.one_after_another,
    ):
        super().__init__(name, BASE, knobs, World(), actors, Script(), self._again)
        self._make = make
        self._then = then

    def run(self) -> Trace:
        """The run that the knobs describe."""
        then = self._then()

        def choose(scenario: Scenario, state: State) -> Move:
            if scenario.local(state, self.main).op is not None:
                return Move(self.main)
            return then(scenario, state)

        return record(self, choose)

    def _again(self, version: str, knobs: dict[str, Value], merge: bool = False) -> Bench:
        return self._make(**knobs)

    def with_(self, version: str | Version | None = None, **knobs: object) -> Bench:
        """The same bench with other knobs; what it shows is the same in every version."""
        return self._make(**{**self.knobs, **knobs})

    def folio(self) -> Folio:
        """The folio at the end of the run."""
        return folio_on(self.run())


def folio_on(trace: Trace) -> Folio:
    """The bench's folio at the end of a run."""
    return folio_at(trace, len(trace))


def folio_at(trace: Trace, position: int) -> Folio:
    """The bench's folio after so many steps of a run."""
    found: Folio = next(iter(trace.state(position).world.folios.values()))
    return found


def _guest(order: int, kind: str, mapped: bool) -> Actor:
    return Actor(MAPPERS[0], lambda: populate(REGION, order, kind, mapped))


def _mapper(name: str) -> Actor:
    def path() -> Generator[Op, Any, None]:
        yield map_in_another_process(REGION, 0)

    return Actor(name, path)


def _caller() -> Actor:
    def path() -> Generator[Op, Any, None]:
        yield isolate_by_name(REGION, 0)

    return Actor(CALLER, path)


def workbench(**given: object) -> Bench:
    """A folio with the holders that the knobs (WORKBENCH_KNOBS) ask for.

    Raises KnobError for a wrong value, and for knobs that contradict each other.
    """
    knobs = settle("workbench", WORKBENCH_KNOBS, given)
    mappings, kind = int(knobs["mappings"]), SHMEM if knobs["cached"] == "yes" else ANON
    if kind == ANON and not mappings:
        raise KnobError(
            "with cached='no' and mappings=0 nobody needs the page, and the kernel frees it"
        )
    if knobs["pin"] == "yes" and not mappings:
        raise KnobError("with mappings=0 nobody can pin the page: a pin goes by a mapping")
    actors = [_guest(int(knobs["order"]), kind, mappings > 0)]
    actors += [_mapper(name) for name in MAPPERS[1:mappings]]
    if knobs["isolated"] == "yes":
        actors.append(_caller())
    actors += [stranger(name, REGION, 0, leaves=False) for name in HOLDERS[: int(knobs["holders"])]]
    if knobs["pin"] == "yes":
        actors.append(pinner(PINNER, REGION, 0, leaves=False))
    return Bench("workbench", knobs, tuple(actors), workbench)


def page_life() -> Bench:
    """A huge page from its allocation on: cached, mapped twice, isolated, looked at in passing."""
    actors = (
        _guest(9, SHMEM, True),
        _mapper(MAPPERS[1]),
        _caller(),
        stranger(HOLDERS[0], REGION, 0),
    )
    return Bench("page_life", {}, actors, page_life)


# -- somebody forgets to let go


def _visitor(name: str, visits: int, drops: int) -> Actor:
    """Looks the page up `visits` times and lets go `drops` times."""

    def path() -> Generator[Op, Any, None]:
        for visit in range(visits):
            pfn = yield folio_get(REGION, 0, 1)
            if visit < drops:
                yield folio_put(pfn, name, 1)

    return Actor(name, path)


def check_seed(seed: object) -> None:
    """Raise ValueError unless this can be a seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"a seed is a whole number from 0 on, not {seed!r}")


def leak_hunt(seed: int = 1) -> Bench:
    """Four visitors come and go in an order drawn from `seed`; one of them keeps its last
    reference.

    Made up: no such bug is known in the four.  Raises ValueError unless `seed` is a whole number.
    """
    check_seed(seed)
    guilty = VISITORS[int(random.Random(seed).random() * len(VISITORS))]
    visitors = tuple(_visitor(name, 2, 1 if name == guilty else 2) for name in VISITORS)

    def again(**knobs: object) -> Bench:
        return leak_hunt(seed)

    return Bench(
        "leak_hunt",
        {},
        (_guest(9, SHMEM, True), *visitors),
        again,
        then=lambda: schedule.coin(seed),
    )


# -- what a prediction about a bench is compared with

MOMENTS: Mapping[str, str] = {
    "in the page cache": "shmem_add_to_page_cache",
    "mapped": "finish_fault",
    "mapped again": "map_in_another_process",
    "isolated": "isolate_by_name",
    "drop_caches looks": "folio_get",
}


def refs_added(trace: Trace) -> dict[str, int]:
    """How many references each moment of `page_life` adds to the count."""
    found = {}
    for moment, step in MOMENTS.items():
        after = trace.find(step)
        counts = [folio_at(trace, position).refcount for position in (after - 1, after)]
        found[moment] = counts[1] - counts[0]
    return found
