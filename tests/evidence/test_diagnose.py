"""Counters back to paths: what is read, the stored runs, what explains the counters, the report."""

from __future__ import annotations

import functools
import json
import random
import re
import shlex
from pathlib import Path

import build_stored_runs
import pytest

from mmsim import datafiles
from mmsim.cli import main
from mmsim.evidence.counters import EVIDENCE, UNITS, delta, read
from mmsim.evidence.diagnose import PIN, STAGES, Explanation, explain, stored_runs
from mmsim.evidence.ftrace import read as read_trace
from mmsim.evidence.pasted import PasteError
from mmsim.mm.versions import POLICIES, VERSIONS
from mmsim.scenarios import vfio_map
from mmsim.views.diagnosis import NO_PATH, RARER, command, path_words, report
from mmsim.views.flow import count_flow

PAIR = "thp_migration_fail +1\nthp_split_page_failed +1\n"
ELEVEN = "thp_migration_fail +11\nthp_split_page_failed +10\n"
ONE_FOR_TEN = ELEVEN.replace("+11", "+1")
EVERY = [*VERSIONS, *POLICIES]


def diagnose(text, kernel=None):
    return explain(read(text), kernel)


# -- what may be handed in

OTHERS = ("nr_free_pages", "nr_mapped", "pgfault", "pgpgin", "drop_pagecache", "compact_stall")
CALL = (
    "qemu-1 [000] ..... 1.0: mm_migrate_pages: nr_succeeded={} nr_failed={} nr_thp_succeeded=0 "
    "nr_thp_failed={} nr_thp_split=0 mode=MIGRATE_SYNC reason={}\n"
)


def vmstat(**moved):
    """A text of /proc/vmstat."""
    counters = dict.fromkeys((*OTHERS, *EVIDENCE), 100) | {f"pgalloc_{i}": i for i in range(60)}
    counters = {name: n + moved.get(name, 0) for name, n in counters.items()}
    return "".join(f"{name} {n}\n" for name, n in counters.items())


def test_two_texts_give_what_moved_and_what_is_not_looked_at():
    pair = {"thp_migration_fail": 1, "thp_split_page_failed": 1}
    others = {"drop_pagecache": 1, "nr_mapped": -3, "pgfault": 7}
    found = read(vmstat(), vmstat(**pair, **others))
    assert (found.moved, found.others, found.unknown) == (pair, others, ())


@pytest.mark.parametrize(
    "text",
    [
        "thp_migration_fail 1\n\n# the report\nthp_split_page_failed    10\n",
        "thp_migration_fail: 1\r\nthp_split_page_failed = +10\r\n",
        "  thp_migration_fail=1  # one\n\tthp_split_page_failed=10",
        "thp_migration_fail 1, thp_split_page_failed 10",
        '{"thp_migration_fail","1" “thp_split_page_failed”: **10**};',
    ],
)
def test_lists_are_read_in_any_usual_form(text):
    found = read(text)
    assert found.given == {"thp_migration_fail": 1, "thp_split_page_failed": 10}
    assert "pgmigrate_fail" in found.unknown


def test_a_trace_is_summed_up_for_each_reason_failures_first():
    text = CALL.format(33, 0, 0, "compaction") + CALL.format(0, 512, 1, "longterm_pin") * 2
    found = read(f"# tracer: nop\n{text} kswapd-1 [000] 1.0: mm_vmscan_x: a=b\n")
    assert found.moved == {"pgmigrate_fail": 1024, "thp_migration_fail": 2}
    assert found.reason == "longterm_pin"
    assert [(each.reason, each.moved) for each in found.also] == [
        ("compaction", {"pgmigrate_success": 33})
    ]
    assert found.notes == ("Lines of other events, not read: 1.",)
    assert "thp_split_page_failed" in found.unknown
    assert read(CALL.format(1, 0, 0, "0x7")).reason == "longterm_pin"
    line = CALL.format(0, 512, 1, PIN)
    for dressed in (f" 3)  | /* {line.strip()} */\n", f"{line[:80]}\n{line[80:]}"):
        assert read(dressed).moved == {"pgmigrate_fail": 512, "thp_migration_fail": 1}
    for seen, lost in (("9/24 #P:4", True), ("9/9", False), ("9/9\nCPU:3 [LOST 4 EVENTS]", True)):
        said = read(f"# entries-in-buffer/entries-written: {seen}\n{line}").notes
        assert ("The tracer lost events" in str(said)) == lost


