"""Every terminal and every place: poor encodings, odd paths, a read-only checkout, a zip."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tool_rule import ROOT

from mmsim import lab as lab_module
from mmsim.cli import main

COMMANDS = {
    "run": ["run", "vfio_map"],
    "replay": ["replay", "vfio_map", "pin*9"],
    "explore": ["explore", "vfio_map", "--set=order=1", "--set=released=1", "--set=passes=2"],
    "conformance": ["conformance", str(ROOT / "data/conformance/schema.json")],
    "compare": ["compare", "s1_order9_available.csv"],
    "diagnose": ["diagnose", str(ROOT / "tests/evidence/wild/d06_cma_only.txt")],
    "show": ["show", str(ROOT / "tests/evidence/wild/b02_quoted.buddyinfo")],
    "a known text": ["diagnose", str(ROOT / "tests/evidence/wild/b02_quoted.buddyinfo")],
    "doctor": ["doctor"],
    "lab": ["lab", "Übungen → 1"],
    "a mistake": ["run", "vfio_mäp→"],
    "an odd file": ["diagnose", "gibt es nicht → ¤"],
}
STATUS = {"a known text": 1, "a mistake": 2, "an odd file": 2}


ENCODINGS = [(command, "ascii") for command in COMMANDS]
ENCODINGS += [("run", encoding) for encoding in ("cp1252", "cp437", "latin-1")]


@pytest.mark.parametrize(("command", "encoding"), ENCODINGS)
def test_signs_that_a_terminal_lacks_are_replaced(command, encoding, monkeypatch, tmp_path):
    """It was a traceback, and the status 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab_module, "serve", lambda words: 0)
    monkeypatch.setattr(lab_module, "sign_lessons", lambda share, folder: None)
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    assert main(COMMANDS[command]) == STATUS.get(command, 0)
    for stream in streams:
        stream.flush()
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
    assert bool(err) is command.startswith(("a mistake", "an odd"))
    assert command != "run" or "refs 513 -> 514" in out
    assert command != "an odd file" or "gibt es nicht -> " in err


# -- in a process of its own

STUB = "import sys; print('served', *sys.argv[1:])"  # in the place of JupyterLab
POOR = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONSAFEPATH": "1"}


def mmsim(place: Path, folder: Path, *words: str, **more: str) -> tuple[int, str, str]:
    """Run `python -m mmsim` as it lies at `place`, in a `folder`: status, output, messages."""
    stub = folder / "stub"
    stub.mkdir(exist_ok=True)
    (stub / "jupyterlab.py").write_text(STUB)
    path = os.pathsep.join([str(stub), str(place)])
    environment = os.environ | {"PYTHONPATH": path, "JUPYTER_DATA_DIR": str(folder)} | more
    command = [sys.executable, "-m", "mmsim", *words]
    texts = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    done = subprocess.run(command, cwd=folder, env=environment, **texts)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_a_read_only_checkout_at_an_odd_path_in_a_poor_locale(tmp_path):
    """Nothing is written beside the program."""
    place, work = tmp_path / "Ein Ordner für Übungen", tmp_path / "mein Ordner ß"
    work.mkdir()
    for name in ("mmsim", "data", "notebooks"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("traces"))
    shutil.copy(ROOT / "pyproject.toml", place)
    every = [place, *place.rglob("*")]
    for path in every:
        path.chmod(path.stat().st_mode & ~0o222)
    before = {path: path.stat().st_mtime_ns for path in every}
    more = POOR | {"PYTHONDONTWRITEBYTECODE": "1"}  # root may write everywhere
    try:
        chosen = [COMMANDS[name] for name in ("run", "doctor", "lab", "an odd file")]
        for words in (*chosen, ["lab", "--here", str(place / "notebooks")]):
            status, out, err = mmsim(place, work, *words, **more)
            assert "Traceback" not in err, words
            assert status in (0, 1, 2), words
            assert words[0] != "lab" or "served" in out, err
        assert {path: path.stat().st_mtime_ns for path in [place, *place.rglob("*")]} == before
    finally:
        for path in every:
            path.chmod(path.stat().st_mode | 0o200)


def test_a_zip_works_as_far_as_it_needs_no_data_and_then_says_so(tmp_path):
    place = tmp_path / "mmsim für alle.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for file in [*(ROOT / "mmsim").rglob("*.py"), *(ROOT / "mmsim").rglob("*.md")]:
            archive.write(file, file.relative_to(ROOT))
    assert "-ENOMEM" in mmsim(place, tmp_path, *COMMANDS["run"])[1]
    status, out, err = mmsim(place, tmp_path, *COMMANDS["compare"])
    assert (status, out) == (2, "")
    assert err.startswith("mmsim: mmsim's lessons and data are not beside ")
    assert err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_one_sentence(tmp_path):
    command = [sys.executable, "-m", "mmsim", "run", "vfio_map"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr == b"mmsim: can't read or write: No space left on device\n"


def test_a_message_is_one_line_and_not_too_long(capsys):
    """What is quoted in it was shown whole, with all its line breaks."""
    for words in (["run", "x" * 10**6], ["run", "a\nb\x1b[31m"], ["show", "n" * 5_000]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.strip("\n").isprintable()
        assert len(said) < 1_200
