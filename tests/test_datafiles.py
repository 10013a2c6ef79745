"""Where data is found, and how a malformed table is refused."""

from __future__ import annotations

import pytest

from mmsim import datafiles
from mmsim.errors import UserError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in an empty folder."""
    monkeypatch.setattr(datafiles, "PACKAGE", tmp_path / "mmsim")
    return tmp_path / "mmsim"


def make(file, content=b""):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_a_wheel_has_its_copy_inside_and_a_checkout_beside(package):
    with pytest.raises(UserError, match="install it again"):
        datafiles.share_dir()
    make(package.parent / "data" / "conformance" / "a.json")
    with pytest.raises(UserError, match="install it again"):  # somebody else's folder
        datafiles.share_dir()
    make(package.parent / "pyproject.toml")
    assert datafiles.share_dir() == package.parent
    make(package / "_share" / "data" / "a.csv")
    assert datafiles.share_dir() == package / "_share"


def test_a_name_that_is_none_is_one_sentence(package):
    for file in ("secret.csv", "data/runs/s3_held_reference.csv", "data/runs/notes.csv"):
        make(package / "_share" / file)
    for name, says in (
        ("s3_held_refrence.csv", "did you mean 'runs/s3_held_reference.csv'?"),
        ("../secret.csv", "no data file"),  # path() stays below data/
        ("/etc/hostname", "no data file"),
    ):
        with pytest.raises(UserError, match=rf"^[^\n]*{name}[^\n]*$") as caught:
            datafiles.path(name)
        assert says in str(caught.value)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_rows_are_read_as_text(tmp_path, start):
    file = make(tmp_path / "a.csv", start + b'name,value\r\n"a, b",01\nc,\n')
    rows = [{"name": "a, b", "value": "01"}, {"name": "c", "value": ""}]
    assert datafiles.read_csv(file) == rows


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has no header"),
        (b"a,,c\n1,2,3\n", "has no header"),
        (b"a,b,a\n1,2,3\n", "names a column twice"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has not 2 fields"),
        (b"a,b\n1,\xff\n", "is not UTF-8 text"),
        (b'a,b\n"1"x,2\n', "is not a well-formed CSV file"),
        (b'a,b\n"1,2\n', "is not a well-formed CSV file"),
        (None, "cannot be read"),
    ],
)
def test_a_malformed_table_is_one_sentence(tmp_path, content, says):
    file = tmp_path / "table.csv"
    if content is not None:
        make(file, content)
    with pytest.raises(UserError, match=r"^[^\n]*table.csv[^\n]*$") as caught:
        datafiles.read_csv(file)
    assert says in str(caught.value)
