"""The command line as a person meets it: what is printed, and the exit status."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mmsim.cli import main
from mmsim.conformance.operations import OPERATIONS

HELD = "pin*7 pin:fail"


def run(capsys, *words):
    status = main(words)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_run_prints_steps_counters_and_what_it_means(capsys):
    status, out, _ = run(capsys, "run", "vfio_map", "--version", "base")
    assert status == 0
    for words in ("can_split_folio(A) = no", "thp_split_page_failed", "-ENOMEM", "does not start"):
        assert words in out


def test_run_json_has_the_schedule_that_replays_it(capsys):
    _, out, _ = run(capsys, "run", "vfio_map", "--version", "v2", "--set", "released=2", "--json")
    first = json.loads(out)
    words = ("--version", "v2", "--set", "released=2", first["schedule"], "--json")
    _, out, _ = run(capsys, "replay", "vfio_map", *words)
    assert json.loads(out) == first
    assert first["counters"]["thp_migration_fail"] == 3
    assert first["result"] == "512 pages pinned"


def test_conformance_counts_pairs(capsys):
    status, out, _ = run(capsys, "conformance", "data/conformance/split.json")
    assert status == 0
    assert "15 vectors, 105 (vector, version) pairs, 0 mismatches" in out


def test_a_mismatch_is_one_line_and_status_1(capsys, tmp_path):
    from pathlib import Path

    text = Path("data/conformance/split.json").read_text()
    changed = tmp_path / "changed.json"
    content = json.loads(text)
    content["vectors"][0]["expect"][0]["counters"]["thp_split_pmd"] = 5
    changed.write_text(json.dumps(content))
    status, out, _ = run(capsys, "conformance", str(changed))
    assert status == 1
    assert "changed.json: B1 base: counters.thp_split_pmd: expected 5, found 1" in out
    status, out, _ = run(capsys, "conformance", "--json", str(changed))
    assert status == 1
    assert json.loads(out)["mismatches"] == 7


def test_compare_says_what_was_read_off_and_predicted(capsys):
    status, out, _ = run(capsys, "compare", "s3_held_reference.csv")
    assert status == 0
    assert "39 rows; 29 agree, 0 explained, 0 disagree (377 numbers)" in out
    assert "read off the row: nothing" in out
    assert "not compared: 10 rows" in out


def test_a_group_that_the_model_does_not_have(capsys, monkeypatch):
    monkeypatch.delitem(OPERATIONS, "vfio")
    status, out, err = run(capsys, "conformance", "data/conformance/vfio.json")
    assert (status, out) == (2, "")
    assert "does not have group 'vfio' yet" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name a command"),
        (("rnu",), "did you mean 'run'"),
        (("run",), "SCENARIO"),
        (("run", "vfio_mop"), "did you mean 'vfio_map'"),
        (("run", "vfio_map", "--version", "v4"), "no version 'v4'"),
        (("run", "vfio_map", "--set", "thps"), "write --set KNOB=VALUE"),
        (("run", "vfio_map", "--set", "thps=0"), "thps must be 1-8, not 0"),
        (("run", "vfio_map", "--sett", "thps=1"), "--sett"),
        (("replay", "vfio_map", "pin*3 stanger"), "did you mean 'stranger'"),
        (("replay", "vfio_map", "pin**3"), "can't read 'pin**3'"),
        (("replay", "vfio_map", "stranger stranger stranger"), "'stranger' can't move"),
        (("replay", "vfio_map", "pin*7 pin:ok"), "instead of pin:ok"),
        (("conformance", "nowhere.json"), "nowhere.json: can't be read"),
        (("conformance", "README.md"), "not JSON"),
        (("compare", "s4_dropcaches_trials.csv"), "not deterministic"),
        (("compare", "s3_hold_reference.csv"), "s3_held_reference.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(capsys, words, says):
    status, out, err = run(capsys, *words)
    assert status == 2
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert err.startswith("mmsim: ")


def test_the_module_can_be_run_and_a_closed_pipe_is_no_error():
    words = f"{sys.executable} -m mmsim run vfio_map --version v2 | head -1"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("vfio_map  version v2")
    assert "Traceback" not in done.stderr


def test_help_lists_every_knob(capsys):
    from mmsim.scenarios import SCENARIOS

    with pytest.raises(SystemExit) as stop:
        main(["run", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for knob in SCENARIOS["vfio_map"].knobs:
        assert f"{knob.name}={knob.default}:" in out
