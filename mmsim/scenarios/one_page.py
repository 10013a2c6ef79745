"""One page: how it comes to its reference count, and the smallest race about one.

`page_with` and `page_life` know no count: each run starts without a folio, and holders come by the
kernel's own steps.  So every number that a lesson shows is what the model has counted.
`split_race` starts with a huge page that is there, mapped and isolated."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mmsim.constants import ANON, HPAGE_PMD_ORDER, MIGRATE_PASSES, SHMEM
from mmsim.engine import schedule
from mmsim.engine.actor import Actor
from mmsim.engine.explore import Property, always, sometimes
from mmsim.engine.op import Op
from mmsim.engine.scenario import State
from mmsim.engine.trace import Trace
from mmsim.errors import UserError
from mmsim.mm.actors import holder, isolate_by_name, pinner
from mmsim.mm.folio import ISOLATION, Folio, Page
from mmsim.mm.memory import map_in_another_process
from mmsim.mm.migrate import try_split_thp
from mmsim.mm.seams import Version
from mmsim.mm.shmem import populate
from mmsim.mm.swap import isolate
from mmsim.mm.world import World
from mmsim.scenarios.guests import CMA_PFN, NAMES, guest_memory
from mmsim.scenarios.knobs import Knobs, number, one_of, read_span, when_released, when_taken
from mmsim.scenarios.script import Script, come_and_go
from mmsim.scenarios.situation import SPLIT, Setup, scenario

# -- page_with, page_life


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

    Raises UserError for knobs that contradict each other."""
    order, mappings = int(knobs["order"]), knobs["mappings"]
    kind = SHMEM if knobs["cached"] == "yes" else ANON
    if kind == ANON and not mappings:
        raise UserError(
            "with cached='no' and mappings=0 nobody needs the page, and the kernel frees it"
        )
    if knobs["pin"] == "yes" and not mappings:
        raise UserError("with mappings=0 nobody can pin the page: a pin goes by a mapping")
    actors = [Actor(MAPPERS[0], lambda: populate(REGION, order, kind, mappings > 0))]
    actors += [_does(name, map_in_another_process) for name in MAPPERS[1:mappings]]
    if knobs["isolated"] == "yes":
        actors.append(_does("caller", isolate_by_name))
    actors += [holder(name, REGION, 0, leaves=False) for name in HOLDERS[: knobs["holders"]]]
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


# -- split_race

HOLDERS_MAX = 3


def repeated_split(
    page: Page, times: int, version: Version
) -> Generator[Op, Any, tuple[list[int], list[Page]]]:
    """Try to split one huge page up to `times` times; answers the results and the pieces."""
    results: list[int] = []
    pieces: list[Page] = []
    pass_ = 0
    while pass_ < times and 0 not in results:
        from_ = [page]
        ret = yield from try_split_thp(page, from_, [], pieces, version)
        results.append(ret)
        pass_ += 1
    return results, pieces


@scenario(
    number("holders", 1, 0, HOLDERS_MAX, "how many others take a reference"),
    when_taken("when they take it"),
    when_released("when they drop it"),
    number("passes", 1, 1, MIGRATE_PASSES, "how often the split is tried"),
    number("order", HPAGE_PMD_ORDER, 1, HPAGE_PMD_ORDER, "size of the huge page; 9: 512 pages"),
)
def split_race(version: Version, knobs: Knobs) -> Setup:
    """A huge page is split while others take a reference to it and let go.

    It lies in CMA, mapped once, isolated by whoever is going to split it.  Left out: everything
    around the split; a try that was refused is followed by the next at once."""
    order, passes = knobs["order"], knobs["passes"]
    world = World()
    guest_memory(world, 1, order)
    isolate(world, CMA_PFN)

    def split() -> Generator[Op, Any, int]:
        results, _ = yield from repeated_split(Page(CMA_PFN, 1 << order), passes, version)
        return results[-1]

    names = ("holder", "holder2", "holder3")[: knobs["holders"]]
    leaves = knobs["released"] != "never"
    others = [holder(name, NAMES[0], 0, leaves=leaves) for name in names]
    span = read_span(knobs)
    cues = tuple(cue for name in names for cue in come_and_go(name, NAMES[0], *span))
    return Setup(world, (Actor("split", split), *others), SPLIT, Script(cues))


def _page(state: State) -> Folio:
    """The folio at the beginning of A, whole or not."""
    world: World = state.world
    return world.folio(CMA_PFN)


def _others(state: State) -> int:
    """References on it of anybody but the split, the page cache and the mappings."""
    return sum(refs for who, refs in _page(state).held if who != ISOLATION)


def _next(state: State) -> str:
    """The step that the split takes next; "" once it has returned."""
    op = state.locals[0].op
    return op.kind.name if op else ""


def _frozen(state: State) -> bool:
    return _page(state).refcount == 0


CLAIMS: dict[str, Property] = {
    "alone": always(
        "While the count is frozen, the holder has no reference.",
        lambda s: not (_frozen(s) and _others(s)),
    ),
    "checked": always(
        "Once the check has found no surplus, none can appear before the split's next step.",
        lambda s: not (_next(s) == "unmap_folio" and _others(s)),
    ),
    "mapped": always(
        "Whenever a refusal of the split has been counted, the page is still mapped.",
        lambda s: not s.world.vmstat["thp_split_page_failed"] or _page(s).mapcount > 0,
    ),
    "piece": sometimes(
        "It can happen that the page has been split and the holder has a reference.",
        lambda s: not _page(s).is_thp and _others(s) > 0,
    ),
}
"""What can be said of every state of this race, or of some; not all of it is true."""
