"""Counters back to paths: the report, the 11 for 10, seeded cases of the model, real kernels."""

from __future__ import annotations

import functools
import random
from pathlib import Path

import pytest

from mmsim import datafiles
from mmsim.evidence.diagnose import (
    EVIDENCE,
    REFUSED,
    delta,
    diagnose,
    explain,
    next_counters,
    read,
    signs,
)
from mmsim.evidence.ftrace import read as read_trace
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import make, vfio_map
from mmsim.scenarios.situation import NOT_SPLIT, SINGLE
from mmsim.views.flow import taken

PAIR = "thp_migration_fail +1\nthp_split_page_failed +1\n"
ELEVEN = "thp_migration_fail +11\nthp_split_page_failed +10\n"
REPAIRED = "thp_migration_fail 1\nthp_split_page_failed 10\npgmigrate_fail 512"
ONCE, TEN = ("base", "6.1.0"), ("v1", "v2", "v3", "2/2-only")


def first(found):
    return found.groups[0].paths[0]


def refused(path):
    return taken(path.fate.trace()).at_check


@pytest.mark.parametrize("version", ONCE)
def test_the_reported_pair_is_one_refusal_of_a_pin(version):
    found = diagnose(PAIR, kernel=version)
    path = first(found)
    assert (path.fate.outcome, path.fate.reason, refused(path)) == (NOT_SPLIT, "longterm_pin", 1)
    assert path.fate.setting.knobs["holder"] == 1
    troubles = [p.fate.setting.knobs.get("trouble") for p in found.groups[0].paths]
    assert troubles[:3] == [None, "truncated", "nomem"]


