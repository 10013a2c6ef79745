"""mmsim doctor: each thing that can be wrong is named, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmsim import datafiles, doctor
from mmsim.doctor import Check, meets, parse_requirement

WANTED = [
    'jupyterlab>=4.2; extra == "notebook"',
    "pandas<4,>=2.2; extra == 'notebook'",
    "pytest>=8.2; extra == 'test'",
]
GOOD = {"jupyterlab": "4.6.6", "pandas": "3.1.1", "pytest": "9.2.0"}


def packages(**changed: str | None) -> list[Check]:
    return doctor.check_packages(WANTED, (GOOD | changed).get)


def test_packages_that_are_there() -> None:
    assert packages() == [Check("ok", "jupyterlab 4.6.6"), Check("ok", "pandas 3.1.1")]


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (None, "pandas is not installed (<4,>=2.2 is needed)"),
        ("2.1.9", "pandas 2.1.9 (<4,>=2.2 is needed)"),
        ("4.0", "pandas 4.0 (<4,>=2.2 is needed)"),
    ],
)
def test_a_package_of_the_lessons_is_a_problem(version: str | None, says: str) -> None:
    check = packages(pandas=version)[1]
    assert (check.sign, check.text) == ("problem", says)
    assert 'pip install --upgrade "mmsim[notebook]"' in check.advice


def test_a_package_of_the_tests_is_only_a_note() -> None:
    check = packages(pytest="7.0")[-1]
    assert check.sign == "note"
    assert "pytest>=8.2" in check.text


@pytest.mark.parametrize(
    ("version", "bound", "met"),
    [
        ("2.2", ">=2.2", True),
        ("2.10.1", ">=2.2", True),
        ("2.2", ">=2.2.0", True),
        ("3.0rc1", ">=3", True),
        ("2.1.9", ">=2.2", False),
        ("4.0", ">=2.2,<4", False),
        ("3.9", ">=2.2,<4", True),
        ("0.1", "", True),
    ],
)
def test_bounds(version: str, bound: str, met: bool) -> None:
    assert meets(version, bound) is met


def test_requirements_as_metadata_writes_them() -> None:
    assert parse_requirement("types-PyYAML>=6.0; extra == 'test'") == (
        *("types-PyYAML", ">=6.0", "test"),
    )
    assert parse_requirement("a.b[c] (>=1, <2)") == ("a.b", ">=1,<2", "")


def test_doctor_can_read_every_bound_of_this_project() -> None:
    found = [parse_requirement(requirement) for requirement in doctor.requirements()]
    assert {extra for _, _, extra in found} == {"notebook", "test"}
    for _, bound, _ in found:
        assert meets("9999", bound)


@pytest.mark.parametrize(
    ("version", "sign"), [((3, 10, 13), "problem"), ((3, 11, 0), "ok"), ((4, 0, 0), "ok")]
)
def test_python(version: tuple[int, ...], sign: str) -> None:
    check = doctor.check_python(version)
    assert check.sign == sign
    assert bool(check.advice) == (sign == "problem")


def test_mmsim_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.check_mmsim().sign == "ok"
    monkeypatch.setattr(doctor, "installed", lambda name: None)
    assert doctor.check_mmsim().sign == "note"


def test_widgets_extension(tmp_path: Path) -> None:
    check = doctor.check_widgets_extension([str(tmp_path)])
    assert check.sign == "problem"
    assert "jupyterlab_widgets" in check.advice
    package = tmp_path / doctor.WIDGETS_EXTENSION
    package.parent.mkdir(parents=True)
    package.write_text("{}")
    assert doctor.check_widgets_extension(["/nowhere", str(tmp_path)]).sign == "ok"


def test_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "BROWSERS", ("chromium",))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MMSIM_CHROMIUM", raising=False)
    assert doctor.check_browser().sign == "note"
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert doctor.find_browser() == str(program)
    assert doctor.check_browser().sign == "ok"
    # a name that was given is meant: nothing else is used in its place
    monkeypatch.setenv("MMSIM_CHROMIUM", "/nowhere/chrome")
    assert doctor.find_browser() is None
    assert "MMSIM_CHROMIUM=/nowhere/chrome cannot be run" in doctor.check_browser().text


# --- data and lessons -------------------------------------------------------------------


@pytest.fixture
def share(tmp_path: Path) -> Path:
    files = {
        "data/runs/a.csv": "a,b\n1,2\n",
        "data/conformance/v.json": "{}",
        "notebooks/00_start.ipynb": "{}",
        "notebooks/01_next.ipynb": "{}",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_whole_data_and_lessons(share: Path) -> None:
    assert doctor.check_data(share).sign == "ok"
    assert doctor.check_lessons(share) == Check("ok", f"2 lessons in {share / 'notebooks'}")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("data/runs/a.csv", b"a,b\n1\n", "row 1 has 1 fields"),
        ("data/runs/a.csv", b"a,\xff\n", "is not UTF-8"),
        ("data/runs/a.csv", None, "data files are missing"),
        ("data/conformance/v.json", b"{", "v.json is not JSON"),
        ("data/conformance/v.json", b"\xff", "v.json is not JSON"),
        ("data/conformance/v.json", None, "data files are missing"),
    ],
)
def test_broken_data(share: Path, name: str, content: bytes | None, says: str) -> None:
    if content is None:
        (share / name).unlink()
    else:
        (share / name).write_bytes(content)
    check = doctor.check_data(share)
    assert check.sign == "problem"
    assert says in check.text
    assert check.advice


def test_broken_lessons(share: Path) -> None:
    (share / "notebooks" / "01_next.ipynb").write_text("{")
    check = doctor.check_lessons(share)
    assert check.sign == "problem"
    assert "01_next.ipynb is not JSON" in check.text
    for lesson in (share / "notebooks").iterdir():
        lesson.unlink()
    assert doctor.check_lessons(share).text.startswith("there is no lesson")


def test_an_installation_without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise datafiles.DataFileError("install it again")

    monkeypatch.setattr(datafiles, "share_dir", missing)
    assert doctor.checks()[-1] == Check("problem", "no lessons and no data", "install it again")


# --- the whole command ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "status", "last"),
    [
        ([Check("ok", "a"), Check("note", "b", "c")], 0, "Everything the lessons need is here."),
        ([Check("ok", "a"), Check("problem", "b", "c")], 1, "1 problem(s)"),
    ],
)
def test_exit_status(monkeypatch, capsys, found: list[Check], status: int, last: str) -> None:
    monkeypatch.setattr(doctor, "checks", lambda: found)
    assert doctor.doctor() == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok       a"
    assert lines[1] == f"{found[1].sign:<8} b"
    assert lines[2:] == ["         -> c", last]


def test_every_problem_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "installed", lambda name: None)
    monkeypatch.setattr(datafiles, "share_dir", lambda: tmp_path)
    problems = [check for check in doctor.checks() if check.sign == "problem"]
    assert len(problems) >= 5
    assert all(check.advice for check in problems)
