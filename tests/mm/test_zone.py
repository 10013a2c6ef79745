"""A zone: the partition holds, wrong requests are told so, and where memory is free."""

from __future__ import annotations

import random

import pytest

from mmsim.constants import MAX_ORDER, MIGRATE_CMA, MIGRATE_MOVABLE, PCP_TYPES
from mmsim.engine.op import ModelError
from mmsim.mm.boot import boot
from mmsim.mm.occupancy import Part, occupancy
from mmsim.mm.page_alloc import free_pages, get_page_from_freelist, request, split_page, take_block
from mmsim.mm.untouched import HELD, Run, pages, pattern
from mmsim.mm.zone import Zone, ZoneError

GIB = 1 << 18


@pytest.mark.parametrize("order", [0, 5, 9, 10])
def test_a_block_is_found_wherever_it_lies_untouched(order):
    """Until there is none, and only stretches that have such a block are listed."""
    zone = boot(64 * 1024, 0, used=0.5, scattered=0.9, seed=4)
    for _ in range(zone.free_blocks(MIGRATE_MOVABLE)[order]):
        assert zone.touch_next(MIGRATE_MOVABLE, order)
        pfn, _ = zone.free_area[MIGRATE_MOVABLE][order].popitem()
        zone.held[pfn] = HELD[False][order]
        zone.account(MIGRATE_MOVABLE, -(1 << order))
    zone.check()
    assert not zone.touch_next(MIGRATE_MOVABLE, order)
    rest = zone.untouched.get(MIGRATE_MOVABLE, ())
    assert all(run.first_with(order) is None for run in rest)


# -- check() finds what it is for


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (lambda z: z.held.clear(), "belongs to nobody"),
        (lambda z: z.add_to_tail(MIGRATE_MOVABLE, 0, [0]), "belongs to two"),
        (lambda z: z.account(MIGRATE_MOVABLE, 1), "counters say"),
        (lambda z: z.account(MIGRATE_CMA, 1), "the lists say 262143 and 0"),
        (lambda z: z.untouched.clear(), "the last block ends at 0x400, the zone at 0x40000"),
        (lambda z: z.free_area[MIGRATE_MOVABLE][9].pop(512), "belongs to nobody"),
    ],
)
def test_a_contradiction_is_found(do, says):
    zone = boot(GIB)
    get_page_from_freelist(zone, request(0))
    do(zone)
    with pytest.raises(ModelError, match=says):
        zone.check()


# -- bad input: one sentence each, and nothing has happened


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Zone(0), "multiples of a pageblock, 512 pages, and it has at least one"),
        (lambda: boot(1000), "both must be multiples of a pageblock, 512 pages"),
        (lambda: boot(1024, start=100), "a zone of 1024 pages from 100"),
        (lambda: boot(1024, 1536), "a CMA area of 1536 pages in a zone of 1024"),
        (lambda: boot(1024, 100), "it must be a multiple of 512 pages, and fit"),
        (lambda: boot(1024, used=1.5), "used is 1.5: it is a share, from 0 to 1"),
        (lambda: boot(1024, scattered=-1), "scattered is -1: it is a share, from 0 to 1"),
        (lambda: request(11), "order 11: a block has order 0 to 10"),
        (lambda: request(0, "MOVEABLE"), "did you mean 'MOVABLE'"),
        (lambda: request(0, MIGRATE_CMA), "nobody asks for 'CMA' memory"),
        (lambda: boot(1024).pageblock_type(1024), "pfn 0x400 is not in this zone (0x0-0x400)"),
        (lambda: boot(1024).extend(Run(1024, 1, "CMA", (pattern(9),))), "is not inside the zone"),
    ],
)
def test_a_wrong_size_or_request_is_told_so(make, says):
    with pytest.raises(ZoneError, match=r"^[^\n]*$") as error:
        make()
    assert says in str(error.value)


NOBODY = "nothing is allocated there"


@pytest.mark.parametrize(
    ("call", "at", "says"),
    [
        (free_pages, (0, 2), "it has order 3"),
        (free_pages, (0, 99), "it has order 3"),
        *((free_pages, (pfn, 0), NOBODY) for pfn in (8, 3, 1 << 30, -1)),
        (split_page, (8,), NOBODY),
        (take_block, (3, 0), "not free in one block"),
    ],
)
def test_a_wrong_free_or_split_is_told_so_and_changes_nothing(call, at, says):
    zone = boot(GIB)
    assert get_page_from_freelist(zone, request(3)) == 0
    zone.touch(700)
    before = zone.key()
    with pytest.raises(ZoneError, match=r"^[^\n]*$") as error:
        call(zone, *at)
    assert says in str(error.value)
    assert zone.key() == before
    zone.check()


