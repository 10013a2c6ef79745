"""The flow chart follows the run it is given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from svg_rules import readable

from mmsim.scenarios import drop_caches_only, vfio_map
from mmsim.views.flow import flow_picture

RUNS = {
    "refused at the look": {},
    "refused at the freeze": {"taken": "0.split.freeze"},
    "split": {"holder": 0, "order": 3},
    "moved whole": {"holder": 0, "targets": "available"},
    "busy": {"targets": "available"},
    "writeback": {"holder": 0, "trouble": "writeback"},
    "nomem": {"holder": 0, "trouble": "nomem"},
    "numa": {"reason": "numa_misplaced"},
    "syscall": {"reason": "syscall"},
}


def elements(picture):
    return [e for svg in picture.columns for e in ElementTree.fromstring(svg).iter() if e.text]


def texts(picture):
    return [element.text for element in elements(picture)]


def bold(picture):
    return [each.text for each in elements(picture) if each.get("font-weight") == "700"]


@pytest.mark.parametrize("version", ["base", "v2", "v3fix", "6.1.0"])
@pytest.mark.parametrize("name", RUNS)
def test_every_way_can_be_drawn(name, version):
    picture = flow_picture(vfio_map(version, **RUNS[name]).run())
    for svg in picture.columns:
        readable(svg)
    assert picture.words in picture.svg


def test_in_6_12_a_page_is_not_visited_anew_for_each_try():
    words = flow_picture(vfio_map("6.12", thps=2, order=3, targets="available").run()).words
    assert "found 11 times; it could not be moved 10 times, tried again 9 times; it was mo" in words


def test_a_run_without_a_migration_is_one_sentence():
    assert flow_picture(drop_caches_only().run()).words == "No huge page was on the list."


@pytest.mark.parametrize("trouble", ["writeback", "nomem", "truncated"])
def test_a_split_that_is_refused_early_never_comes_to_the_check_of_references(trouble):
    """Two ways leave the question for the reason, and only one of them is the plain yes."""
    run = vfio_map("base", holder=0, trouble=trouble).run()
    assert texts(flow_picture(run)).count("before the check ×1") == 2  # lit, the box says it, too
    assert "refused once (before the check ×1)" in flow_picture(run).words
    lit = bold(flow_picture(run))
    assert "Does the reason allow a split?" in lit
    assert "Check: all references known?" not in lit
    assert texts(flow_picture(vfio_map("base").run())).count("before the check") == 1
