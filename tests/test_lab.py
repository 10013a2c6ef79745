"""`mmsim lab` and `mmsim doctor`: nobody's work is overwritten; a problem says what to do."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from tool_rule import ROOT

from mmsim import datafiles
from mmsim import lab as lab_module
from mmsim.cli import main
from mmsim.datafiles import write_whole
from mmsim.errors import UserError
from mmsim.lab import (
    MANIFEST,
    Check,
    Step,
    checks,
    command,
    first_lesson,
    put_lessons,
    served_and_opened,
    sign_lessons,
)

LESSON = "notebooks/04_split.ipynb"
FRESH = "notebooks/04_split.fresh.ipynb"
RELEASE = {
    "notebooks/00_start.ipynb": "zero",
    LESSON: "four",
    "notebooks/solutions/04_split.ipynb": "four, solved",
    "data/runs/a.csv": "a\n1\n",
}
NOT_FOR_LEARNERS = ("notebooks/build.py", "notebooks/.ipynb_checkpoints/04.ipynb", "data/.x")


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A release: lessons, data, and things that are not for learners."""
    return write(tmp_path / "share", RELEASE | dict.fromkeys(NOT_FOR_LEARNERS, "x"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my lessons"


def held(folder: Path) -> dict[str, str]:
    """Every file in the folder but the manifest: name -> text."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def kinds(steps: list[Step]) -> set[str]:
    return {step.kind for step in steps}


# -- the learner's folder


def test_a_fresh_folder_gets_lessons_and_data_only(share: Path, folder: Path) -> None:
    assert kinds(put_lessons(share, folder)) == {"new"}
    assert held(folder) == RELEASE
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.ipynb")}
    assert kinds(put_lessons(share, folder)) == {"same"}
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.ipynb")} == before


def test_lessons_without_their_solutions(share: Path, folder: Path) -> None:
    put_lessons(share, folder, solutions=False)
    assert {*held(folder)} == {name for name in RELEASE if "solutions" not in name}
    put_lessons(share, folder)
    put_lessons(share, folder, solutions=False)  # what is there stays
    assert held(folder) == RELEASE


def test_edited_files_and_fresh_copies_are_kept_and_the_rest_is_replaced(share, folder) -> None:
    put_lessons(share, folder)
    write(folder, {LESSON: "my answers"})
    assert [s for s in put_lessons(share, folder) if s.edited] == [Step(LESSON, FRESH, "new")]
    write(folder, {FRESH: "my second answers"})
    put_lessons(share, folder)
    second = "notebooks/04_split.fresh-2.ipynb"
    mine = {LESSON: "my answers", FRESH: "my second answers"}
    assert held(folder) == RELEASE | mine | {second: "four"}
    assert kinds(put_lessons(share, folder)) == {"same"}
    better = {LESSON: "four, better", "notebooks/00_start.ipynb": "zero, better"}
    write(share, better)
    (folder / "data/runs/a.csv").unlink()  # what is missing comes back
    (share / "notebooks/solutions/04_split.ipynb").unlink()  # what the release lacks stays
    put_lessons(share, folder)
    assert held(folder) == RELEASE | better | mine | {second: "four, better"}


@pytest.mark.parametrize("manifest", ["{", "[]", '{"files": []}', "\udcff"])
def test_without_a_readable_manifest_nothing_is_overwritten(share, folder, manifest) -> None:
    """What was put there counts as edited then, like a file from elsewhere."""
    put_lessons(share, folder)
    (folder / MANIFEST).write_bytes(manifest.encode(errors="surrogateescape"))
    write(share, {LESSON: "four, better"})
    put_lessons(share, folder)
    assert held(folder) == RELEASE | {FRESH: "four, better"}


@pytest.mark.parametrize("stops_at", range(6))
def test_an_interrupted_upgrade_takes_nothing_for_edited(share, folder, monkeypatch, stops_at):
    """The manifest was written last: what had been replaced by then counted as edited later."""
    for release in ("one", "two"):  # interrupted at the first time, and at an upgrade
        write(share, dict.fromkeys(RELEASE, release))
        writes = iter([write_whole] * stops_at)
        monkeypatch.setattr(lab_module, "write_whole", lambda *put, w=writes: next(w)(*put))
        with pytest.raises(StopIteration):
            put_lessons(share, folder)
    monkeypatch.setattr(lab_module, "write_whole", write_whole)
    write(share, dict.fromkeys(RELEASE, "three"))
    assert not any(step.edited for step in put_lessons(share, folder))
    assert held(folder) == dict.fromkeys(RELEASE, "three")


def test_a_folder_that_cannot_be_filled(share: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="taken is a file; name a folder"):
        put_lessons(share, write(tmp_path, {"taken": ""}) / "taken")
    with pytest.raises(UserError, match="cannot be read or written"):
        put_lessons(share, write(folder, {"notebooks": "a file"}))
    (tmp_path / "other" / LESSON).mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be read or written"):
        put_lessons(share, tmp_path / "other")


def test_what_was_put_is_trusted_and_what_was_edited_is_not(share, folder, monkeypatch) -> None:
    """Nobody signs for somebody else's code; without a place for signatures nothing breaks."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder / "jupyter"))
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    made.cells[0].outputs = [nbformat.v4.new_output("display_data", {"text/html": "<svg/>"})]
    write(share, {"notebooks/00_start.ipynb": nbformat.writes(made), LESSON: nbformat.writes(made)})
    put_lessons(share, folder)
    made.cells[0].source = "2"
    write(folder, {LESSON: nbformat.writes(made)})
    sign_lessons(share, folder)
    notary = NotebookNotary()
    with closing(notary.store):
        assert notary.check_signature(nbformat.read(folder / "notebooks/00_start.ipynb", 4))
        assert not notary.check_signature(made)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder / LESSON))
    sign_lessons(share, folder)