def test_what_is_held_in_untouched_memory_can_be_freed():
    zone = boot(4096, used=1.0)
    free_pages(zone, 512, 9)
    assert zone.nr_free == 512
    zone.check()


# -- untouched memory


def test_a_pattern_is_merged_as_the_allocator_would_have_merged_it():
    rng = random.Random(9)
    for _ in range(50):
        zone = boot(1024)
        places = sorted({int(rng.random() * 1024) for _ in range(int(rng.random() * 60))})
        for place in places:
            take_block(zone, place, 0)
        made = pattern(10, [(place, 0) for place in places])
        assert made.free == zone.free_blocks(MIGRATE_MOVABLE)
        assert [(b.offset, b.order) for b in made.blocks] == [
            (pfn, order) for pfn, order, _ in zone.blocks(0, 1024)
        ]


MIB = 256


@pytest.mark.parametrize("host", [16, 30, 1024])
@pytest.mark.parametrize("used", [0.25, 1.0])
@pytest.mark.parametrize("scattered", [0.0, 0.5, 1.0])
def test_the_shares_of_used_and_scattered_memory(host, used, scattered):
    """A zone longer than the pattern of 62 pageblocks ends within it, and is off by that much."""
    zone = boot(host * MIB, used=used, scattered=scattered, seed=2)
    zone.check()
    free = zone.free_blocks(MIGRATE_MOVABLE)
    wanted = (1 - used) * zone.nr_pages
    period = 62 * 512
    slack = 512 if zone.nr_pages <= period else min(period, zone.nr_pages % period + 512)
    assert abs(pages(free) - wanted) <= slack
    whole = sum(n << order for order, n in enumerate(free) if order >= 9)
    odd = 512 * (zone.nr_pages // period + 1)  # what does not come out even in each period
    assert abs(whole - wanted * (1 - scattered)) <= slack + odd
    if scattered == 1.0:
        assert whole == 0


def test_a_partly_used_pageblock_has_half_of_its_pages_free():
    cells = occupancy(boot(4096, used=0.75, scattered=1.0))
    assert sorted(cell[MIGRATE_MOVABLE].free for cell in cells) == [0] * 4 + [256] * 4


def used(zone: Zone) -> Zone:
    """A zone after some random requests, so that runs, lists and held blocks are mixed."""
    rng, held = random.Random(6), []
    for _ in range(900):
        if rng.random() * 200 < len(held):
            free_pages(zone, *held.pop(int(rng.random() * len(held))))
            continue
        order = int(rng.random() * (MAX_ORDER if rng.random() < 0.2 else 4))
        pfn = get_page_from_freelist(zone, request(order, PCP_TYPES[int(rng.random() * 3)]))
        held += [] if pfn is None else [(pfn, order)]
    return zone


def counted(zone: Zone, order: int, per_cell: int) -> list[dict[str, Part]]:
    """The same, from every block of a copy in which nothing is untouched any more."""
    zone, block = zone.branch(), 1 << zone.pageblock_order
    free = dict.fromkeys(range(zone.start // block, zone.end // block), 0)
    fits = dict.fromkeys(free, 0)
    for pfn, size, held in zone.blocks(zone.start, zone.end):
        for page in range(pfn, pfn + (1 << size)) if held is None else ():
            free[page // block] += 1
            fits[page // block] |= size >= order
    cells: list[dict[str, Part]] = [{} for _ in range(-(-len(free) // per_cell))]
    for n, number in enumerate(free):
        cell, name = cells[n // per_cell], zone.pageblock_type(number * block)
        more = zip(cell.get(name, Part(0, 0, 0)), (1, free[number], fits[number]), strict=True)
        cell[name] = Part(*(a + b for a, b in more))
    return cells


ZONES = {
    "small": lambda: boot(4096, used=0.6, scattered=1, seed=1),
    "odd start and CMA": lambda: boot(4096, 1024, start=512),
    "worn, from 1 GiB": lambda: boot(16384, start=1 << 18, used=0.3, scattered=0.5, seed=4),
    "pageblocks of order 10": lambda: boot(16384, 4096, used=0.5, pageblock_order=10, seed=5),
    "pageblocks of order 3": lambda: boot(2048, 512, used=0.5, scattered=0.9, pageblock_order=3),
    "touched": lambda: used(boot(16384, 4096, used=0.4, scattered=0.5, seed=6)),
    "touched, virgin": lambda: used(boot(8192, 2048)),
}


@pytest.mark.parametrize("order", [0, 9, 10])
@pytest.mark.parametrize("name", ZONES)
def test_cells_are_what_is_counted_page_by_page(name, order):
    zone = ZONES[name]()
    for per_cell in (1, 4, 32):
        assert occupancy(zone, per_cell, order) == counted(zone, order, per_cell)
