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
from test_lab import held, write
from tool_rule import ROOT

from mmsim.lab import put_lessons

MOMENTS = int(os.environ.get("SIGNALS", "4"))
pytestmark = [pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX"), pytest.mark.slow]

# Two moments with a name: while the child is being started, where a request was lost once, and
# before something is written into a file that is open.
NAMED = ("_execute_child", "write")
# In the place of JupyterLab: Ctrl-C makes it ask, TERM ends it; the alarm does if nobody else will.
CHILD = """
import signal, sys
numbers = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
signal.alarm(120)
print("serving", flush=True)
while signal.sigwait(numbers) == signal.SIGINT:
    print("asked", flush=True)
sys.exit(7)
"""
# Each job is the command in a process of its own, which signals itself, or by Ctrl-C its group.  A
# child holds the pipe, too: at its end none is left.  Signing the lessons is most of the calls.
LAB = f"""
import json, os, signal, sys
from pathlib import Path
import nbformat.sign
from mmsim import datafiles, lab
from mmsim.cli import main

lab.command = lambda *words, **more: [sys.executable, "-ISc", {CHILD!r}]
# Whoever started the tests may ignore Ctrl-C, as a shell does for what runs beside it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def command(share, folder, signs, moment, number):
    if not signs:
        lab.sign_lessons = lambda share, folder: None
    datafiles.share_dir = lambda: Path(share)
    moments = 0
    def see(frame, event, arg):
        nonlocal moments
        moments += 1
        if moment in (moments, frame.f_code.co_name, getattr(arg, "__name__", "")):
            sys.setprofile(None)
            os.write(1, b"signalled\\n")
            send = os.killpg if number == signal.SIGINT else os.kill
            send(os.getpid(), number)
    sys.setprofile(see)
    try:
        print("ended", main(["lab", folder, "--no-browser"]), flush=True)
    finally:
        sys.setprofile(None)
        print("moments", moments, flush=True)

for job in json.load(sys.stdin):
    reads, writes = os.pipe()
    if (pid := os.fork()) == 0:
        os.setsid()
        os.dup2(writes, 1), os.dup2(writes, 2), os.close(reads), os.close(writes)
        try:
            command(*job)
        finally:
            os._exit(0)
    os.close(writes)
    said = ""
    with os.fdopen(reads) as lines:
        for line in lines:
            said += line
            if line == "serving\\n" and "signalled" not in said:
                os.killpg(pid, signal.SIGINT)  # as a terminal does: to all of them
            if line == "asked\\n":
                os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    print(json.dumps(said), flush=True)
"""


def ran(jobs: list[tuple[str, str, bool, int | str, int]], data: Path) -> list[str]:
    """What each job said until it ended, and all its children with it.

    A job: where the release is, the folder for it, whether lessons are signed, moment, signal."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_DATA_DIR": str(data)}
    command = [sys.executable, "-c", LAB]
    done = subprocess.run(
        command, input=json.dumps(jobs), env=environment, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def lesson(text: str) -> str:
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
    cell["execution_count"] = None
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def release(root: Path, text: str) -> dict[str, str]:
    """A release of five files, each with that text in it."""
    files = {f"notebooks/0{number}.ipynb": lesson(text) for number in range(3)}
    files |= {"data/a.csv": f"{text}\n" * 1000, "data/deep/b.csv": text}
    write(root, files)
    return files


def test_a_signal_at_any_moment_leaves_no_child_and_no_half_written_file(tmp_path):
    """The upgrade that was interrupted goes on later, and no file of it counts as edited."""
    old = release(tmp_path / "old", "old")
    new, latest = release(tmp_path / "new", "new"), release(tmp_path / "latest", "latest")
    folders = [tmp_path / f"folder {at}" for at in range(MOMENTS + 2)]
    for folder in folders:
        put_lessons(tmp_path / "old", folder)
        (folder / "notebooks/00.ipynb").write_text("my answers")
    share, draw = str(tmp_path / "new"), random.Random(MOMENTS)
    whole = ran([(share, str(folders.pop()), s, 0, 0) for s in (False, True)], tmp_path / "jupyter")
    assert all("serving\nasked\nended 7\n" in said for said in whole)
    moments = [int(said.split()[-1]) for said in whole]
    assert moments[1] > moments[0] > 500
    jobs = []
    for at, folder in enumerate(folders):
        moment = draw.randint(1, moments[at % 2])
        number = draw.choice([signal.SIGINT, signal.SIGTERM])
        jobs.append((share, str(folder), at % 2 == 1, moment, number))
    for at, name in enumerate(NAMED):
        jobs[at] = (share, str(folders[at]), False, name, signal.SIGTERM)
    for (*_, moment, number), folder, said in zip(
        jobs, folders, ran(jobs, tmp_path / "jupyter"), strict=True
    ):
        told = (moment, number, said)
        assert "Traceback" not in said, told
        assert "ended -14" not in said, told  # by the alarm
        for name, text in held(folder).items():
            assert text in (old.get(name), new[name.replace(".fresh", "")], "my answers"), told
        put_lessons(tmp_path / "latest", folder)
        mine = {"notebooks/00.ipynb": "my answers", "notebooks/00.fresh.ipynb": lesson("latest")}
        assert held(folder) == latest | mine, told
