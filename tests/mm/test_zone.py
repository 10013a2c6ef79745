"""A zone: the partition holds, lazy means the same as listed, a wrong request gets a sentence."""

from __future__ import annotations

import random

import pytest

from mmsim.constants import MAX_ORDER, MIGRATE_CMA, MIGRATE_MOVABLE, PCP_TYPES
from mmsim.engine.op import ModelError
from mmsim.mm.page_alloc import alloc_pages, free_pages, request, take
from mmsim.mm.zone import HELD, Run, Zone, ZoneError, boot, pattern

GIB = 1 << 18
SIZES = {"64 MiB": 1 << 14, "1 TiB": 1 << 28}


def draw(rng, n):
    """A number below n; `Random.random` is the same in every Python."""
    return int(rng.random() * n)


def some_request(rng):
    order = draw(rng, MAX_ORDER) if rng.random() < 0.2 else draw(rng, 4)
    migratetype = PCP_TYPES[draw(rng, 3)] if rng.random() < 0.3 else MIGRATE_MOVABLE
    return request(order, migratetype, pin_scope=rng.random() < 0.1)


def churn(zone, steps, *, seed, held_max, after=lambda step: None):
    """Random requests and frees with about `held_max` blocks held; answers what was given."""
    rng, held, given = random.Random(seed), [], []
    for step in range(steps):
        if held and rng.random() * held_max < len(held):
            pfn, order = held.pop(draw(rng, len(held)))
            free_pages(zone, pfn, order)
        else:
            want = some_request(rng)
            pfn = alloc_pages(zone, want, movable=rng.random() < 0.8)
            given.append(pfn)
            if pfn is not None:
                held.append((pfn, want.order))
        after(step)
    return given, held


@pytest.mark.parametrize(
    ("aged", "held_max", "every"),
    [({}, 120, 10), ({"used": 0.4, "scattered": 0.7, "seed": 3}, 1000, 500)],
    ids=["new, nearly free", "old, full"],
)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_random_requests_leave_the_zone_in_order_every_time(size, aged, held_max, every):
    zone = boot(size, size // 4, **aged)
    before = zone.nr_free, zone.nr_free_cma

    def look(step):
        if step % every == 0:
            zone.check()

    _, held = churn(zone, 3000, seed=1, held_max=held_max, after=look)
    for pfn, order in held:
        free_pages(zone, pfn, order)
    zone.check()
    assert (zone.nr_free, zone.nr_free_cma) == before


@pytest.mark.parametrize("pageblock_order", [9, 10])
@pytest.mark.parametrize("seed", range(2))
def test_lazy_memory_answers_as_if_every_block_had_been_listed(seed, pageblock_order):
    """A zone as booted.  In an old one what is listed stands before what nobody has touched."""
    size, cma = 40 * 1024, 9 << pageblock_order
    lazy, listed = (
        boot(size, cma, start=1 << pageblock_order, pageblock_order=pageblock_order)
        for _ in range(2)
    )
    for runs in list(listed.untouched.values()):
        for run in runs:
            pfns = range(run.pfn, run.end, 1 << run.order)
            for pfn in reversed(pfns) if run.downwards else pfns:
                listed.touch(pfn)
    assert lazy.untouched
    assert not listed.untouched
    assert lazy.blocks_by_type() == listed.blocks_by_type()
    given = [churn(zone, 3000, seed=seed, held_max=400)[0] for zone in (lazy, listed)]
    assert given[0] == given[1]
    assert lazy.blocks_by_type() == listed.blocks_by_type()


@pytest.mark.parametrize("order", [0, 5, 9, 10])
def test_a_block_is_found_wherever_it_lies_untouched(order):
    """Until there is none, and only stretches that have such a block are listed."""
    zone = boot(64 * 1024, 0, used=0.5, scattered=0.9, seed=4)
    there = zone.free_blocks(MIGRATE_MOVABLE)[order]
    found = 0
    while zone.touch_next(MIGRATE_MOVABLE, order):
        pfn, _ = zone.free_area[MIGRATE_MOVABLE][order].popitem()
        zone.held[pfn] = HELD[False][order]
        zone.account(MIGRATE_MOVABLE, -(1 << order))
        found += 1
    assert found == there
    zone.check()
    rest = zone.untouched.get(MIGRATE_MOVABLE, ())
    assert sum(run.free()[order] for run in rest) == 0
    assert all(run.first_with(order) is None for run in rest)


def test_a_branch_goes_its_own_way():
    zone = boot(GIB, GIB // 4)
    alloc_pages(zone, request(0))
    before, twin = zone.key(), zone.branch()
    assert twin.key() == before
    churn(twin, 200, seed=5, held_max=50)
    assert zone.key() == before
    assert twin.key() != before
    again = zone.branch()
    assert churn(zone, 200, seed=5, held_max=50) == churn(again, 200, seed=5, held_max=50)
    assert zone.key() == again.key() == twin.key()


# -- check() finds what it is for


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (lambda z: z.held.clear(), "belongs to nobody"),
        (lambda z: z.add_to_tail(MIGRATE_MOVABLE, 0, [0]), "belongs to two"),
        (lambda z: z.account(MIGRATE_MOVABLE, 1), "counters say"),
        (lambda z: z.account(MIGRATE_CMA, 1), "counters say"),
        (lambda z: z.untouched.clear(), "the last block ends at 0x400, the zone at 0x40000"),
        (lambda z: z.free_area[MIGRATE_MOVABLE][9].pop(512), "belongs to nobody"),
    ],
)
def test_a_contradiction_is_found(do, says):
    zone = boot(GIB)
    alloc_pages(zone, request(0))
    do(zone)
    with pytest.raises(ModelError, match=says):
        zone.check()


