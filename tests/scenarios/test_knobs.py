"""Knobs reach the run, each outcome has its name, and a wrong knob gets one sentence."""

from __future__ import annotations

import pytest

from mmsim.errors import UserError
from mmsim.lessons.who_holds_this_page import page_with
from mmsim.scenarios import CMA_PFN, SCENARIOS, cma_alloc, drop_caches_only, pin_versus, vfio_map
from mmsim.scenarios.knobs import settle
from mmsim.scenarios.situation import ALL_MOVED, CUT_OFF, NO_MEMORY, NOT_MOVED, NOT_SPLIT

WRONG = [
    ("vfio_map", {"thps": "two"}, "thps must be a whole number, 1-8, not 'two'"),
    ("vfio_map", {"thps": True}, "thps must be a whole number"),
    ("vfio_map", {"taken": "0.split.frees"}, "did you mean 'split.freeze'"),
    ("vfio_map", {"holder": 2}, "holder is 2, but there are only 1 huge pages (thps)"),
    ("vfio_map", {"holder": 0, "taken": "3", "released": "2"}, "released (2) must come after"),
    ("vfio_map", {"taken": "5", "passes": 1}, "taken is 5, but with passes=1 the last pass is 0"),
    ("vfio_map", {"order": 0, "trouble": "nomem"}, "and with order=0 there is none"),
    ("vfio_map", {"reason": "syscall", "isolation": "inverted"}, "and here nobody pins"),
    ("boot_guest", {"pin": "none", "isolation": "inverted"}, "and here nobody pins"),
    ("pin_versus", {"isolation": "inverted"}, "inverted does not go with drop_caches"),
    ("pin_versus", {"taken": "2.unmap", "passes": 2}, "taken is 2.unmap, but with passes=2 the"),
    ("split_race", {"taken": "1"}, "taken is 1, but with passes=1 the last pass is 0"),
    ("pin_versus", {"on": 2}, "there are only 1 huge pages"),
    ("pin_versus", {"taken": "2", "released": "1"}, "released (1) must come after taken (2)"),
    ("boot_guest", {"host": 17}, "host is 17 MiB: memory comes in pageblocks of 2 MiB; take 16 or"),
    ("boot_guest", {"guest": 3}, "guest is 3 MiB"),
    ("boot_guest", {"host": 16, "guest": 18}, "guest is 18, but there are only 16 MiB (host)"),
    ("boot_guest", {"host": 1 << 20, "compaction": "on"}, "compaction would look through all"),
    ("boot_guest", {"gest": 2}, "did you mean 'guest'"),
    ("cma_alloc", {"wanted": 3}, "wanted is 3, but there are only 2 pageblocks (blocks)"),
    ("cma_alloc", {"thps": 3}, "thps is 3, but there are only 2 pageblocks (blocks)"),
    ("cma_alloc", {"holder": 2}, "holder is 2, but there are only 1 huge pages"),
    ("drop_caches_only", {"folios": 3, "held": 4}, "held is 4, but there are only 3 folios"),
    ("page_with", {"mappings": 0, "cached": "no"}, "the kernel frees it"),
]
KNOBS = {spec.name: spec.knobs for spec in SCENARIOS.values()}


@pytest.mark.parametrize(("scenario", "knobs", "says"), WRONG)
def test_a_wrong_knob_is_told_what_it_can_be(scenario, knobs, says):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        (SCENARIOS | {"page_with": page_with})[scenario]("base", **knobs)
    assert says in str(error.value)


@pytest.mark.parametrize("scenario", KNOBS)
def test_every_knob_takes_its_default_and_names_itself_when_it_refuses(scenario):
    assert settle(scenario, KNOBS[scenario], {}) == {k.name: k.default for k in KNOBS[scenario]}
    for knob in KNOBS[scenario]:
        limits = () if knob.allowed else (knob.low - 1, knob.high + 1)
        for value in ("odd", *limits, *["10", "3.", "03", "10.visit"] * knob.is_pass_site):
            with pytest.raises(UserError, match=f"^{knob.name} (must be|can't be)") as error:
                knob.read(value)
            assert str(value) in str(error.value)
        if knob.is_pass_site:  # it has one spelling
            assert {knob.read(given) for given in (3, "3", " 3 ", "3.visit")} == {"3"}
            assert knob.read("3.unmap") == "3.unmap"


