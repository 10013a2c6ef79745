"""The command line as a person and as a program meet it: what is printed, and the exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from tool_rule import ROOT

from mmsim.cli import main
from mmsim.engine.explore import Exploration
from mmsim.engine.schedule import render
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS, make

TINY = ["explore", "vfio_map", "--set=order=1", "--set=released=1", "--set=passes=2"]
BUDDY = "tests/evidence/wild/b02_quoted.buddyinfo"
KEYS = ["states", "edges", "schedules", "verdict", "complete", "outcomes"]


def run(capsys, *words):
    status = main(words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


# -- run, replay


def test_run_json_has_the_schedule_that_replays_it(capsys):
    knobs = ("vfio_map", "--version=v2", "--set=released=2", "--set=order=2", "--json")
    _, out, _ = run(capsys, "run", *knobs)
    first = json.loads(out)
    _, out, _ = run(capsys, "replay", *knobs, first["schedule"])
    assert json.loads(out) == first
    assert first["counters"]["thp_migration_fail"] == 3
    assert first["result"] == "4 pages pinned"
    looks = [step["answer"] for step in first["steps"] if step["site"] == "split.check"]
    assert [*map("None".__eq__, looks)] == [True, True, False]


def test_neither_a_closed_pipe_nor_a_search_is_noisy():
    """Nothing is drawn when nobody looks."""
    for words in ("run vfio_map --version v2 | head -1", " ".join(TINY)):
        shell = ["sh", "-c", f"{sys.executable} -m mmsim {words}"]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert done.stdout.startswith(words.split()[1])
        assert done.stderr == ""
        assert not {"\x1b", "\r"} & {*done.stdout}


ALL = [f"  {name}: " for name in (*VERSIONS, *SCENARIOS)]
KNOBS = [f"{knob.name}={knob.default}:" for knob in SCENARIOS["pin_versus"].knobs]


@pytest.mark.parametrize(
    ("words", "lists"), [("run", ALL), ("explore pin_versus", [*KNOBS, "begins with"])]
)
def test_help_lists_scenarios_and_that_of_a_scenario_its_knobs(capsys, words, lists):
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*words.split(), "--help"])
    out = capsys.readouterr().out
    assert [each for each in lists if each not in out] == []
    assert ("thps=1" in out) == (lists != ALL)


# -- mistakes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "arguments are required: COMMAND"),
        (("rnu",), "invalid choice: 'rnu' (choose from"),
        (("run", "vfio_mop"), "did you mean 'vfio_map'"),
        (("run", "vfio_map", "--version", "v4"), "no version 'v4'"),
        (("run", "vfio_map", "--set", "thps"), "write --set KNOB=VALUE"),
        (("run", "vfio_map", "--sett", "thps=1"), "--sett"),
        (("replay", "vfio_map"), "the following arguments are required: SCHEDULE"),
        (("replay", "vfio_map", "pin*3 holdr"), "did you mean 'holder'"),
        (("explore", "vfio_map", "--states-max", "1e5"), "invalid int value: '1e5'"),
        (("explore", "vfio_map", "--preemptions-max", "-1"), "can't be less than 0"),
        (("explore", "vfio_map", "--states-max", "0"), "can't be less than 1"),
        (("explore", "vfio_map", "--goal", "pind"), "no outcome is called 'pind'; did you mean"),
        (("explore", "vfio_map", "--goal", ""), "no outcome is called ''"),
        (("conformance", "nowhere.json"), "nowhere.json: can't be read"),
        (("conformance", "data"), "data: can't be read"),
        (("diagnose", "nowhere.txt"), "nowhere.txt"),
        (("diagnose", "-", "-"), "only one of the two texts can be -"),
        (("show", BUDDY, "--node", "7"), "no node 7"),
        (("show", BUDDY, "--zone", "Nrmal"), "no zone 'Nrmal'"),
        (("lab", "--here", "nowhere"), "there is no nowhere"),
        (("lab", "--here", "data"), "no lesson"),
        (("lab", "--here", "README.md"), "not a notebook"),
        (("lab", "--here", "notebooks", "--port", "65536"), "choose one from 1 to 65535"),
        (("lab", "--port", "x"), "invalid int value: 'x'"),
        (("lab", "--here", "notebooks", "--no-solutions"), "--here copies nothing"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(capsys, words, says):
    status, out, err = run(capsys, *words)
    assert status == 2
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert err.startswith("mmsim: ")


def test_a_bug_is_not_told_as_bad_input(monkeypatch):
    """Python's own ValueError is no sentence for the user."""
    monkeypatch.setattr(SCENARIOS["vfio_map"], "build", lambda version, knobs: int("none"))
    with pytest.raises(ValueError, match="invalid literal"):
        main(["run", "vfio_map"])


# -- explore


