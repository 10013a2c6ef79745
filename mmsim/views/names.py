"""What people call things: folios, actors, return codes.

Interface: folio_name, short_name, page_words, subject, plural, size_words, place, main_actor,
result_words
"""

from __future__ import annotations

from typing import Any

from mmsim import errno
from mmsim.constants import PAGE_SIZE
from mmsim.engine.scenario import Scenario, State
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import World, page_name

_SUBJECTS = {
    "migrate": "the migration",
    "owner": "the owner of the area",
    "drop_caches": "the drop_caches walk",
    "mincore": "the mincore call",
    "move_pages": "the move_pages call",
    "direct_io": "the direct I/O",
}
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_AREAS = {"CMA": "CMA", "MOVABLE": "ordinary memory"}


def page_words(folio: Folio) -> str:
    """ "huge page A", "piece 17 of A", "page P", or what an unnamed folio is for."""
    if not folio.name:
        if ISOLATION in dict(folio.held):
            return "the emptied old huge page" if folio.is_thp else "the emptied old page"
        return "the new huge page" if folio.is_thp else "the new page"
    if folio.is_thp:
        return f"huge page {folio.name}"
    if folio.name == page_name(folio.region, folio.index):
        return f"piece {folio.index} of {folio.region}"
    return f"page {folio.name}"


def folio_name(world: World, pfn: int) -> str:
    """What people call the folio at this pfn."""
    folio = world.folios.get(pfn)
    return page_words(folio) if folio is not None else "a freed page"


def short_name(world: World, pfn: int) -> str:
    """The folio's name as it stands in a table: `A`, `A[17]`, `new page`."""
    folio = world.folios.get(pfn)
    if folio is None:
        return "freed page"
    if folio.name:
        return folio.name
    return "old page" if ISOLATION in dict(folio.held) else "new page"


def place(world: World, pfn: int) -> str:
    """Which memory a pfn lies in."""
    kind = world.pageblock_type(pfn)
    return _AREAS.get(kind, f"{kind} memory")


def subject(actor: str) -> str:
    """An actor in the middle of a sentence: "the pin", "the stranger"."""
    return _SUBJECTS.get(actor, f"the {actor}")


def plural(n: int, one: str, many: str = "") -> str:
    """ "1 reference", "2 references"."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def size_words(pages: int) -> str:
    """So many pages as a size: "4 KiB", "2 MiB", "1.5 GiB"."""
    size, unit = pages * PAGE_SIZE / 1024, 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.2f}".rstrip("0").rstrip(".") + f" {_UNITS[unit]}"


def main_actor(scenario: Scenario) -> str:
    """The actor whose result matters: the situation's own choice, or the first."""
    name: str = getattr(scenario, "main", scenario.actors[0].name)
    return name


def result_words(scenario: Scenario, state: State, actor: str) -> str:
    """What a finished actor returned, for people."""
    result: Any = scenario.local(state, actor).result
    if result is None:
        return "done"
    if isinstance(result, bool) or not isinstance(result, int):
        return str(result)
    aim = getattr(scenario, "aim", None)
    if aim is not None and actor == main_actor(scenario) and aim.reached(result):
        return str(aim.words(result))
    return errno.name(result)
