"""The flow chart follows the run it is given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from mmsim.scenarios import vfio_map
from mmsim.views.flow import flow_sentence, flow_svg

RUNS = {
    "refused at the look": {},
    "refused at the freeze": {"taken": "0.site2"},
    "split": {"holder": 0},
    "moved whole": {"holder": 0, "targets": "available"},
    "busy": {"targets": "available"},
    "writeback": {"holder": 0, "trouble": "writeback"},
    "nomem": {"holder": 0, "trouble": "nomem"},
    "numa": {"reason": "numa_misplaced"},
    "syscall": {"reason": "syscall"},
}


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


@pytest.mark.parametrize("version", ["base", "v2", "v3fix"])
@pytest.mark.parametrize("name", RUNS)
def test_every_way_can_be_drawn_twice_the_same(name, version):
    first = flow_svg(vfio_map(version, **RUNS[name]).run())
    assert first == flow_svg(vfio_map(version, **RUNS[name]).run())
    assert 'role="img"' in first
    assert flow_sentence(vfio_map(version, **RUNS[name]).run()) in texts(first)


def test_counts_are_the_runs():
    drawn = " ".join(texts(flow_svg(vfio_map("v2").run())))
    assert "no ×10" in drawn
    assert "at the check ×10" in drawn
    assert "×10" not in " ".join(texts(flow_svg(vfio_map("base").run())))


@pytest.mark.parametrize("trouble", ["writeback", "nomem", "truncated"])
def test_a_split_that_is_refused_early_never_comes_to_the_check_of_references(trouble):
    run = vfio_map("base", holder=0, trouble=trouble).run()
    assert "before the check ×1" in texts(flow_svg(run))
    assert "refused once (before the check ×1)" in flow_sentence(run)
    drawn = ElementTree.fromstring(flow_svg(run))
    bold = [e.text for e in drawn.iter() if e.get("font-weight") == "700"]
    assert "Does the reason allow a split?" in bold
    assert "Check: are all references known?" not in bold


@pytest.mark.parametrize("knobs", [{"holder": 0, "trouble": "writeback"}, {}])
def test_the_way_past_the_check_has_a_name_of_its_own(knobs):
    """Two ways leave the question for the reason, and only one of them is the plain yes."""
    drawn = texts(flow_svg(vfio_map("base", **knobs).run()))
    name = "before the check ×1" if knobs else "before the check"
    assert drawn.count(name) == (2 if knobs else 1)  # lit, the box says it, too