BEFORE, AFTER = vmstat(), vmstat(thp_migration_fail=1, pgfault=5)
TRACE = "x: mm_migrate_pages: nr_succeeded=0 nr_failed=1 nr_thp_succeeded=0 nr_thp_failed={} {}"
REASON = "mode=a reason=longterm_pin"
OLD = "mm_migrate_pages: nr_succeeded=1 nr_failed=0 mode=a reason=b"


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ((AFTER, BEFORE), "every counter that moved went back (pgfault from 105 to 100): swap"),
        (
            (vmstat(pgpgin=9), vmstat(pgfault=9)),
            "different boots: counters went back, for instance pgpgin from 109 to 100",
        ),
        ((BEFORE, ""), "AFTER is empty"),
        ((BEFORE, BEFORE.replace("pgfault 100\n", "")), "one of them is cut: only BEFORE has pgf"),
        ((BEFORE, AFTER + "workingset_x 4\n"), "of two kernels, or one of them is cut: only AFTER"),
        ((BEFORE, AFTER + "pgal"), "AFTER, line 77: write a counter"),
        ((BEFORE, "thp_split_pmd +3\n"), "'thp_split_pmd +3' is a movement and not a reading"),
        ((BEFORE + AFTER,), "stands in line 1 already: give two readings as two files"),
        ((BEFORE,), "BEFORE is a whole /proc/vmstat; give two of them"),
        (("pgfault 1\n", "pgfault 2\n"), "BEFORE has no counter of the model"),
        (("pgfault +1\n",), "has no counter of the model: 'pgfault'; there are: pgmigrate_success"),
        (("thp_migration_fails +1\n",), "did you mean 'thp_migration_fail'"),
        (("thp_migration_fail -1\n",), "thp_migration_fail went back by 1; counters never do"),
        (("thp_migration_fail one\n",), "'thp_migration_fail +1', not 'thp_migration_fail one'"),
        ((TRACE.format("1", REASON),), "line 1: a line of mm_migrate_pages has no value nr_thp"),
        ((TRACE.format("x", f"nr_thp_split=0 {REASON}"),), "nr_thp_failed is no number: 'x'"),
        ((TRACE.format("1", "nr_thp_split=0 mode=a"),), "has no value reason"),
        ((TRACE.format("1", f"nr_failed=2 {REASON}"),), "can't be read as a line of mm_"),
        ((CALL.format(1, 1, 0, "a") + OLD,),
         "line 2: this has other values than line 1: give one kernel's"),
        ((CALL.format(1, 1, 0, "a") + "pgmigrate_fail 1",), "this is a counter, and there is"),
        (("-- S3\n==== trace\n",), "BEFORE, line 1"),
        (("3 " + OLD,), "line 1: this begins with 3 : give each call as often as it came"),
        ((CALL.format(1, 1, 0, PIN)[:-5],), "the line is cut in its reason, 'longterm'"),
        (("x: mm_migrate_pages_start: mode=a reason=b",), "Only the event at the end of a call"),
        (("cma_alloc_fail 3 cma_alloc_fail 4",), "line 1: cma_alloc_fail stands in line 1 already"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_told_in_one_sentence(texts, says):
    with pytest.raises(PasteError, match=r"\A[^\n]{1,320}\Z") as told:
        read(*texts)
    assert says in str(told.value)


# -- the family

FULL = 9


@pytest.mark.parametrize(("version", "part"), [("base", 5), ("v3fix", 40)])
def test_what_two_small_sizes_say_of_a_huge_page_is_what_a_huge_page_does(version, part):
    """Stored runs of the first two stages, at their real size."""
    for run in [run for stage in (1, 2) for run in stored_runs(version, stage)][::part]:
        vmstat = build_stored_runs.at_order(run, FULL).last.world.vmstat
        assert run.counters == {name: vmstat[name] for name in EVIDENCE}, run


@pytest.mark.slow
@pytest.mark.parametrize("version", EVERY)
def test_each_stored_schedule_still_ends_so_and_has_words(version):
    """If it does not end so: python tools/build_stored_runs.py."""
    for run in [run for stage in STAGES for run in stored_runs(version, stage)]:
        trace = run.trace()
        moved = trace.last.world.vmstat
        assert run.situation().outcome(trace.last) == run.outcome
        assert run.units == {name: moved[name] for name in UNITS}
        words = path_words(Explanation((version,), run))
        assert re.fullmatch(r"[a-z](?!.*(None|-\d)).* returns .*", words)  # never less than 0 times


@pytest.mark.slow
@pytest.mark.parametrize("version", ["base", "6.12"])
def test_what_is_stored_is_what_a_search_finds(version):
    head, *stored = build_stored_runs.FILE.read_text(encoding="utf-8").splitlines()
    mine = [row for row in stored if row.startswith(f"{version},")]
    assert build_stored_runs.text((version,)).splitlines() == [head, *mine]
    assert {row.partition(",")[0] for row in stored} == {*EVERY}


# -- what explains the counters


def first(found):
    return found.groups[0].paths[0]


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


# What others do on the same machine, counter by counter; n stands for any number.
NOISE = {
    "mappings": {"thp_split_pmd": "n"},
    "pages moved": {"pgmigrate_success": "n"},
    "pages not moved": {"pgmigrate_fail": "n"},
    "both": {"pgmigrate_success": 900, "pgmigrate_fail": "n"},
    "512 of both": {"pgmigrate_success": 512, "pgmigrate_fail": 512},
    "splits": {"thp_split_page": "n", "thp_split_pmd": "n"},
    "huge page": {"thp_migration_success": 1, "pgmigrate_success": 512},
    "CMA fails": {"cma_alloc_success": 12, "cma_alloc_fail": "n"},
    "everything": {
        "pgmigrate_success": 900, "pgmigrate_fail": 9, "thp_split_page": 2, "thp_split_pmd": 5,
        "cma_alloc_success": 3, "cma_alloc_fail": 1, "compact_stall": 2,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("seed", "noise"),
    [(seed, noise) for seed in range(14) for noise in ["", *list(NOISE)[seed % 4 :: 4]]],
)
def test_a_case_of_the_model_is_diagnosed_with_its_true_path_first(seed, noise):
    """All counters given: the first group has the path, among those that count the same."""
    situation, trace = case(seed)
    version, knobs = situation.version.name, situation.knobs
    outcome = situation.outcome(trace.last)
    truth = (situation.name, knobs["reason"], knobs["trouble"], True, outcome)
    moved = delta(trace.state(0).world.vmstat, trace.last.world.vmstat)
    assert moved.moved
    for n in (1, 301) if "n" in NOISE.get(noise, {}).values() else (0,):
        more = {name: n if by == "n" else by for name, by in NOISE.get(noise, {}).items()}
        given = {name: by + more.get(name, 0) for name, by in moved.given.items()}
        others = {name: by for name, by in more.items() if name not in given}
        for told in (version, None) if n < 2 else (version,):
            group = explain(moved._replace(given=given, others=others), told).groups[0]
            assert truth in [path.run.kind for path in group.paths if version in path.versions]
            assert group.counters == given


@pytest.mark.parametrize(
    "text",
    [
        "thp_migration_fail 7, thp_split_page_failed 1",
        "pgmigrate_fail 7, pgmigrate_success 3, thp_migration_split 0, thp_migration_fail 2",
        "thp_migration_success 1, pgmigrate_success 511",
        "thp_migration_split 1, thp_split_page 0",
    ],
)
@pytest.mark.parametrize("version", ["base", "v2"])
def test_a_delta_that_no_path_explains_is_refused(text, version):
    found = diagnose(text, kernel=version)
    assert (found.groups, found.explained) == ((), False)
    path, wrong = found.nearest
    assert wrong
    assert all(found.delta.given[name] == n != has for name, (n, has) in wrong.items())
    assert path.versions == (version,)


NO_HUGE = "thp_migration_fail 0, thp_migration_success 0, thp_migration_split 0"
REFUSED_ONCE = "thp_migration_fail 1, thp_split_page_failed 1"


@pytest.mark.parametrize(
    ("text", "version", "wanted"),
    [
        (
            "pgmigrate_success 51200, thp_migration_success 100, pgmigrate_fail 512, "
            "thp_migration_fail 11, thp_split_page_failed 10, thp_migration_split 0",
            "v3",
            {"whole": 100, "split": 0, "times": 1},
        ),
        (f"pgmigrate_success 511, pgmigrate_fail 1, {NO_HUGE}", "base",
         {"singles": 511, "times": 1}),
        ("pgmigrate_success 505, pgmigrate_fail 7, thp_migration_fail 0", "v3",
         {"singles": 505, "times": 7}),
        ("thp_migration_fail 3, thp_split_page_failed 3, pgmigrate_fail 1536", "base",
         {"times": 3}),
        # What is simpler: one way for one page; no piece that was busy as well.
        ("thp_migration_fail 2, thp_split_page_failed 0, pgmigrate_fail 0", "base", {"times": 1}),
        ("thp_migration_fail 1, thp_split_page_failed 1, pgmigrate_fail 1", "base", {"pieces": 0}),
        *(
            (f"pgmigrate_fail {size}, pgmigrate_success {3 * size}, thp_migration_success 3, "
             f"{REFUSED_ONCE}", "base", {"size": size, "whole": 3, "others": {}})
            for size in (256, 1024, 2048, 8192)
        ),
    ],
)  # fmt: skip
def test_what_is_beside_a_path(text, version, wanted):
    path = first(diagnose(text, kernel=version))
    assert {name: getattr(path, name) for name in wanted} == wanted


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
    assert (path.run.is_huge, path.times, path.singles) == (False, 2, 31)
    assert path.run.is_for(reason)


TRACES = sorted(datafiles.path("kernel-runs/traces").iterdir())


@pytest.mark.parametrize("file", TRACES, ids=lambda file: Path(file).stem)
def test_a_measured_pin_is_explained_by_its_own_version(file):
    text = file.read_text(encoding="utf-8")
    real = read_trace(text)
    found = explain(read(text))
    path = first(found)
    assert (found.versions, found.delta.reason) == ((real.version,), "longterm_pin")
    assert "contig_range" not in report(found)
    assert any("for compaction" in note for note in found.delta.notes) == ("reason=comp" in text)
    held, room = "held" in file.stem, "order9ok" in file.stem
    units = len(real.units_before)
    assert path.run.reason == "longterm_pin"
    assert path.run.setting.knobs["holder"] == int(held)
    if held and not room:
        assert count_flow(path.run.trace()).at_check == (1 if real.kernel[1] == "base" else 10)
        assert path.split == (units - 1 if real.kernel[1] != "base" else 0)
    elif not held:
        assert path.whole + path.split == units - 1
    assert (path.singles > 0) == (file.stem == "S2_real_base_retfix1")


# -- the report

HOLE = "a huge page is moved whole; no huge page is free; the split is refused once"
"""The hole of v2: whole pages were moved, and a split was refused in the end."""
COMPACTED = "compact_stall 3\npgmigrate_success 50\nthp_split_page_failed 2\nthp_migration_fail 0"


@pytest.mark.parametrize(
    ("text", "words", "says", "and_not"),
    [
        (PAIR, "--kernel base", [
            "Not given, so not known: pgmigrate_success",
            "paths that counters can't tell apart; each also moves pgmigrate_fail +512",
            "a) base: a long-term pin; no huge page is free; the split is refused once at the ref",
            "mmsim replay vfio_map --version base",
            "thp_split_pmd: 0 in 1, 3; 1 in 2",
            "return probe on split_huge_page_to_list(): -EBUSY in 1a, 1b, 1d; -ENOMEM in 1c",
            "field reason: longterm_pin in 1a, 1b, 1c; contig_range in 1d",
        ], []),
        (PAIR.replace("+1", "+7", 1), "--kernel v2",
         [NO_PATH, "Nearest, in v2:", "thp_migration_fail would be"], []),
        (ELEVEN, "--kernel v2", ["1. 1 path;", "is refused 10 times", "returns +11"], []),
        (ELEVEN, "--version v3fix", [NO_PATH, "thp_migration_fail would be 3, not 11"], []),
        (ONE_FOR_TEN, "--kernel wait", ["a) wait: a long-term pin"], []),
        # Rarer situations are searched when somebody asks for them.
        (PAIR, "--kernel v2", [f"{RARER}\n", "-EBUSY in 1a; -ENOMEM in 1b; -EAGAIN in 1c"], [HOLE]),
        (PAIR, "--kernel v2 --all", [HOLE], [RARER, "more group"]),
        (PAIR, "--all --json", ['"complete": true'], []),
        # Where else to look.
        (PAIR, "", ["RLIMIT_MEMLOCK, or", "vfio_iommu_type1.dma_entry_limit"], []),
        ("cma_alloc_fail 3\npgmigrate_fail 40", "", ["-16 (pages were tried"], []),
        (COMPACTED, "", ["the queue of later splits"], []),
        (f"{COMPACTED}\ncompact_free_scanned 9", "", ["for somebody who"], ["compaction ran; it"]),
        (f"{PAIR}drop_pagecache 2", "", ["drop_pagecache moved by 2: drop_caches ran"], []),
    ],
)  # fmt: skip
def test_what_the_command_says(text, words, says, and_not, tmp_path, capsys):
    (tmp_path / "moved.txt").write_text(text)
    status = main(["diagnose", str(tmp_path / "moved.txt"), *words.split()])
    out = capsys.readouterr().out
    assert status == (NO_PATH in out)
    assert [each for each in says if each not in out] == []
    assert [each for each in and_not if each in out] == []


@pytest.mark.parametrize("text", [PAIR, ELEVEN, "thp_migration_fail 2\nthp_split_page_failed 1"])
def test_every_command_runs_and_moves_what_it_is_said_to(text, capsys):
    for group in diagnose(text).groups:
        for path in group.paths:
            mmsim, *words = shlex.split(command(path))
            assert (mmsim, main([*words, "--json"])) == ("mmsim", 0)
            moved = json.loads(capsys.readouterr().out)["counters"]
            names = UNITS if path.run.units["thp_migration_split"] else EVIDENCE
            for name in names:
                assert path.times * moved.get(name, 0) == group.counters[name]


@pytest.mark.parametrize(
    ("kernel", "says"),
    [
        ("6.12.13", "off its LRU"),
        ("6.12.14", "was pinned where it was"),
        ("6.12.35", "off its LRU"),
        ("6.12.36-1~deb", "off its LRU"),
        ("6.12.55", "truncated counted thp_split_page_failed"),
        ("6.12.49", "emptied the batches of all CPUs"),
        ("6.12.117", ""),
    ],
)
def test_a_patch_level_is_searched_as_its_row_and_says_what_differs(kernel, says):
    found = diagnose(ONE_FOR_TEN, kernel=kernel)
    assert found.versions == ("6.12",)
    assert found.groups
    assert says in " ".join(found.delta.notes)
    assert bool(found.delta.notes) == bool(says)
