"""A wrong knob gets one sentence that says what it can be."""

from __future__ import annotations

import pytest

from mmsim.scenarios import SCENARIOS, make, pin_versus, vfio_map
from mmsim.scenarios.one_page import page_with
from mmsim.scenarios.situation import settle

WRONG = [
    ("vfio_map", {"thps": 9}, "thps must be 1-8, not 9"),
    ("vfio_map", {"thps": "two"}, "thps must be a whole number"),
    ("vfio_map", {"targets": "sometimes"}, "targets can't be 'sometimes'"),
    ("vfio_map", {"taken": "0.split.frees"}, "did you mean 'split.freeze'"),
    ("vfio_map", {"taken": "10"}, "taken must be start, PASS"),
    ("vfio_map", {"released": "soon"}, "released must be never, PASS"),
    ("vfio_map", {"holder": 2}, "there are only 1 huge pages"),
    ("vfio_map", {"taken": "3", "released": "2"}, "released (2) must come after taken (3)"),
    ("pin_versus", {"against": "dropcaches"}, "did you mean 'drop_caches'"),
    ("pin_versus", {"on": 2}, "there are only 1 huge pages"),
    ("pin_versus", {"taken": "2", "released": "1"}, "released (1) must come after taken (2)"),
    ("pin_versus", {"thps": 0}, "thps must be 1-8, not 0"),
    ("pin_versus", {"targets": "eiter"}, "did you mean 'either'"),
    ("boot_guest", {"host": 0}, "host must be 16-1048576, not 0"),
    (
        "boot_guest",
        {"host": 17},
        "host is 17 MiB: memory comes in pageblocks of 2 MiB; take 16 or 18",
    ),
    (
        "boot_guest",
        {"guest": 3},
        "guest is 3 MiB: memory comes in pageblocks of 2 MiB; take 2 or 4",
    ),
    ("boot_guest", {"used": -1}, "used must be 0-100"),
    ("boot_guest", {"host": 16, "guest": 18}, "guest is 18, but there are only 16 MiB (host)"),
    ("boot_guest", {"guest": 66}, "guest must be 2-64, not 66"),
    ("boot_guest", {"pin": "yes"}, "pin can't be 'yes'"),
    ("boot_guest", {"gest": 2}, "did you mean 'guest'"),
    ("cma_alloc", {"wanted": 3}, "wanted is 3, but there are only 2 pageblocks (blocks)"),
    ("cma_alloc", {"thps": 3}, "thps is 3, but there are only 2 pageblocks (blocks)"),
    ("cma_alloc", {"holder": 2}, "holder is 2, but there are only 1 huge pages"),
    ("cma_alloc", {"blocks": 0}, "blocks must be 1-64, not 0"),
    ("drop_caches_only", {"folios": 3, "held": 4}, "held is 4, but there are only 3 folios"),
    ("page_with", {"mappings": 0, "cached": "no"}, "the kernel frees it"),
    ("page_with", {"mappings": 0, "pin": "yes"}, "a pin goes by a mapping"),
]


@pytest.mark.parametrize(("scenario", "knobs", "says"), WRONG)
def test_a_wrong_knob_is_told_what_it_can_be(scenario, knobs, says):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        (SCENARIOS | {"page_with": page_with})[scenario]("base", **knobs)
    assert says in str(error.value)


def test_unknown_names_get_the_nearest_match():
    with pytest.raises(ValueError, match="did you mean 'vfio_map'"):
        make("vfio_mop")
    with pytest.raises(ValueError, match="did you mean 'v3fix'"):
        vfio_map("v3fixx")


def test_equal_sets_are_equal_knobs():
    for given in ("lookup, drop_caches", ["lookup", "drop_caches"], ("drop_caches", "lookup")):
        assert pin_versus(against=given).knobs["against"] == "drop_caches,lookup"
    for given in ("nobody", "", []):
        assert pin_versus(against=given).knobs["against"] == "nobody"


def test_every_default_is_a_value_the_knob_accepts():
    for spec in SCENARIOS.values():
        assert settle(spec.name, spec.knobs, {}) == {k.name: k.default for k in spec.knobs}
