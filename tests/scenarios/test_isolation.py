"""The isolation test of a pin: as it was meant, and inverted as in the trees of most versions."""

from __future__ import annotations

import pytest

from mmsim.cli import main
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios import lru_batch, make
from mmsim.scenarios.situation import PINNED, SINGLE

HAD = ("base", "6.1.0", "v1", "v2", "v3", "2/2-only")
NEVER = tuple(name for name in (*VERSIONS, *POLICIES) if name not in HAD)

PINS = ("vfio_map", "pin_versus", "timed_hold", "lru_batch", "boot_guest")


@pytest.mark.parametrize("version", HAD)
def test_the_accidental_drain_rescues_a_page_in_a_batch(version):
    """The outcome; pages pinned and released; drains; migrations."""
    for isolation, found in (
        ("meant", (SINGLE, 2, 2, 0, 1)),
        ("inverted", (PINNED.outcome, 6, 4, 1, 1)),
    ):
        situation = lru_batch(version, isolation=isolation)
        trace = situation.run()
        vmstat = trace.last.world.vmstat
        flow = (vmstat["nr_foll_pin_acquired"], vmstat["nr_foll_pin_released"])
        names = [event.op.kind.name for event in trace.events]
        counted = ("lru_add_drain_all", "trace_mm_migrate_pages_start")
        assert (situation.outcome(trace.last), *flow, *map(names.count, counted)) == found


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
@pytest.mark.parametrize(("isolation", "said"), [("meant", "as meant"), ("inverted", "inverted")])
def test_a_pin_says_which_test_it_has_where_its_kernel_had_another(
    capsys, version, isolation, said
):
    if version in HAD or isolation == "meant":
        words = ("--version", version, "--set", f"isolation={isolation}")
        assert main(("run", "lru_batch", *words)) == 0
        first = capsys.readouterr().out.splitlines()[0]
        assert (f"; isolation {said})" in first) == (version in HAD)
