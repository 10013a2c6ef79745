"""Ctrl-C and TERM at any moment of `mmsim lab` leave no child and no half-written file.

A moment is a number of calls and returns of Python functions since the command began, so it is a
place in the program and not a time.  `SIGNALS=200 pytest tests/test_signals.py` tries so many."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tool_rule import ROOT

from mmsim.lab import MANIFEST, put_lessons

MOMENTS = int(os.environ.get("SIGNALS", "10"))
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")

# JupyterLab asks after Ctrl-C; this one ends, and says that it began only once it can be ended.
CHILD = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: sys.exit(number))
print("serving", flush=True)
while True:
    signal.pause()
"""
# The command, which sends a signal to itself, or to its whole group, at the given moment.
LAB = f"""
import os, signal, sys
from pathlib import Path
import nbformat.sign  # most of the calls would be in here
from mmsim import datafiles, lab
from mmsim.cli import main
share, folder, moment, number = sys.argv[1:]
datafiles.share_dir = lambda: Path(share)
lab.command = lambda *words, **more: [sys.executable, "-c", {CHILD!r}]
moments = 0
def see(frame, event, arg):
    global moments
    moments += 1
    if moments == int(moment):
        sys.setprofile(None)
        send = os.killpg if int(number) == signal.SIGINT else os.kill
        send(os.getpid(), int(number))
sys.setprofile(see)
try:
    main(["lab", folder, "--no-browser"])
finally:
    sys.setprofile(None)
    print("moments", moments, flush=True)
"""


def lesson(text: str) -> str:
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
    cell["execution_count"] = None
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def release(root: Path, text: str) -> dict[str, str]:
    """A release of five files, each with that text in it."""
    files = {f"notebooks/0{number}.ipynb": lesson(text) for number in range(3)}
    files |= {"data/a.csv": f"{text}\n" * 1000, "data/deep/b.csv": text}
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return files


def begun(share: Path, folder: Path, moment: int, number: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", LAB, share, folder, str(moment), str(int(number))]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_DATA_DIR": f"{folder}.jupyter"}
    return subprocess.Popen(
        list(map(str, words)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=environment,
    )


def ended(process: subprocess.Popen[str]) -> str:
    """All that was said.  A child holds the pipe, too, so its end means that none is left.

    A signal that came before there was a child was obeyed, or JupyterLab is asked to end now."""
    said = ""
    with process:
        try:
            while line := process.stdout.readline():
                said += line
                if line == "serving\n":
                    process.send_signal(signal.SIGTERM)
            process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return said


def all_moments(tmp_path: Path) -> int:
    """How many moments there are from the beginning to the end of the command."""
    release(tmp_path / "share", "old")
    said = ended(begun(tmp_path / "share", tmp_path / "whole", 0, signal.SIGTERM))
    assert "serving" in said
    return int(said.split()[-1])


def test_a_signal_at_any_moment_leaves_no_child_and_no_half_written_file(tmp_path):
    """The upgrade that was interrupted goes on later, and no file of it counts as edited."""
    moments = all_moments(tmp_path)
    assert moments > 500
    draw = random.Random(MOMENTS)
    for at in range(MOMENTS):
        share, folder = tmp_path / f"share {at}", tmp_path / f"folder {at}"
        old = release(share, "old")
        put_lessons(share, folder)
        (folder / "notebooks/00.ipynb").write_text("my answers")
        new = release(share, "new")
        moment, number = draw.randint(1, moments), draw.choice([signal.SIGINT, signal.SIGTERM])
        ended(begun(share, folder, moment, number))
        there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        assert not [name for name in there if name.endswith(".part")], (moment, number)
        for name, path in there.items():
            if name != MANIFEST:
                whole = (old.get(name), new.get(name.replace(".fresh", "")), "my answers")
                assert path.read_text() in whole, (moment, number, name)
        latest = release(share, "later")
        put_lessons(share, folder)
        kept = {"notebooks/00.ipynb": "my answers", "notebooks/00.fresh.ipynb": lesson("later")}
        found = {
            p.relative_to(folder).as_posix(): p.read_text()
            for p in folder.rglob("*")
            if p.is_file() and p.name != MANIFEST
        }
        assert found == latest | kept, (moment, number)
