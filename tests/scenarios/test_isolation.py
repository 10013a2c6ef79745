"""The isolation test of a pin: as it was meant, and inverted as in the trees of most versions."""

from __future__ import annotations

import pytest

from mmsim.cli import main
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios import SCENARIOS, make
from mmsim.scenarios.situation import NOT_SPLIT, PINNED, SINGLE

HAD = ("base", "6.1.0", "v1", "v2", "v3", "2/2-only")
TODAY = tuple(name for name in (*VERSIONS, *POLICIES) if name.startswith("6.12"))
NEVER = ("v3fix", "subpage_retry", "drain", "wait", *TODAY)

# Every scenario with a long-term pin: knobs with which one huge page can never be split.
REFUSED = {
    "vfio_map": {},
    "pin_versus": {"against": "permanent_pin", "released": "never"},
    "timed_hold": {"hold": 100_000},
}
PINS = (*REFUSED, "lru_batch", "boot_guest")
NO_PIN = ("drop_caches_only", "cma_alloc", "split_race")


def ran(scenario, version, **knobs):
    """The outcome; pages pinned and released; how often the pin looked at where its first page
    lies; drains; migrations."""
    situation = make(scenario, version, knobs)
    trace = situation.run()
    steps = [event.op for event in trace.events if event.actor == situation.main]
    names = [op.kind.name for op in steps]
    looks = [op.args for op in steps if op.kind.name == "is_longterm_pinnable_page"]
    vmstat = trace.last.world.vmstat
    flow = (vmstat["nr_foll_pin_acquired"], vmstat["nr_foll_pin_released"])
    counted = ("lru_add_drain_all", "trace_mm_migrate_pages_start")
    rounds = looks.count(looks[0])
    return (situation.outcome(trace.last), *flow, rounds, *map(names.count, counted))


def test_these_are_all_versions_and_all_scenarios():
    assert {*HAD, *NEVER} == {*VERSIONS, *POLICIES}
    assert {*PINS, *NO_PIN} == {*SCENARIOS}


@pytest.mark.parametrize(
    ("scenario", "version"), [*(("vfio_map", v) for v in HAD), *((s, "v3") for s in REFUSED)]
)
def test_a_huge_page_that_can_t_be_split(scenario, version):
    """The figures of the real 6.1-rc1 are those of the inverted test, not those of the row."""
    other = int(scenario == "pin_versus")  # the pin of somebody else, who keeps it
    meant = ran(scenario, version, **REFUSED[scenario])
    assert meant == (NOT_SPLIT, 512 + other, 512, 1, 0, 1)
    inverted = ran(scenario, version, **REFUSED[scenario], isolation="inverted")
    assert inverted == (NOT_SPLIT, 1024 + other, 1024, 2, 1, 1)


@pytest.mark.parametrize("version", HAD)
def test_the_accidental_drain_rescues_a_page_in_a_batch(version):
    assert ran("lru_batch", version) == (SINGLE, 2, 2, 1, 0, 1)
    assert ran("lru_batch", version, isolation="inverted") == (PINNED.word, 6, 4, 2, 1, 1)


@pytest.mark.parametrize(
    ("scenario", "version"), [*(("vfio_map", v) for v in NEVER), *((s, "6.12") for s in PINS)]
)
def test_a_version_that_never_had_it_is_told_which_had(capsys, scenario, version):
    words = ("run", scenario, "--version", version, "--set", "isolation=inverted")
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "mmsim: isolation=inverted needs a version that had the inverted test "
        f"({', '.join(HAD[:5])}, 2/2-only), not {version}\n"
    )
    assert make(scenario, version, {"isolation": "meant"}).version.isolate_inverted is False


@pytest.mark.parametrize("version", [*HAD, *NEVER])
def test_a_pin_says_which_test_it_has_where_its_kernel_had_another(capsys, version):
    had = version in HAD
    for knob, words in (("meant", "; isolation as meant)"), ("inverted", "; isolation inverted)")):
        if had or knob == "meant":
            assert (
                main(("run", "lru_batch", f"--version={version}", f"--set=isolation={knob}")) == 0
            )
            assert (words in capsys.readouterr().out.splitlines()[0]) == had
