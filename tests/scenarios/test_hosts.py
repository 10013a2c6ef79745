"""A host's memory by its knobs, and what requests get from it."""

from __future__ import annotations

import pytest

from mmsim.mm.fragmentation import suitable, summed
from mmsim.scenarios import boot_guest
from mmsim.scenarios.host import HOST_KNOBS, REQUESTS, host, served_from

NONE, CMA, OTHER = "-ENOMEM", "CMA", "ordinary memory"
SIZES = [16, 64, 1024, 4096, 1 << 20]


def got(**knobs):
    return list(served_from(host(**knobs).zone).values())


def test_three_requests_to_hosts_of_all_kinds():
    # huge page for a process; huge page and single page for a long-term pin
    assert list(REQUESTS) == [
        "huge page, for a process",
        "huge page, for a long-term pin",
        "single page, for a long-term pin",
    ]
    assert got(cma=0, used=0) == [OTHER, OTHER, OTHER]
    assert got(cma=0, used=60) == [NONE, NONE, OTHER]
    assert got(cma=0, used=60, scattered=0) == [OTHER, OTHER, OTHER]
    assert got(cma=25, used=60) == [CMA, NONE, OTHER]  # the second road into CMA
    assert got(cma=25, used=60, scattered=0) == [OTHER, OTHER, OTHER]
    assert got(cma=60, used=0) == [CMA, OTHER, OTHER]  # the half rule
    assert got(cma=25, used=100) == [CMA, NONE, NONE]
    assert got(cma=0, used=100) == [NONE, NONE, NONE]


@pytest.mark.parametrize("mib", SIZES)
def test_asking_changes_nothing(mib):
    zone = host(host=mib, cma=25, used=60, scattered=90).zone
    before = zone.key()
    served_from(zone)
    assert zone.key() == before
    zone.check()


@pytest.mark.parametrize("mib", SIZES)
@pytest.mark.parametrize("used", [0, 1, 30, 60, 99, 100])
def test_what_is_free_is_what_the_knobs_say(mib, used):
    zone = host(host=mib, cma=0, used=used).zone
    # A pattern of at most 31 stretches is repeated, so a share can be off by one pageblock of 62.
    assert abs(zone.nr_free / zone.nr_pages - (1 - used / 100)) < 1 / 62
    assert bool(suitable(summed(zone.lists()), 9)) == (used == 0)


def test_a_scenarios_host_is_the_same_host():
    knobs = {"host": 256, "cma": 40, "used": 30, "scattered": 70, "seed": 5}
    made = boot_guest(guest=4, **knobs)
    assert made.initial().world.zone.key() == host(**knobs).zone.key()
    assert [knob.name for knob in HOST_KNOBS] == list(knobs)
    assert host(**knobs).with_(seed=6).knobs == {**knobs, "seed": 6}