@pytest.mark.parametrize("version", [name for name in VERSIONS if name not in ONCE])
def test_in_a_patched_kernel_the_pair_means_something_else(version):
    """One refusal of a reference would have been tried again."""
    found = diagnose(PAIR, kernel=version)
    assert all(
        p.fate.setting.knobs.get("trouble")
        or p.fate.reason != "longterm_pin"
        or p.fate.returns == (0,)
        for group in found.groups
        for p in group.paths
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_eleven_for_ten_is_a_reference_that_stayed(version):
    found = diagnose(ELEVEN, kernel=version)
    if version in TEN:
        path = first(found)
        assert (path.fate.outcome, refused(path), path.fate.returns) == (NOT_SPLIT, 10, (11,))
        assert len(found.groups[0].paths) == 1
    else:
        assert found.groups == ()
        assert not found.explained


def test_without_a_version_the_pair_names_the_kernels_without_the_patch_first():
    assert first(diagnose(PAIR)).versions == ONCE
    assert first(diagnose(ELEVEN)).versions == TEN


@pytest.mark.parametrize("version", VERSIONS)
def test_the_repaired_count_of_ten_refusals(version):
    """Other versions need nine refusals, or ten, of somebody else."""
    others = first(diagnose(REPAIRED, kernel=version)).others
    assert bool(others) == (version not in ("v3fix", "6.12"))
    assert others.get(REFUSED, 0) in (0, 9, 10)
    assert first(diagnose(REPAIRED)).versions == ("v3fix", "6.12")


# -- cases made by the model itself


@functools.cache
def case(seed):
    """A situation with real huge pages, of everything that the family speaks of, and its run."""
    draw = random.Random(seed)
    version = draw.choice(list(VERSIONS))
    kind = draw.choice(["held", "held", "held", "room", "trouble", "reason", "free"])
    knobs = {"thps": draw.randint(1, 3)}
    knobs["holder"] = draw.randint(1, knobs["thps"])
    knobs["taken"] = draw.choice(["start", "start", "0.split.freeze", "0.move.freeze", "1"])
    knobs["released"] = draw.choice(["never", *map(str, range(2, 10))])
    if kind == "room":
        knobs["targets"] = "available"
    if kind == "free":
        knobs = {"thps": draw.randint(1, 3), "holder": 0}
    if kind == "trouble":
        knobs = {"holder": 0, "trouble": draw.choice(["truncated", "nomem", "writeback"])}
    if kind == "reason":
        knobs = {"holder": 1, "reason": draw.choice(["syscall", "compaction", "numa_misplaced"])}
    situation = vfio_map(version, **knobs)
    return situation, situation.run()


def way(t):
    """What a run did, as far as it does not depend on the size of the pages.

    Where a split was refused leaves no trace once the page is split."""
    missed = t.missed if t.pieces_visited else 0
    check, freeze = (t.at_check + t.at_freeze, 0) if t.split else (t.at_check, t.at_freeze)
    return (t.moved, t.no_target, t.tried, check, freeze, t.before_check, t.split, missed)


@functools.cache
def plain(version):
    """What a huge page does that nobody holds: with room, and without."""
    runs = (vfio_map(version, holder=0, order=1, targets=t).run() for t in ("available", "none"))
    return [way(taken(run)) for run in runs]


def total(path):
    """The same of a path: its fate, and the plain things beside it."""
    fate = way(taken(path.fate.trace()))
    sums = [
        path.times * n + path.whole * a + path.split * b
        for n, a, b in zip(fate, *plain(path.fate.version), strict=True)
    ]
    sums[-1] += path.pieces
    return tuple(sums)


# What others do on the same machine, counter by counter; n stands for any number.
NOISE = {
    "mappings": {"thp_split_pmd": "n"},
    "pages moved": {"pgmigrate_success": "n"},
    "pages not moved": {"pgmigrate_fail": "n"},
    "both": {"pgmigrate_success": 900, "pgmigrate_fail": "n"},
    "512 of both": {"pgmigrate_success": 512, "pgmigrate_fail": 512},
    "splits": {"thp_split_page": "n", "thp_split_pmd": "n"},
    "huge page": {"thp_migration_success": 1, "pgmigrate_success": 512},
    "CMA": {"cma_alloc_success": "n"},
    "CMA fails": {"cma_alloc_success": 12, "cma_alloc_fail": "n"},
    "compaction": {"compact_stall": 2, "pgmigrate_success": 345, "pgmigrate_fail": "n"},
    "kcompactd": {"compact_daemon_wake": 3, "pgmigrate_success": 4345, "pgmigrate_fail": 1},
    "NUMA": {"numa_pages_migrated": 120, "numa_hint_faults": 500, "pgmigrate_success": 120},
    "demotion": {"pgdemote_kswapd": 64, "pgmigrate_success": 64},
    "everything": {
        "pgmigrate_success": 900,
        "pgmigrate_fail": 9,
        "thp_split_page": 2,
        "thp_split_pmd": 5,
        "cma_alloc_success": 3,
        "cma_alloc_fail": 1,
        "compact_stall": 2,
    },
}


@pytest.mark.parametrize("noise", ["", *NOISE])
@pytest.mark.parametrize("seed", range(30))
def test_a_case_of_the_model_is_diagnosed_with_its_true_path_first(seed, noise):
    """All counters given: the first group has the path, among those that count the same."""
    situation, trace = case(seed)
    version = situation.version.name
    moved = delta(trace.state(0).world.vmstat, trace.last.world.vmstat)
    assert moved.moved
    for n in (1, 301) if "n" in NOISE.get(noise, {}).values() else (0,):
        more = {name: n if by == "n" else by for name, by in NOISE.get(noise, {}).items()}
        given = {name: by + more.get(name, 0) for name, by in moved.given.items()}
        others = {name: by for name, by in more.items() if name not in given}
        whole, *truth = way(taken(trace))
        truth = (whole + more.get("thp_migration_success", 0), *truth)
        for told in (version, None) if n < 2 else (version,):
            group = explain(moved._replace(given=given, others=others), told).groups[0]
            assert truth in [total(path) for path in group.paths if version in path.versions]
            assert group.counters == given


@pytest.mark.parametrize("seed", range(10))
def test_refused_splits_of_others_come_last(seed):
    """The true path is there, but below every one that needs no such split."""
    situation, trace = case(seed)
    moved = delta(trace.state(0).world.vmstat, trace.last.world.vmstat)
    given = {**moved.given, REFUSED: moved.given[REFUSED] + 2}
    groups = explain(moved._replace(given=given), situation.version.name, rarer=True).groups
    paths = [path for group in groups for path in group.paths]
    assert way(taken(trace)) in [total(path) for path in paths if path.others.get(REFUSED) == 2]
    theirs = [REFUSED in path.others for path in paths]
    assert theirs == sorted(theirs)


# -- what no path explains


@pytest.mark.parametrize(
    "text",
    [
        "thp_migration_fail 7\nthp_split_page_failed 1",
        "pgmigrate_fail 7\npgmigrate_success 3\nthp_migration_split 0\nthp_migration_fail 2",
        "thp_migration_success 1\npgmigrate_success 511",
        "thp_migration_split 1\nthp_split_page 0",
    ],
)
@pytest.mark.parametrize("version", ["base", "v2"])
def test_a_delta_that_no_path_explains_is_refused(text, version):
    found = diagnose(text, kernel=version)
    assert found.groups == ()
    assert not found.explained
    path, wrong = found.nearest
    assert wrong
    assert all(found.delta.given[name] == n != has for name, (n, has) in wrong.items())
    assert path.versions == (version,)


def test_nothing_moved_is_nothing_to_explain():
    found = diagnose("thp_migration_fail 0\npgmigrate_fail 0")
    assert found.explained
    assert found.groups == ()


# -- what is beside it


def test_many_pages_and_one_that_was_held():
    found = diagnose(
        "pgmigrate_success 51200\nthp_migration_success 100\npgmigrate_fail 512\n"
        "thp_migration_fail 11\nthp_split_page_failed 10\nthp_migration_split 0",
        kernel="v3",
    )
    path = first(found)
    assert (path.whole, path.split, path.times, refused(path)) == (100, 0, 1, 10)


def test_pieces_that_missed_their_pass_are_counted():
    """Seven pieces of one huge page: what a real kernel shows while drop_caches runs."""
    found = diagnose(
        "pgmigrate_success 505\npgmigrate_fail 7\nthp_migration_fail 1\nthp_migration_split 1",
        kernel="v3",
    )
    path = first(found)
    assert path.fate.counters["pgmigrate_fail"] + path.pieces == 7


def test_a_single_page_among_five_hundred():
    found = diagnose(
        "pgmigrate_success 511\npgmigrate_fail 1\nthp_migration_fail 0\nthp_migration_success 0\n"
        "thp_migration_split 0",
        kernel="base",
    )
    path = first(found)
    assert (path.fate.outcome, path.singles, path.times) == (SINGLE, 511, 1)


def test_seven_single_pages_that_were_busy():
    found = diagnose("pgmigrate_success 505\npgmigrate_fail 7\nthp_migration_fail 0", kernel="v3")
    path = first(found)
    assert (path.fate.outcome, path.singles, path.times) == (SINGLE, 505, 7)
    assert found.by_others


def test_three_attempts_are_three_times_the_pair():
    found = diagnose(
        "thp_migration_fail 3\nthp_split_page_failed 3\npgmigrate_fail 1536", kernel="base"
    )
    assert first(found).times == 3


def test_the_owner_of_cma_sees_what_v1_changed():
    moved = "cma_alloc_fail 1\nthp_migration_fail {0}\nthp_split_page_failed {0}"
    base, v1 = (diagnose(moved.format(n), kernel=v) for n, v in ((1, "base"), (5, "v1")))
    assert first(base).fate.setting.scenario == first(v1).fate.setting.scenario == "cma_alloc"
    assert first(v1).fate.returns == (-11,) * 5


def test_other_owners_of_cma_do_not_matter_for_a_pin():
    found = diagnose(PAIR + "cma_alloc_success 12\ncma_alloc_fail 0", kernel="base")
    assert first(found).fate.setting.scenario == "vfio_map"


@pytest.mark.parametrize(
    ("text", "by_others"),
    [
        ("cma_alloc_fail 3", True),
        ("thp_split_pmd 7\nthp_split_page 2", True),
        ("pgmigrate_success 512\nthp_migration_success 1", True),
        ("pgmigrate_success 8192\nthp_migration_success 1", True),
        ("pgmigrate_success 511\nthp_migration_success 1", False),
        ("pgmigrate_fail 1\nthp_split_page_failed 1", False),
        ("pgmigrate_fail 1\nthp_split_page_failed 1\nthp_migration_fail 0", True),
        (PAIR, False),
        ("mm_migrate_pages: nr_succeeded=0 nr_failed=1 mode=a reason=longterm_pin", False),
    ],
)
def test_what_others_do_all_the_time_is_no_pin(text, by_others):
    """Unless a trace says whom pages were moved for."""
    found = diagnose(text)
    assert found.by_others == by_others
    assert found.groups == () or not text.startswith("cma")


@pytest.mark.parametrize("reason", ["compaction", "contig_range", "numa_misplaced", "longterm_pin"])
def test_every_reason_has_single_pages(reason):
    text = f"mm_migrate_pages: nr_succeeded=31 nr_failed=2 mode=a reason={reason}"
    path = first(diagnose(text))
    assert (path.fate.is_huge, path.times, path.singles) == (False, 2, 31)
    assert path.fate.is_for(reason)


@pytest.mark.parametrize("size", [256, 1024, 2048, 8192])
def test_huge_pages_of_another_size(size):
    text = f"pgmigrate_fail {size}\npgmigrate_success {3 * size}\nthp_migration_success 3\n"
    path = first(diagnose(f"{text}thp_migration_fail 1\nthp_split_page_failed 1", kernel="base"))
    assert (path.size, path.whole, path.others) == (size, 3, {})


# -- real kernels


TRACES = sorted(datafiles.path("kernel-runs/traces").iterdir())


@pytest.mark.parametrize("file", TRACES, ids=lambda file: Path(file).stem)
def test_a_measured_pin_is_explained_by_its_own_version(file):
    text = file.read_text(encoding="utf-8")
    real = read_trace(text)
    found = explain(read(text), real.version)
    path = first(found)
    held, room = "held" in file.stem, "order9ok" in file.stem
    units = len(real.units_before)
    assert path.fate.reason == "longterm_pin"
    assert path.fate.setting.knobs["holder"] == int(held)
    if held and not room:
        assert refused(path) == (1 if real.variant == "base" else 10)
        assert path.split == (units - 1 if real.variant != "base" else 0)
    elif not held:
        assert path.whole + path.split == units - 1
    assert (path.singles > 0) == (file.stem == "S2_real_base_retfix1")


# -- what to look at next


def test_the_counter_that_tells_check_from_freeze_is_named():
    found = diagnose(PAIR, kernel="base")
    assert next_counters(found.groups, found.delta.unknown)["thp_split_pmd"] == [0, 1, 0]


def test_the_probe_that_tells_the_suspects_apart_is_named():
    rows = signs(diagnose(PAIR, kernel="base").groups[0])
    assert rows["return probe on split_huge_page_to_list()"][:3] == ["-EBUSY", "-EBUSY", "-ENOMEM"]
    assert rows["tracepoint mm_migrate_pages, field reason"][-1] == "contig_range"


def test_a_policy_can_be_asked_about():
    found = diagnose(
        "thp_migration_fail 1\nthp_split_page_failed 10\npgmigrate_fail 512", kernel="wait"
    )
    assert first(found).versions == ("wait",)
    with pytest.raises(ValueError, match="did you mean 'v2'"):
        diagnose(PAIR, kernel="v22")


def test_counters_that_are_evidence_are_counters_of_the_model():
    assert set(EVIDENCE) <= set(make("vfio_map").initial().world.vmstat)


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        ("6.12.13", "off its LRU"),
        ("6.12.14", "was pinned where it was"),
        ("6.12.36-1~deb", "off its LRU"),
        ("6.12.49", "emptied the batches of all CPUs"),
        ("6.12.117", ""),
    ],
)
def test_a_patch_level_is_searched_as_its_row_and_says_what_differs(kernel, says):
    found = diagnose("thp_migration_fail +1\nthp_split_page_failed +10", kernel=kernel)
    assert found.versions == ("6.12",)
    assert found.groups
    assert says in " ".join(found.delta.notes)
    assert bool(found.delta.notes) == bool(says)
