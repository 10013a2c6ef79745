"""Eight allocations: the places follow the rule, and every knob reaches them."""

from __future__ import annotations

import itertools

import pytest

from mmsim.knobs import KnobError
from mmsim.practice.loans import CMA, GRANTS, ORDINARY, lending, ordinal, places


def letters(**knobs):
    return "".join(
        {CMA: "C", ORDINARY: "o"}.get(grant.place, "x") for grant in lending(**knobs).grants
    )


@pytest.mark.parametrize(
    ("knobs", "landed"),
    [
        ({}, "CCCCCCoC"),
        ({"cma": 50}, "oCoCoCoC"),
        ({"cma": 25}, "oooooooo"),
        ({"cma": 80}, "CCCCCCCC"),
        ({"movable": "no"}, "oooooooo"),
        ({"cma": 0, "free": 0}, "xxxxxxxx"),
        ({"cma": 25, "free": 60, "scattered": "yes"}, "CCCCCCCC"),  # the second road
        ({"cma": 25, "free": 60, "scattered": "yes", "order": 0}, "oooooooo"),
        ({"cma": 25, "free": 60, "scattered": "yes", "movable": "no"}, "xxxxxxxx"),
    ],
)
def test_where_eight_allocations_land(knobs, landed):
    assert letters(**knobs) == landed


def test_whoever_may_have_cma_gets_it_exactly_when_it_is_more_than_half_or_nothing_else_fits():
    settings = itertools.product((0, 20, 45, 60, 80), (0, 30, 100), (0, 4, 9, 10), ("no", "yes"))
    for cma, free, order, scattered in settings:
        made = lending(cma=cma, free=free, order=order, scattered=scattered)
        made.zone.check()
        for grant in made.grants:
            if grant.over and grant.place == ORDINARY:
                # Only if the area has no block of that order any more.
                assert not any(made.zone.free_blocks("CMA")[order:])
            if grant.place == CMA and not grant.over:
                assert not any(made.zone.free_blocks("MOVABLE")[order:])


def test_the_numbers_are_those_before_each_allocation():
    made = lending()
    first, second = made.grants[:2]
    assert (first.free, first.free_cma, first.half) == (16384, 9728, 8192)
    assert (second.free, second.free_cma) == (16384 - 512, 9728 - 512)
    assert made.count(CMA) == 7
    assert made.zone.nr_free == 16384 - GRANTS * 512


def test_with_changes_a_knob_and_leaves_the_rest():
    made = lending(cma=40).with_(free=50)
    assert made.knobs == lending(cma=40, free=50).knobs
    assert made.grants == lending(cma=40, free=50).grants


def test_places_are_named_in_order():
    assert list(places(lending())) == ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th"]
    assert [ordinal(n) for n in (1, 2, 3, 11)] == ["1st", "2nd", "3rd", "11th"]


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"cma": 81}, "cma must be 0-80, not 81"),
        ({"order": 11}, "order must be 0-10, not 11"),
        ({"order": -1}, "order must be 0-10, not -1"),
        ({"movable": "maybe"}, "movable can't be 'maybe'"),
        ({"fre": 1}, "did you mean 'free'"),
    ],
)
def test_a_wrong_knob_is_told_what_it_can_be(knobs, says):
    with pytest.raises(KnobError, match=says):
        lending(**knobs)
