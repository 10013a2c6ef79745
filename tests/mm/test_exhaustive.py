"""Every order of the steps of a pin and of somebody else, on a huge page of four pages."""

import pytest
from small import ORDER, ever, folio, memory, sound, states_of

from mmsim.engine.actor import Actor
from mmsim.engine.explore import explore
from mmsim.engine.scenario import Scenario
from mmsim.errno import ENOMEM
from mmsim.mm import actors
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
from mmsim.mm.gup import pin_user_pages_remote
from mmsim.mm.versions import BASE, VERSIONS
from mmsim.scenarios import make

OTHERS = {
    make.__name__: make("other", "A")
    for make in (actors.direct_io, actors.fault, actors.lookup, actors.permanent_pin)
}
WALK = {"drop_caches": Actor("other", lambda: drop_caches(((Extent("A", 2),),), BASE))}


def pin_against(other, version, passes=2, order=ORDER):
    row = VERSIONS[version]._replace(passes=passes)
    pin = Actor("pin", lambda: pin_user_pages_remote((Extent("A", 1 << order),), row))
    world = memory(folio(order=order), targets_huge="none")
    return Scenario("pin", world, (pin, (OTHERS | WALK)[other]), merge=True)


def result(state):
    return state.locals[0].result if state.locals[0].finished else None


def refused(state):
    return state.world.vmstat["thp_split_page_failed"] > 0


@pytest.mark.parametrize(
    ("other", "version", "rescues"),
    [
        *((other, "6.1.0", False) for other in OTHERS),
        *((other, "v3", True) for other in OTHERS | WALK),
    ],
)
def test_everybody_can_fail_a_pin_and_the_patch_outwaits_those_who_leave(other, version, rescues):
    order = 1 if other in WALK else ORDER
    found = sound(explore(pin_against(other, version, order=order)))
    assert ever(found, lambda state: refused(state) and result(state) == -ENOMEM)
    saved = ever(found, lambda state: refused(state) and result(state) == 1 << order)
    assert saved is (rescues and other != "permanent_pin")
    if other in WALK:  # it is never harmed, and keeps nothing of a huge page
        states = states_of(found)
        for end in found.ends:
            folios = states[end].world.folios.values()
            assert "other" not in {who for folio in folios for who, _ in folio.held}


# Each of these once had a deadlock, a contradiction, or more states than any search can hold: a
# holder waited for a page that was gone, a freed page was isolated, and every piece of a split huge
# page could fail in ten ways because memory for the split could be short.  A truncater took a moved
# page out of its file before the move was over, and then it was mapped again.
TROUBLES = [
    {"trouble": "truncated", "order": 1, "passes": 2},
    {"trouble": "truncated", "order": 1, "passes": 2, "reason": "compaction"},
    {"trouble": "truncated", "order": 1, "passes": 2, "targets": "available"},
    {"trouble": "nomem", "order": 4, "passes": 2, "targets": "either"},
]


@pytest.mark.parametrize("knobs", TROUBLES, ids=str)
@pytest.mark.parametrize("version", ["base", "v3fix", "6.12"])
def test_a_search_ends_whatever_is_the_matter_with_the_page(version, knobs):
    found = sound(make("vfio_map", version, knobs).explore(states_max=5000))
    assert found.schedules()
