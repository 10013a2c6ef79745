"""`mmsim explore` as a person and as a program meet it, and share codes at the command line."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from fractions import Fraction

import pytest

from mmsim.cli import main
from mmsim.engine.explore import Exploration
from mmsim.engine.schedule import render
from mmsim.scenarios import SMALL, make

KNOBS = [f"--set={name}={value}" for name, value in SMALL.items()]
TINY = ["explore", "vfio_map", "--set=order=1", "--set=released=1", "--set=passes=2"]
KEYS = ["states", "edges", "schedules", "verdict", "complete", "outcomes"]


def run(capsys, *words):
    status = main(words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def explored(capsys, *words):
    status, out, err = run(capsys, *words, "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert list(said) == KEYS
    for outcome in said["outcomes"]:
        assert list(outcome) == ["name", "schedules", "odds", "shortest"]
        assert re.fullmatch(r"\d+/\d+", outcome["odds"])
    return said


@pytest.mark.parametrize("version", ["base", "v3"])
def test_the_json_says_what_the_search_says(capsys, version):
    said = explored(capsys, "explore", "pin_versus", "--version", version, *KNOBS)
    found = make("pin_versus", version, SMALL).explore()
    assert (said["states"], said["edges"]) == (found.states, found.edges)
    assert said["schedules"] == found.schedules() == sum(o["schedules"] for o in said["outcomes"])
    assert said["complete"] is True
    assert said["verdict"] == "broken"
    outcomes = found.outcomes(found.scenario.outcome)
    assert [(o["name"], o["schedules"], Fraction(o["odds"])) for o in said["outcomes"]] == [
        (each.name, each.schedules, each.odds) for each in outcomes
    ]
    assert [o["shortest"] for o in said["outcomes"]] == [render(each.shortest) for each in outcomes]
    assert sum(Fraction(o["odds"]) for o in said["outcomes"]) == 1


def test_a_shortest_schedule_replays_to_its_outcome(capsys):
    for outcome in explored(capsys, *TINY)["outcomes"]:
        _, out, _ = run(capsys, "replay", *TINY[1:], outcome["shortest"], "--json")
        assert json.loads(out)["outcome"] == outcome["name"]


def test_verdicts(capsys):
    nobody = ["explore", "vfio_map", "--set=order=1", "--set=stranger=0", "--version=v3"]
    assert explored(capsys, *nobody)["verdict"] == "holds"
    assert explored(capsys, *TINY)["verdict"] == "broken"
    assert explored(capsys, *TINY, "--states-max=9")["verdict"] == "search not finished"
    # A counterexample counts, finished or not.
    said = explored(capsys, *TINY, "--states-max=180")
    assert (said["verdict"], said["complete"]) == ("broken", False)


def test_a_goal_is_a_claim_that_something_can_happen(capsys):
    assert explored(capsys, *TINY, "--goal=missed")["verdict"] == "holds"
    assert explored(capsys, *TINY, "--goal=pinned")["verdict"] == "broken"
    assert explored(capsys, *TINY, "--goal=deadlock")["verdict"] == "broken"
    stopped = explored(capsys, *TINY, "--goal=pinned", "--states-max=9")
    assert stopped["verdict"] == "search not finished"
    _, out, _ = run(capsys, *TINY, "--goal=missed")
    assert "Claim: some order ends in 'missed'.  Verdict: holds." in out


def test_a_bound_on_preemptions(capsys):
    schedules = [
        explored(capsys, *TINY, f"--preemptions-max={bound}")["schedules"] for bound in range(4)
    ]
    assert schedules == sorted(set(schedules))
    assert schedules[0] == 2  # either goes first, and goes on to its end
    assert schedules[-1] == explored(capsys, *TINY)["schedules"]  # nobody can do more
    bound = ["--preemptions-max=1", "--goal=missed"]
    assert explored(capsys, *TINY, *bound)["verdict"] == "broken"  # pin, stranger, pin: two
    _, out, _ = run(capsys, *TINY, "--preemptions-max=2", "--goal=missed")
    assert " schedules: all with at most 2 preemptions\n" in out
    assert "Claim: some order with at most 2 preemptions ends in 'missed'.  Verdict: holds." in out


def test_people_get_a_table_schedules_codes_and_a_verdict(capsys):
    status, out, err = run(capsys, "explore", "pin_versus", "--version", "v3", *KNOBS)
    assert (status, err) == (0, "")
    assert "7,773 states, 14,702 edges, 1.68e19 schedules: all there are" in out
    row = "could not be split    1.44e12     1 in 11,633,468          1 in 2,698     45"
    assert row in out
    assert "Claim: every order ends in 'mapped'.  Verdict: broken." in out
    assert "not finished" not in out
    codes = re.findall(r"mmsim replay --code (\S+)", out)
    assert len(codes) == 3
    _, replayed, _ = run(capsys, "replay", "--code", codes[0], "--json")
    assert json.loads(replayed)["outcome"] == "failed: a huge page could not be split"


def test_a_search_begins_with_small_huge_pages_where_it_must(capsys):
    """`mmsim explore pin_versus` is finished; with the 512 pages of a run it would not be."""
    said = explored(capsys, "explore", "pin_versus", "--version", "v3")
    assert said == explored(capsys, "explore", "pin_versus", "--version=v3", "--set=order=1")
    assert said["complete"]
    _, out, _ = run(capsys, "explore", "pin_versus", "--version", "v3")
    assert "a search of pin_versus begins with order=1; --set turns that, too" in out
    _, out, _ = run(capsys, "explore", "pin_versus", "--set=order=9", "--states-max=50")
    assert " order=9 isolation=meant\n" in out
    assert "begins with" not in out


def test_a_search_that_hit_its_limit_says_so(capsys):
    _, out, _ = run(capsys, *TINY, "--states-max=9")
    assert "more than 9 states" in out
    assert "No run has come to an end yet." in out
    assert "search not finished: the numbers above are those so far" in out
    assert "Verdict: search not finished.\n" in out


def test_numbers_of_thousands_of_digits_are_printed(capsys, monkeypatch):
    """Python refuses to write such numbers unless it is told to; afterwards it does so again."""
    before = sys.get_int_max_str_digits()
    monkeypatch.setattr(Exploration, "schedules", lambda found: 10**before)
    status, out, _ = run(capsys, *TINY, "--json")
    assert status == 0
    assert f'"schedules": 1{"0" * before},' in out
    assert sys.get_int_max_str_digits() == before
    _, out, _ = run(capsys, *TINY)
    assert f" 1.00e{before} schedules" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explore", "pin_verses"], "no scenario 'pin_verses'; did you mean 'pin_versus'"),
        (["explore", "vfio_map", "--states-max", "0"], "write a whole number from 1 on, not '0'"),
        (["explore", "vfio_map", "--states-max", "1e5"], "not '1e5'"),
        (["explore", "vfio_map", "--preemptions-max", "-1"], "from 0 on, not '-1'"),
        (
            ["explore", "vfio_map", "--goal", "pind"],
            "no outcome is called 'pind'; did you mean 'pin",
        ),
        (["explore", "vfio_map", "--goal", ""], "no outcome is called ''"),
        (["explore", "vfio_map", "--set", "order"], "write --set KNOB=VALUE"),
        (["replay", "--code", "22224-26JMN"], "has a typing error"),
        (["replay", "vfio_map", "--code", "22224-26JMM"], "write it alone"),
        (["replay", "--code", "22224-26JMM", "--version", "v3"], "write it alone"),
        (["replay", "vfio_map"], "the following arguments are required: SCHEDULE"),
        (["replay"], "the following arguments are required: SCENARIO, SCHEDULE"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(capsys, words, says):
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


# -- share codes


def test_a_run_carries_its_code_and_the_code_the_run(capsys):
    words = ["run", "pin_versus", "--version", "v2", *KNOBS, "--json"]
    _, out, _ = run(capsys, *words)
    first = json.loads(out)
    assert re.fullmatch(r"[2-9A-Z]{5}-[2-9A-Z]{5}", first["code"])
    _, out, _ = run(capsys, "replay", "--code", first["code"].lower(), "--json")
    assert json.loads(out) == first
    _, out, _ = run(capsys, *words[:-1])
    assert f"\ncode      {first['code']}\n" in out


def test_a_run_without_a_code_says_why(capsys):
    words = ["run", "vfio_map", "--version", "drain", "--set=order=1"]
    _, out, _ = run(capsys, *words)
    assert "\ncode      none: version 'drain' has no code; only base" in out
    _, out, _ = run(capsys, *words, "--json")
    assert json.loads(out)["code"] is None


# -- a real terminal, a real Ctrl-C

LONG = [sys.executable, "-m", "mmsim", "explore", "pin_versus", "--states-max", "3000000"]
LONG += ["--set", "order=9"]


def test_nothing_is_drawn_when_nobody_looks():
    words = [sys.executable, "-m", "mmsim", *TINY]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_prints_what_is_known_so_far(as_json):
    """Standard error is a terminal: progress appears on it, then Ctrl-C is pressed."""
    import pty

    ours, theirs = pty.openpty()
    words = [*LONG, "--json"] if as_json else LONG
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=theirs, text=True)
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
    if as_json:
        said = json.loads(out)
        assert list(said) == KEYS
        assert said["complete"] is False
        assert said["verdict"] in ("broken", "search not finished")
        assert said["states"] > 500
    else:
        assert re.search(r"searched  [\d,]+ states, [\d,]+ edges; .* \(interrupted\)", out)
        assert "search not finished: the numbers above are those so far" in out


def until(terminal, pattern):
    """What appears on a terminal until the pattern does."""
    seen, deadline = b"", time.monotonic() + 60
    while not re.search(pattern, seen):
        ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
        assert ready, f"nothing like {pattern!r} in {seen!r}"
        seen += os.read(terminal, 4096)
    return seen