# -- what is started


def test_without_jupyterlab(monkeypatch: pytest.MonkeyPatch, capsys, folder: Path) -> None:
    monkeypatch.setattr(lab_module.importlib.util, "find_spec", lambda name: None)
    assert main(["lab", str(folder)]) == 2
    said = capsys.readouterr().err
    assert re.fullmatch('mmsim: JupyterLab is not installed: pip install .*"jupyterlab>=.*\n', said)
    assert not folder.exists()


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No token or password is in it, where any user of the machine could read it."""
    always = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={tmp_path.resolve()}"]
    always.append("--LabApp.default_url=/lab/tree/notebooks/0%20a.ipynb")
    more = ["--ServerApp.port=8890", "--ServerApp.port_retries=0", "--no-browser", "--allow-root"]
    for user, port, words in ((1000, None, always), (0, 8890, always + more)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user, raising=False)
        lesson = tmp_path / "notebooks" / "0 a.ipynb"
        assert command(tmp_path, lesson, port=port, browser=port is None) == words


def test_what_is_opened_and_what_is_said(share, folder, monkeypatch, capsys) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(lab_module, "serve", lambda words: started.append(words) or 0)
    monkeypatch.setattr(lab_module, "sign_lessons", lambda share, folder: None)
    monkeypatch.setattr(datafiles, "share_dir", lambda: share)
    write(folder, {LESSON: "my answers"})
    for words, variable, opens in (
        ([], "firefox", True), ([], "none", False), (["--no-browser"], "", False)
    ):  # fmt: skip
        monkeypatch.setenv("BROWSER", variable)
        assert main(["lab", str(folder), *words]) == 0
        assert ("--no-browser" not in started[-1]) is opens
        assert "--LabApp.default_url=/lab/tree/notebooks/00_start.ipynb" in started[-1]
    assert capsys.readouterr().out.splitlines()[:3] == [
        f"{folder}: 4 files written, 0 already up to date.",
        f"  {LESSON} was edited and is left alone; a fresh one is {FRESH}",
        f"{folder}: 0 files written, 4 already up to date.",
    ]


def test_the_folder_of_a_notebook_is_served_and_by_a_link_too(share, tmp_path, monkeypatch):
    """The path of a file somewhere else was asked for below the folder: a traceback."""
    monkeypatch.setattr(datafiles, "share_dir", lambda: share)
    assert served_and_opened(share / "notebooks") == (share, share / "notebooks" / "00_start.ipynb")
    mine = write(tmp_path, {"mine.ipynb": "", "here/no": ""}) / "mine.ipynb"
    for target, served in ((mine, tmp_path), (share / LESSON, share)):
        assert served_and_opened(target) == (served, target)
        link = tmp_path / "here" / target.name
        link.symlink_to(target)
        root, lesson = served_and_opened(link)
        assert root.samefile(served)
        assert (root / opened(root, lesson)).samefile(target)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notebooks").symlink_to(tmp_path / "here")
    assert opened(folder, first_lesson(folder / "notebooks")) == "notebooks/04_split.ipynb"


def opened(root: Path, lesson: Path) -> str:
    words = command(root, lesson, port=None, browser=False)
    return next(word for word in words if "default_url" in word).partition("/lab/tree/")[2]


# -- doctor


def test_a_package_of_the_lessons_and_what_is_wanted_in_a_checkout_and_in_a_wheel(monkeypatch):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    written = [f'{words}; extra == "{extra}"' for extra in extras for words in extras[extra]]
    monkeypatch.setattr(lab_module.metadata, "requires", lambda name: written)
    wanted = ["jupyterlab>=4.2", "pandas<4,>=2.2"]
    for pandas, text in (
        ("2.10rc1", "pandas 2.10rc1"),
        (None, "pandas is not installed (<4,>=2.2 is needed)"),
        ("4.0", "pandas 4.0 (<4,>=2.2 is needed)"),
    ):
        there = {"jupyterlab": "4.6.6", "pandas": pandas, "mmsim-lessons": pandas}
        monkeypatch.setattr(lab_module, "installed", there.get)
        good = text == f"pandas {pandas}"
        mend = "" if good else 'pip install "pandas<4,>=2.2"'
        assert lab_module.check_packages(wanted) == [
            Check("ok", "jupyterlab 4.6.6"), Check("ok" if good else "problem", text, mend)
        ]  # fmt: skip
        assert lab_module.wanted_packages() == extras["notebook"]


def test_broken_and_missing_files(tmp_path: Path) -> None:
    good = {"data/runs/a.csv": "a,b\n1,2\n", "data/v.json": "{}", "notebooks/00.ipynb": "{}"}
    for number, (files, problem) in enumerate(
        (
            (good, ""),
            (good | {"data/runs/a.csv": "a,b\n1\n"}, "row 1 has not 2 fields"),
            (good | {"data/v.json": "{"}, "v.json can't be used"),
            ({"data/v.json": "{}"}, "there are no lessons in"),
        )
    ):
        check = lab_module.check_files(write(tmp_path / f"{number}", files))
        assert (check.sign, bool(check.advice)) == ("problem" if problem else "ok", bool(problem))
        assert problem in check.text


def test_every_problem_says_what_to_do_and_a_note_is_none(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(lab_module, "installed", lambda name: None)
    monkeypatch.setattr(lab_module, "WIDGETS_EXTENSION", "nowhere")
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    monkeypatch.setattr(datafiles, "PACKAGE", tmp_path / "mmsim")
    assert [(check.sign, bool(check.advice)) for check in checks()] == [
        *[("ok", False), ("note", True), ("problem", True), ("problem", True), ("problem", True)]
    ]
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 problem(s)"
    monkeypatch.setattr(lab_module, "checks", lambda: [Check("ok", "a"), Check("note", "b", "c")])
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        *["ok       a", "note     b", "         -> c", "Everything the lessons need is here."]
    ]


def test_nobody_is_sent_to_a_package_of_that_name_which_is_not_ours() -> None:
    """Nothing is published yet, and on the package index `mmsim` belongs to another project."""
    advice = re.compile(r"pip install[^\n]*?[ \"']mmsim(-lessons)?(\[|[\"'\s]|$)")
    assert advice.search('pip install "mmsim[notebook]"')
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *(ROOT / "mmsim").rglob("*.py")]
    files += (ROOT / "notebooks").rglob("*.ipynb")
    wrong = [str(file) for file in files if advice.search(file.read_text(encoding="utf-8"))]
    assert wrong == []
