"""Where data is found, and how a malformed table is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmsim import datafiles
from mmsim.datafiles import DataFileError


def make(file: Path, content: bytes | str = b"") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def told(caught: pytest.ExceptionInfo[DataFileError]) -> str:
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


# --- where ------------------------------------------------------------------------------


def test_a_checkout_is_used_before_an_installed_copy(tmp_path: Path) -> None:
    make(tmp_path / "pyproject.toml", '[project]\nname = "mmsim-lessons"\n')
    make(tmp_path / "data" / "a.csv")
    make(tmp_path / "mmsim" / "_share" / "data" / "a.csv")
    assert datafiles.share_dir(tmp_path / "mmsim") == tmp_path


@pytest.mark.parametrize("project", ['[project]\nname = "other"\n', "not toml [", b"\xff\xfe"])
def test_a_foreign_project_above_the_package_is_not_a_checkout(
    tmp_path: Path, project: str | bytes
) -> None:
    make(tmp_path / "pyproject.toml", project)
    make(tmp_path / "data" / "a.csv")
    make(tmp_path / "mmsim" / "_share" / "data" / "a.csv")
    assert datafiles.share_dir(tmp_path / "mmsim") == tmp_path / "mmsim" / "_share"


def test_a_broken_installation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataFileError) as caught:
        datafiles.share_dir(tmp_path / "mmsim")
    assert "install it again" in told(caught)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("s3_held_refrence.csv", "did you mean 'runs/s3_held_reference.csv'?"),
        ("../secret.csv", "no data file"),  # path() stays below data/
        ("/etc/hostname", "no data file"),
    ],
)
def test_a_name_that_is_none_is_one_sentence(tmp_path: Path, name: str, says: str) -> None:
    for file in ("secret.csv", "data/runs/s3_held_reference.csv", "data/runs/notes.csv"):
        make(tmp_path / file)
    with pytest.raises(DataFileError) as caught:
        datafiles.path(name, tmp_path)
    assert name in told(caught)
    assert says in told(caught)


# --- what -------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_rows_are_read_as_text(tmp_path: Path, start: bytes) -> None:
    file = make(tmp_path / "a.csv", start + b'name,value\r\n"a, b",01\nc,\n')
    assert datafiles.read_csv(file) == [
        {"name": "a, b", "value": "01"},
        {"name": "c", "value": ""},
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no header"),
        (b"\na,b\n", "has no header"),
        (b"a,,c\n1,2,3\n", "has no header"),
        (b"a,b,a\n1,2,3\n", "names the column 'a' twice"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has 3 fields where its header has 2"),
        (b"a,b\n1\n", "row 1 has 1 fields where its header has 2"),
        (b"a,b\n1,\xff\n", "is not UTF-8 text"),
        (b'a,b\n"1"x,2\n', "is not a well-formed CSV file"),
        (b'a,b\n"1,2\n', "is not a well-formed CSV file"),
    ],
)
def test_a_malformed_table_is_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    file = make(tmp_path / "table.csv", content)
    with pytest.raises(DataFileError) as caught:
        datafiles.read_csv(file)
    assert says in told(caught)
    assert str(file) in told(caught)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataFileError, match="cannot be read"):
        datafiles.read_csv(tmp_path / name)


def test_every_table_of_the_project_can_be_read() -> None:
    tables = [name for name in datafiles.names() if name.endswith(".csv")]
    assert "kernel-runs/s3_held_reference.csv" in tables
    for name in tables:
        assert datafiles.load_csv(name), name
