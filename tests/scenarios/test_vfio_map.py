"""Situations: knobs reach the run, outcomes have names, bad settings get a sentence."""

from __future__ import annotations

import pytest

from mmsim.engine.schedule import render
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import vfio_map


@pytest.mark.parametrize(
    ("knobs", "outcome"),
    [
        ({"holder": 0}, "failed although everything moved"),
        ({"targets": "available"}, "failed: a huge page could not be moved"),
        ({"targets": "available", "holder": 0}, "pinned"),
        ({"trouble": "truncated", "holder": 0}, "failed: a huge page could not be split"),
        ({"trouble": "writeback", "holder": 0}, "failed: a huge page could not be split"),
        ({"reason": "syscall"}, "failed: a huge page could not be split"),
        ({"reason": "numa_misplaced"}, "failed: no memory to move it to"),
        (
            {"reason": "numa_misplaced", "targets": "available"},
            "failed: a huge page could not be moved",
        ),
        ({"reason": "syscall", "holder": 0, "targets": "available"}, "migrated"),
    ],
)
def test_each_fate_has_its_name(knobs, outcome):
    situation = vfio_map("base", **knobs)
    assert outcome == situation.outcome(situation.run().last)


def test_the_recorded_run_can_be_replayed_from_its_own_schedule():
    situation = vfio_map("v2", released="2")
    trace = situation.run()
    again = situation.replay(render(trace.moves))
    assert again.last.world.key() == trace.last.world.key()
    assert again.results == trace.results


@pytest.mark.parametrize("version", VERSIONS)
def test_a_huge_page_that_is_free_late(version):
    """Refused in the first pass; from the second request on a free huge page is there."""
    run = vfio_map(version, targets="late", released=1).run()
    again = version not in ("base", "6.1.0")
    assert run.last.world.vmstat["pgmigrate_success"] == 512 * again
    assert run.last.world.vmstat["thp_split_page_failed"] == 1
    assert (run.results["pin"] > 0) == (version in ("v1", "v3", "v3fix", "6.12"))