def test_a_block_that_is_not_aligned_is_found():
    zone = Zone(512)
    zone.add_to_tail(MIGRATE_MOVABLE, 8, [128])
    zone.add_to_tail(MIGRATE_MOVABLE, 7, [0, 384])
    zone.account(MIGRATE_MOVABLE, 512)
    with pytest.raises(ModelError, match="at 0x80 is not aligned"):
        zone.check()


# -- bad input: one sentence each, and nothing has happened


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Zone(0), "a zone of 0 pages: it needs at least one pageblock (512)"),
        (lambda: Zone(-512), "a zone of -512 pages: it needs at least one pageblock"),
        (lambda: boot(0), "a zone of 0 pages"),
        (lambda: boot(1000), "both must be multiples of a pageblock, 512 pages"),
        (lambda: boot(1024, start=100), "a zone of 1024 pages from 100"),
        (lambda: boot(1536, pageblock_order=10), "multiples of a pageblock, 1024 pages"),
        (lambda: boot(1024, 1536), "a CMA area of 1536 pages in a zone of 1024: it is too large"),
        (lambda: boot(1024, 100), "a CMA area of 100 pages: it must be a multiple of 512 pages"),
        (lambda: boot(1024, -512), "a CMA area of -512 pages"),
        (lambda: boot(1024, used=1.5), "used is 1.5: it is a share, from 0 to 1"),
        (lambda: boot(1024, scattered=-1), "scattered is -1: it is a share, from 0 to 1"),
        (lambda: request(11), "order 11: a block has order 0 to 10"),
        (lambda: request(-1), "order -1: a block has order 0 to 10"),
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


@pytest.mark.parametrize(
    ("pfn", "order", "says"),
    [
        (0, 2, "it has order 3"),
        (0, 99, "it has order 3"),
        (8, 0, "nothing is allocated there"),
        (3, 0, "nothing is allocated there"),
        (1 << 30, 0, "nothing is allocated there"),
        (-1, 0, "nothing is allocated there"),
    ],
)
def test_a_wrong_free_is_told_so_and_changes_nothing(pfn, order, says):
    zone = boot(GIB)
    assert alloc_pages(zone, request(3)) == 0
    zone.touch(700)
    before = zone.key()
    with pytest.raises(ZoneError, match=r"^[^\n]*$") as error:
        free_pages(zone, pfn, order)
    assert says in str(error.value)
    assert zone.key() == before
    zone.check()


def test_what_is_not_free_in_one_block_can_t_be_taken():
    zone = boot(GIB)
    take(zone, 512, 9)
    take(zone, 3, 0)
    for pfn, order in ((512, 9), (512, 0), (0, 9), (3, 0)):
        with pytest.raises(ZoneError, match="not free in one block"):
            take(zone, pfn, order)
    zone.check()


# -- untouched memory


def test_a_pattern_is_merged_as_the_allocator_would_have_merged_it():
    rng = random.Random(9)
    for _ in range(50):
        zone = boot(1024)
        places = sorted({draw(rng, 1024) for _ in range(draw(rng, 60))})
        for place in places:
            take(zone, place, 0)
        made = pattern(10, [(place, 0) for place in places])
        assert made.free == zone.free_blocks(MIGRATE_MOVABLE)
        assert [(b.offset, b.order) for b in made.blocks] == [
            (pfn, order) for pfn, order, _ in zone.blocks(0, 1024)
        ]