def test_somebody_may_go_behind_the_last_pass():
    for passes in (1, 9):
        knobs = {"passes": passes, "released": "9", "order": 1}
        for spec in (SCENARIOS["vfio_map"], SCENARIOS["split_race"], pin_versus):
            assert spec(**knobs).knobs["released"] == "9"


def test_equal_sets_are_equal_knobs():
    for given in ("lookup, drop_caches", ["lookup", "drop_caches"], ("drop_caches", "lookup")):
        assert pin_versus(against=given).knobs["against"] == "drop_caches,lookup"
    for given in ("nobody", "", []):
        assert pin_versus(against=given).knobs["against"] == "nobody"


# -- outcomes

GONE_6_12 = {"version": "6.12", "trouble": "truncated", "holder": 0}


@pytest.mark.parametrize(
    ("knobs", "outcome"),
    [
        ({"holder": 0}, ALL_MOVED),
        ({"targets": "available"}, NOT_MOVED),
        ({"targets": "available", "holder": 0}, "pinned"),
        ({"trouble": "truncated", "holder": 0}, NOT_SPLIT),
        ({"trouble": "truncated", "targets": "available", "holder": 0}, CUT_OFF),
        # The truncater waits for the lock, and the page is moved meanwhile.
        ({**GONE_6_12, "targets": "available"}, CUT_OFF),
        # This refusal is not counted, and of the page nothing is left.
        (GONE_6_12, NOT_SPLIT),
        ({"trouble": "truncated", "version": "6.12"}, NOT_SPLIT),
        ({"trouble": "writeback", "holder": 0}, NOT_SPLIT),
        ({"reason": "syscall"}, NOT_SPLIT),
        ({"reason": "numa_misplaced"}, NO_MEMORY),
        ({"reason": "numa_misplaced", "targets": "available"}, NOT_MOVED),
        ({"reason": "syscall", "holder": 0, "targets": "available"}, "migrated"),
        # Refused once, and then its move failed nine times: the last pass names the failure.
        ({"version": "v3", "targets": "late"}, NOT_MOVED),
        ({"targets": "late"}, NOT_SPLIT),
        ({"version": "v3", "targets": "late", "passes": 1}, NOT_SPLIT),
    ],
)
def test_each_way_to_end_has_its_name(knobs, outcome):
    situation = vfio_map(**{"version": "base", **knobs})
    assert outcome == situation.outcome(situation.run().last)


def test_a_holder_that_is_never_released_keeps_its_reference_in_every_order():
    found = vfio_map(order=1, passes=1).explore()
    ends = [state.world for number, state in found.walk() if number in found.ends]
    names = [{who for each in world.folios.values() for who, _ in each.held} for world in ends]
    assert [held for held in names if "holder" not in held] == []
    assert names


@pytest.mark.parametrize(
    ("knobs", "kept"),
    [({}, 0), ({"dirty": "yes"}, 3), ({"mapped": "yes"}, 3), ({"held": 2}, 1), ({"locked": 2}, 1)],
)
def test_what_keeps_a_folio_from_drop_caches(knobs, kept):
    situation = drop_caches_only(**{"dirty": "no", "mapped": "no", "order": 1, **knobs})
    trace = situation.run()
    trace.last.world.check()
    assert len(trace.last.world.folios) == kept
    assert situation.outcome(trace.last) == "done"
    assert situation.result(trace.last) == f"{6 - 2 * kept} pages dropped"


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_free_range_of_several_pageblocks_is_taken(blocks):
    """Two free neighbours are one block of the largest order: it has to be cut before it is taken.

    Taking it whole left a pageblock that no block began at, and undoing the isolation failed."""
    trace = cma_alloc("base", blocks=blocks, wanted=blocks, thps=0, holder=0).run()
    assert trace.results["owner"] == CMA_PFN
    zone = trace.last.world.zone
    zone.check()
    assert zone.nr_free_cma == 0
