"""The learner's folder: filled, renewed, and never over anybody's work."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from mmsim.lessonfolder import MANIFEST, LabError, Step, plan_copy, put_lessons, write_whole

LESSON = "notebooks/04_split.ipynb"
FRESH = "notebooks/04_split.fresh.ipynb"
RELEASE = {
    "notebooks/00_start.ipynb": "zero",
    LESSON: "four",
    "notebooks/solutions/04_split.ipynb": "four, solved",
    "data/runs/a.csv": "a\n1\n",
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A release: lessons, data, and things that are not for learners."""
    extra = {
        "notebooks/build.py": "x",
        "notebooks/.ipynb_checkpoints/04.ipynb": "x",
        "data/.x": "x",
    }
    return write(tmp_path / "share", RELEASE | extra)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my lessons"


def held(folder: Path) -> dict[str, str]:
    """Every file in the folder but the manifest: name -> text."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {file.relative_to(folder).as_posix(): file.read_text() for file in files}


def kinds(steps: list[Step]) -> set[str]:
    return {step.kind for step in steps}


# --- filling and renewing ---------------------------------------------------------------


def test_a_fresh_folder_gets_lessons_and_data_only(share: Path, folder: Path) -> None:
    steps = put_lessons(share, folder)
    assert held(folder) == RELEASE
    assert kinds(steps) == {"new"}
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["files"][LESSON] == hashlib.sha256(b"four").hexdigest()
    assert manifest["files"].keys() == RELEASE.keys()


def test_a_second_run_changes_nothing(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.ipynb")}
    assert kinds(put_lessons(share, folder)) == {"same"}
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.ipynb")} == before


def test_an_edited_file_is_kept_and_the_fresh_one_put_beside(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    write(folder, {LESSON: "my answers"})
    edited = [step for step in put_lessons(share, folder) if step.edited]
    assert edited == [Step(LESSON, FRESH, "new")]
    assert held(folder) == RELEASE | {LESSON: "my answers", FRESH: "four"}


def test_an_edited_fresh_copy_is_kept_too(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    write(folder, {LESSON: "my answers"})
    put_lessons(share, folder)
    write(folder, {FRESH: "my second answers"})
    put_lessons(share, folder)
    second = "notebooks/04_split.fresh-2.ipynb"
    mine = {LESSON: "my answers", FRESH: "my second answers", second: "four"}
    assert held(folder) == RELEASE | mine
    assert kinds(put_lessons(share, folder)) == {"same"}


def test_a_deleted_file_comes_back(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    (folder / LESSON).unlink()
    put_lessons(share, folder)
    assert held(folder) == RELEASE


def test_a_new_release_replaces_what_was_not_edited(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    write(folder, {"notebooks/00_start.ipynb": "my zero"})
    write(share, {LESSON: "four, better", "notebooks/00_start.ipynb": "zero, better"})
    put_lessons(share, folder)
    assert held(folder) == RELEASE | {
        LESSON: "four, better",
        "notebooks/00_start.ipynb": "my zero",
        "notebooks/00_start.fresh.ipynb": "zero, better",
    }


def test_an_untouched_fresh_copy_is_renewed(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    write(folder, {LESSON: "my answers"})
    put_lessons(share, folder)
    write(share, {LESSON: "four, better"})
    put_lessons(share, folder)
    assert held(folder) == RELEASE | {LESSON: "my answers", FRESH: "four, better"}


def test_a_file_from_elsewhere_counts_as_edited(share: Path, folder: Path) -> None:
    write(folder, {LESSON: "somebody's own"})
    put_lessons(share, folder)
    assert held(folder) == RELEASE | {LESSON: "somebody's own", FRESH: "four"}


BROKEN = [
    "{",
    "[]",
    "null",
    '{"format": 1}',
    '{"format": 1, "files": []}',
    f'{{"format": 2, "files": {{"{LESSON}": "{hashlib.sha256(b"four").hexdigest()}"}}}}',
    "\udcff",
]


@pytest.mark.parametrize("manifest", BROKEN)
def test_without_a_readable_manifest_nothing_is_overwritten(
    share: Path, folder: Path, manifest: str
) -> None:
    put_lessons(share, folder)
    (folder / MANIFEST).write_bytes(manifest.encode(errors="surrogateescape"))
    write(share, {LESSON: "four, better"})
    put_lessons(share, folder)
    assert held(folder) == RELEASE | {FRESH: "four, better"}


def test_a_release_without_a_lesson_leaves_the_old_one(share: Path, folder: Path) -> None:
    put_lessons(share, folder)
    (share / LESSON).unlink()
    put_lessons(share, folder)
    assert held(folder) == RELEASE


def test_plan_never_targets_an_edited_file() -> None:
    present = {"a": "edited", "b": "old", "c": "new"}
    steps = plan_copy(dict.fromkeys("abcd", "new"), present, dict.fromkeys("abc", "old"))
    assert steps == [
        Step("a", "a.fresh", "new"),
        Step("b", "b", "update"),
        Step("c", "c", "same"),
        Step("d", "d", "new"),
    ]


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    write(tmp_path, {"a": "old"})
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a", b"new")
    assert held(tmp_path) == {"a": "old"}


def test_folder_is_a_file(share: Path, tmp_path: Path) -> None:
    file = write(tmp_path, {"taken": ""}) / "taken"
    with pytest.raises(LabError, match="taken is a file; name a folder"):
        put_lessons(share, file)


def test_a_file_where_a_folder_must_be(share: Path, folder: Path) -> None:
    write(folder, {"notebooks": "a file"})
    with pytest.raises(LabError, match="cannot be read or written"):
        put_lessons(share, folder)


def test_a_folder_where_a_file_must_be(share: Path, folder: Path) -> None:
    (folder / LESSON).mkdir(parents=True)
    with pytest.raises(LabError, match="cannot be read or written"):
        put_lessons(share, folder)
