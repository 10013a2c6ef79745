"""mmsim lab: what is served, what is opened, and what is said when it cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmsim import datafiles
from mmsim import lab as lab_module
from mmsim.lab import command, lab, place, report
from mmsim.lessonfolder import LabError, Step


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A release with two lessons and one table."""
    names = ("notebooks/00_start.ipynb", "notebooks/04_split.ipynb", "data/a.csv")
    return write(tmp_path / "share", dict.fromkeys(names, "x"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my lessons"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


# --- mistakes, each one sentence --------------------------------------------------------


def test_without_jupyterlab(monkeypatch: pytest.MonkeyPatch, capsys, folder: Path) -> None:
    monkeypatch.setattr(lab_module.importlib.util, "find_spec", lambda name: None)
    assert lab(folder, port=None, browser=False, here=None) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert 'pip install "mmsim[notebook]"' in message
    assert not folder.exists()


@pytest.mark.parametrize(
    ("here", "says"), [("nowhere", "there is no"), ("data", "no lesson"), ("data/a.csv", "not a")]
)
def test_nothing_to_open(tmp_path: Path, capsys, here: str, says: str) -> None:
    write(tmp_path, {"data/a.csv": ""})
    assert lab(None, port=None, browser=False, here=tmp_path / here) == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_impossible_port(tmp_path: Path, port: int) -> None:
    with pytest.raises(LabError, match="choose one from 1 to 65535"):
        command(tmp_path, tmp_path / "a.ipynb", port=port, browser=True)


# --- what is started --------------------------------------------------------------------


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    words = command(tmp_path, tmp_path / "notebooks" / "0 a.ipynb", port=None, browser=True)
    assert words == [
        *[sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={tmp_path.resolve()}"],
        "--LabApp.default_url=/lab/tree/notebooks/0%20a.ipynb",
    ]


def test_command_with_port_without_browser_as_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    words = command(tmp_path, tmp_path / "a.ipynb", port=8890, browser=False)
    assert words[5:] == [
        *["--ServerApp.port=8890", "--ServerApp.port_retries=0", "--no-browser", "--allow-root"]
    ]
    assert not any("token" in word or "password" in word for word in words)


@pytest.mark.parametrize(
    ("browser", "variable", "opens"),
    [(True, None, True), (True, "firefox", True), (True, "none", False), (False, None, False)],
)
def test_browser_none_opens_no_browser(
    share: Path, folder: Path, monkeypatch, browser: bool, variable: str | None, opens: bool
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(lab_module, "serve", lambda words: started.append(words) or 0)
    monkeypatch.setattr(datafiles, "share_dir", lambda: share)
    monkeypatch.delenv("BROWSER", raising=False)
    if variable:
        monkeypatch.setenv("BROWSER", variable)
    assert lab(folder, port=None, browser=browser, here=None) == 0
    assert ("--no-browser" not in started[0]) is opens
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb" in started[0]


def test_place_serves_the_whole_checkout(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datafiles, "share_dir", lambda: share)
    assert place(share / "notebooks") == (share, share / "notebooks" / "00_start.ipynb")
    assert place(share / "notebooks" / "04_split.ipynb") == (
        share,
        share / "notebooks" / "04_split.ipynb",
    )


def test_place_serves_the_folder_of_any_other_notebook(tmp_path: Path) -> None:
    mine = write(tmp_path, {"mine.ipynb": ""}) / "mine.ipynb"
    assert place(mine) == (tmp_path, mine)


def test_report_names_what_was_edited(capsys) -> None:
    steps = [Step("a", "a.fresh", "same"), Step("b", "b", "new"), Step("c", "c", "same")]
    report(steps, Path("my"))
    assert capsys.readouterr().out.splitlines() == [
        "my: 1 files written, 2 already up to date.",
        "  a was edited and is left alone; a fresh one is a.fresh",
    ]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`serve()` in a process of its own, around a child that says when it is ready."""
    child = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, lambda *_: print('asked', flush=True))\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "for _ in range(300): time.sleep(0.1)\n"
    )
    parent = (
        "import sys\nfrom mmsim.lab import serve\n"
        f"sys.exit(serve([sys.executable, '-c', {child!r}]))"
    )
    words = [sys.executable, "-c", parent]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        yield process
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_ctrl_c_is_the_servers_business_and_term_ends_both(waiting) -> None:
    assert waiting.stdout.readline() == "ready\n"
    waiting.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert waiting.poll() is None
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(timeout=120) == 7
