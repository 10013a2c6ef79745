"""A zone as booted or after long use: the shares are what was asked for, and a seed is a place."""

from __future__ import annotations

import pytest

from mmsim.constants import MIGRATE_CMA, MIGRATE_MOVABLE
from mmsim.mm.zone import boot, pages

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


def test_pageblocks_that_stick_out_are_there_and_have_aged_as_well():
    zone = boot(30 * MIB, 2 * MIB, start=512, used=0.5, scattered=1.0)
    zone.check()
    assert zone.nr_pages == 30 * MIB
    for first in (512, zone.end - 1024):  # below the first order-10 stretch, and above the last
        blocks = zone.blocks(first, first + 512)
        assert {held is None for _, _, held in blocks} == {True, False}
    assert zone.pageblock_type(zone.end - 1) == MIGRATE_CMA


def test_the_same_seed_gives_the_same_zone_and_another_one_another():
    def made(seed):
        return boot(1024 * MIB, 256 * MIB, used=0.5, scattered=0.5, seed=seed)

    assert made(1).key() == made(1).key()
    assert made(1).key() != made(2).key()
