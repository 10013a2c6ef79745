"""A zone: map of its pageblocks and free memory by size of block, side by side.

Interface: memory, Memory, memory_table, fates_table, supply, SUPPLY

Both pictures ask about the same order: a diamond on the map and the rows above the dashed line are
the same free blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from mmsim.constants import HPAGE_PMD_ORDER
from mmsim.mm.fragmentation import suitable, summed
from mmsim.mm.page_alloc import request
from mmsim.mm.untouched import pages
from mmsim.mm.zone import Zone
from mmsim.scenarios.hosts import fate, fates
from mmsim.views.blockmap import (
    block_map,
    claim,
    draw_block_map,
    map_sentence,
    map_size,
)
from mmsim.views.freearea import draw_free_area, free_area_sentence
from mmsim.views.svg import TITLE, Svg, panel
from mmsim.views.words import size_words

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 1120.0
_MAP, _HIGH = 720.0, 424.0


class Memory(NamedTuple):
    """A zone as a picture and in words."""

    svg: str
    sentence: str


def memory(
    zone: Zone,
    order: int = HPAGE_PMD_ORDER,
    *,
    marked: Iterable[tuple[int, int]] = (),
    marked_as: str = "the guest's",
) -> Memory:
    """Both halves, seen once; see `block_map` for `marked`."""
    shown = block_map(zone, order, marked=marked, marked_as=marked_as)
    free = zone.lists()
    sentence = f"{free_area_sentence(free, order)} {map_sentence(shown)}"
    wide, high = map_size(shown, _MAP, _HIGH)
    high = max(high, 340.0)
    title = claim(free, order, zone.nr_pages)
    svg = Svg(WIDTH, high + 78, title, f"{title}. {sentence}")
    svg.text(18, 32, title, WIDTH - 36, size=TITLE, bold=True)
    panel(svg, 8, 48, _MAP + 16, high + 22)
    draw_block_map(svg, 18, 58, max(wide, 640), high, shown)
    right = _MAP + 34
    panel(svg, right, 48, WIDTH - 8 - right, high + 22)
    draw_free_area(svg, right + 12, 58, WIDTH - 32 - right, high, free, order)
    return Memory(svg.render(), sentence)


def memory_table(zone: Zone, order: int = HPAGE_PMD_ORDER) -> pd.DataFrame:
    """For each type: free memory, its largest free block, and how many of `order` it could give."""
    import pandas as pd

    size = size_words(1 << order)
    rows = []
    for free in zone.blocks_by_type().values():
        largest = max(at for at, blocks in enumerate(free) if blocks)
        rows.append((size_words(pages(free)), size_words(1 << largest), suitable(free, order)))
    index = pd.Index(list(zone.blocks_by_type()), name="free lists", dtype=object)
    columns = ["free", "largest block", f"blocks of {size} to be had"]
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)


def fates_table(zone: Zone) -> pd.DataFrame:
    """Three requests, and where each of them alone would get its memory from."""
    import pandas as pd

    index = pd.Index(list(fates(zone)), name="request", dtype=object)
    return pd.DataFrame({"gets it from": list(fates(zone).values())}, index=index, dtype=object)


SUPPLY = ("blocks of 2 MiB", "largest free block", "a huge page")


def supply(zone: Zone) -> dict[str, int | str]:
    """What a prediction about a zone is compared with: each of SUPPLY."""
    free = summed(zone.lists())
    largest = max((order for order, blocks in enumerate(free) if blocks), default=None)
    huge = fate(zone, request(HPAGE_PMD_ORDER))
    found = (
        suitable(free, HPAGE_PMD_ORDER),
        "none" if largest is None else size_words(1 << largest),
        huge if huge.startswith("-") else "granted",
    )
    return dict(zip(SUPPLY, found, strict=True))
