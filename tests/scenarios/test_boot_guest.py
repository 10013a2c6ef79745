"""The guest in a zone: where it lands, what a pin then needs, and what a wrong knob is told."""

from __future__ import annotations

import re

import pytest

from mmsim.engine.trace import run_to_end
from mmsim.errors import UserError
from mmsim.scenarios import boot_guest
from mmsim.scenarios.guest import NO_ROOM, landing
from mmsim.scenarios.host import MIB
from mmsim.views.run import step_table, summary


def end(situation):
    state = run_to_end(situation, situation.usual())
    state.world.check()
    return state


@pytest.mark.parametrize(
    ("version", "knobs", "outcome"),
    [
        ("base", {}, "failed although everything moved"),
        ("v3", {"guest": 4}, "mapped"),
        ("base", {"scattered": 0}, "mapped"),
        ("base", {"cma": 0, "used": 0}, "mapped"),
        ("base", {"pin": "none"}, "populated"),
        ("base", {"host": 16, "cma": 0, "guest": 16, "used": 50}, "failed: the guest does not fit"),
        ("v3", {"host": 16, "cma": 80, "used": 100, "guest": 4}, "failed: no memory to move it to"),
        ("base", {"shmem_enabled": "never", "guest": 2}, "mapped"),
    ],
)
def test_each_fate_has_its_name_and_its_sentence(version, knobs, outcome):
    situation = boot_guest(version, **knobs)
    trace = situation.run()
    trace.last.world.check()
    assert situation.outcome(trace.last) == outcome
    told = situation.account(trace)
    assert told[0].startswith("The guest's memory landed: ")
    assert all(line.endswith(".") and "{" not in line for line in told)
    assert ("does not start" in told[-1]) == outcome.startswith("failed")


def test_a_huge_page_is_wanted_outside_cma_and_the_free_ones_are_counted():
    situation = boot_guest(host=512, scattered=96)
    there = situation.landed()
    assert (there.in_cma.thps, there.targets) == (4, 2)
    trace = situation.run()
    assert "out of CMA: 4; free blocks for them outside: 2." in summary(trace)
    assert trace.last.world.vmstat["thp_migration_success"] == there.targets
    assert trace.last.world.vmstat["thp_split_page"] == 1
    assert landing(trace.last.world).targets == 0


def test_compaction_makes_room_where_pages_can_be_moved():
    """The guest's huge pages are made outside CMA, because a movable request may compact."""
    mapped = boot_guest(cma=0, compaction="on")
    assert mapped.outcome(end(mapped)) == "mapped"
    made = end(boot_guest(cma=0, compaction="on", pin="none")).world.vmstat
    assert made["thp_file_alloc"] == 4
    assert made["compact_success"] > 0
    assert end(boot_guest(cma=0, pin="none")).world.vmstat["thp_file_fallback"] == 4


def test_a_run_of_thousands_of_steps_is_told_in_a_few_pages(monkeypatch):
    monkeypatch.setattr("mmsim.views.run.ROWS_MAX", 100)
    trace = boot_guest("v3", guest=4).run()
    assert len(trace) > 10_000
    table = step_table(trace).splitlines()
    assert len(table) < 250
    (left_out,) = (line for line in table if "left out" in line)
    first, last = map(int, re.findall(r"[0-9]+", left_out))
    numbers = re.findall(r"^ *(?:[0-9]+-)?([0-9]+) ", "\n".join(table), re.MULTILINE)
    assert {str(first - 1), str(last + 1), str(len(trace))} <= {*numbers}
    assert len(step_table(boot_guest(guest=512, pin="none").run()).splitlines()) < 25


def test_a_run_that_nobody_could_look_at_is_refused_with_a_sentence():
    long = boot_guest("v3", guest=256)
    assert long.landed().in_cma.thps == 128
    with pytest.raises(ValueError, match=r"^version v3 would split 128 huge pages .* pin=none"):
        long.run()
    assert boot_guest("v3", guest=256, pin="none").run().results == {"guest": 256 * MIB}
    assert len(boot_guest("base", guest=256).run()) < 8_000  # base gives up at the first


def test_a_host_that_compaction_would_look_through_for_minutes_is_refused_with_a_sentence():
    with pytest.raises(UserError, match="compaction would look through all of it"):
        boot_guest(host=1 << 20, compaction="on")
    assert boot_guest(host=1 << 12, compaction="on").knobs["host"] == 1 << 12


def test_a_host_without_any_free_memory_is_no_mistake():
    """It ended in a sentence about orders that nobody had asked for."""
    run = boot_guest(host=16, used=100, cma=0).run()
    assert run.scenario.outcome(run.last) == NO_ROOM