def explored(capsys, *words):
    status, out, err = run(capsys, *words, "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert list(said) == KEYS
    return said


def test_the_json_says_what_the_search_says(capsys):
    said = explored(capsys, *TINY, "--version", "v3")
    found = make("vfio_map", "v3", {"order": 1, "released": 1, "passes": 2}).explore()
    assert (said["states"], said["edges"]) == (found.states, found.edges)
    assert said["schedules"] == found.schedules() == sum(o["schedules"] for o in said["outcomes"])
    assert (said["complete"], said["verdict"]) == (True, "broken")
    assert said["outcomes"] == [
        {
            "name": each.name,
            "schedules": each.schedules,
            "odds": f"{each.odds.numerator}/{each.odds.denominator}",
            "shortest": render(each.shortest),
        }
        for each in found.outcomes(found.scenario.outcome)
    ]
    assert sum(Fraction(o["odds"]) for o in said["outcomes"]) == 1


UNFINISHED = "search not finished"


@pytest.mark.parametrize(
    ("words", "verdict", "complete"),
    [
        ("--set=holder=0 --version=v3", "holds", True),
        ("", "broken", True),
        ("--states-max=9", UNFINISHED, False),
        ("--states-max=180", "broken", False),  # a counterexample counts, finished or not
        # A goal is a claim that something can happen.
        ("--goal=missed", "holds", True),
        ("--goal=deadlock", "broken", True),
        ("--goal=pinned --states-max=9", UNFINISHED, False),
        ("--goal=missed --preemptions-max=1", "broken", True),  # pin, holder, pin: two
    ],
)
def test_verdicts(capsys, words, verdict, complete):
    said = explored(capsys, *TINY, *words.split())
    assert (said["verdict"], said["complete"]) == (verdict, complete)


def test_a_bound_on_preemptions_is_told(capsys):
    _, out, _ = run(capsys, *TINY, "--preemptions-max=2", "--goal=missed")
    assert " schedules: all with at most 2 preemptions\n" in out
    assert "Claim: some order with at most 2 preemptions ends in 'missed'.  Verdict: holds." in out


def test_every_schedule_that_is_printed_comes_with_the_command_that_replays_it(capsys):
    """What else is printed stands in docs/search.md, which a test holds against the program."""
    _, out, _ = run(capsys, *TINY, "--version", "v3")
    outcomes = re.findall(r"^(.*): shortest schedule, \d+ steps\n  mmsim (.*)", out, re.MULTILINE)
    assert len(outcomes) == 3
    for name, command in outcomes:
        words, schedule = re.fullmatch(r'(.*) "(.*)"', command).groups()
        _, replayed, _ = run(capsys, *words.split(), schedule, "--json")
        assert json.loads(replayed)["outcome"] == name


def test_a_search_begins_with_small_huge_pages_where_it_must(capsys):
    """`mmsim explore pin_versus` can be finished; with the 512 pages of a run it could not be."""
    few = ["explore", "pin_versus", "--version", "v3", "--states-max=50"]
    begins = "a search of pin_versus begins with order=1; --set turns that, too"
    assert begins in run(capsys, *few)[1]
    assert begins not in run(capsys, *few, "--set=order=9")[1]


def test_numbers_of_thousands_of_digits_are_printed(capsys, monkeypatch):
    """Python refuses to write such numbers unless it is told to."""
    monkeypatch.setattr(Exploration, "schedules", lambda found: 10**5_000)
    for words, says in ((["--json"], f'"schedules": 1{"0" * 5_000},'), ([], " 1.00e5000 sched")):
        status, out, _ = run(capsys, *TINY, *words)
        assert (status, says in out) == (0, True)


# -- a real terminal, a real Ctrl-C

LONG = [sys.executable, "-m", "mmsim", "explore", "pin_versus", "--states-max", "3000000"]
LONG += ["--set", "order=9"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_ctrl_c_prints_what_is_known_so_far():
    """Standard error is a terminal: progress appears on it, then Ctrl-C is pressed."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(LONG, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    try:
        seen = until(ours, rb"[\d,]+ states, [\d,]+ of them wait, [\d,]+ a second")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
        seen += until(ours, b"interrupted, search not finished")
    finally:
        process.kill()
        os.close(ours)
    assert b"\r" in seen
    assert process.returncode == 130
    assert re.search(r"searched  [\d,]+ states, [\d,]+ edges; .* \(interrupted\)", out)
    assert "search not finished: the numbers above are those so far" in out


def test_a_search_runs_in_a_thread_too(capsys):
    """Where there are no handlers of signals."""
    with ThreadPoolExecutor() as threads:
        assert threads.submit(main, TINY).result() == 0
    assert "Verdict: " in capsys.readouterr().out


def until(terminal, pattern):
    """What appears on a terminal until the pattern does; an error where nobody writes any more."""
    seen = b""
    while not re.search(pattern, seen):
        seen += os.read(terminal, 4096)
    return seen


@pytest.mark.parametrize(
    ("package", "command", "file"),
    [
        ("jsonschema", "conformance", "data/conformance/gup.json"),
        ("pandas", "show", BUDDY),
    ],
)
def test_a_missing_package_is_named_in_one_sentence(package, command, file, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert main([command, str(ROOT / file)]) == 2
    said = capsys.readouterr().err
    assert f"needs the package {package}, which is missing" in said
    assert said.count("\n") == 1
