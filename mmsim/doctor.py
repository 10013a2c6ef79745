"""`mmsim doctor`: what this machine has, what is missing, and what to do about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from mmsim import datafiles

Sign = Literal["ok", "problem", "note"]

PYTHON_MIN = (3, 11)
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
WIDGETS_EXTENSION = "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"
INSTALL_NOTEBOOK = 'pip install --upgrade "mmsim[notebook]"'


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. A problem always comes with what to do (`advice`).

    A note is something that only some people need, so it never changes the exit status.
    """

    sign: Sign
    text: str
    advice: str = ""


def doctor() -> int:
    """Print one line for each check; exit status 0 if nothing is a problem, else 1."""
    found = checks()
    for check in found:
        print(f"{check.sign:<8} {check.text}")
        if check.advice:
            print(f"{'':8} -> {check.advice}")
    problems = sum(check.sign == "problem" for check in found)
    print(f"{problems} problem(s)" if problems else "Everything the lessons need is here.")
    return 1 if problems else 0


def ready() -> None:
    """The first cell of a lesson: one line, the same on every machine where all is well."""
    problems = [check for check in checks() if check.sign == "problem"]
    for check in problems:
        print(f"{check.sign}: {check.text} -> {check.advice}")
    if not problems:
        print("Ready: the model, its data and the widgets are here.")


def checks() -> list[Check]:
    """Everything `mmsim doctor` looks at, in the order in which it is worth mending."""
    found = [check_python(sys.version_info[:3]), check_mmsim()]
    found += check_packages(requirements(), installed)
    found += [check_widgets_extension([sys.prefix, site.getuserbase()]), check_browser()]
    try:
        share = datafiles.share_dir()
    except datafiles.DataFileError as error:
        return [*found, Check("problem", "no lessons and no data", str(error))]
    return [*found, check_data(share), check_lessons(share)]


def check_python(version: tuple[int, ...]) -> Check:
    """Whether this Python is new enough."""
    text = f"Python {_dotted(version)} ({sys.executable})"
    if version >= PYTHON_MIN:
        return Check("ok", text)
    return Check("problem", text, f"mmsim needs Python {_dotted(PYTHON_MIN)} or newer")


def check_mmsim() -> Check:
    """Which mmsim this is, and where it was loaded from: the usual surprise is a second copy."""
    version = installed("mmsim")
    if version is None:
        text = f"mmsim is loaded from {datafiles.PACKAGE}, but it is not installed"
        return Check("note", text, "pip install -e . in its folder makes `mmsim` a command")
    return Check("ok", f"mmsim {version} from {datafiles.PACKAGE}")


def installed(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def requirements() -> list[str]:
    """What mmsim's own metadata asks for, such as `pandas>=2.2; extra == 'notebook'`."""
    try:
        return metadata.requires("mmsim") or []
    except metadata.PackageNotFoundError:
        return []


def check_packages(wanted: Iterable[str], version_of: Callable[[str], str | None]) -> list[Check]:
    """One check for each package of the `notebook` extra, and one line for the `test` extra."""
    notebook: list[Check] = []
    missing_test: list[str] = []
    for requirement in wanted:
        name, bound, extra = parse_requirement(requirement)
        version = version_of(name)
        met = version is not None and meets(version, bound)
        if extra == "test":
            missing_test += [] if met else [f"{name}{bound}"]
        elif met:
            notebook.append(Check("ok", f"{name} {version}"))
        else:
            text = f"{name} {version or 'is not installed'} ({bound or 'any version'} is needed)"
            notebook.append(Check("problem", text, INSTALL_NOTEBOOK))
    if missing_test:
        text = f"not here, and only needed to run the project's tests: {', '.join(missing_test)}"
        notebook.append(Check("note", text))
    return notebook


def parse_requirement(requirement: str) -> tuple[str, str, str]:
    """Name, version bound and extra of a requirement as core metadata writes it."""
    specifier, _, marker = requirement.partition(";")
    match = re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*\(?([^)]*)\)?", specifier)
    assert match is not None, f"mmsim's metadata has a requirement without a name: {requirement!r}"
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
    return match[1], match[2].replace(" ", ""), extra[1] if extra else ""


def meets(version: str, bound: str) -> bool:
    """Whether `version` lies within `bound`, a list such as `>=2.2,<4` (no other operators)."""
    for clause in filter(None, bound.split(",")):
        match = re.fullmatch(r"(>=|<)([0-9.]+)", clause)
        assert match is not None, f"doctor reads only >= and < in pyproject.toml, not {clause!r}"
        have, limit = _padded(version), _padded(match[2])
        if (have >= limit) != (match[1] == ">="):
            return False
    return True


def check_widgets_extension(prefixes: Iterable[str]) -> Check:
    """Whether JupyterLab has the part of ipywidgets that draws sliders in the page."""
    if any((Path(prefix) / WIDGETS_EXTENSION).is_file() for prefix in prefixes):
        return Check("ok", "JupyterLab can show widgets (jupyterlab_widgets)")
    return Check(
        "problem",
        "JupyterLab would show text in place of sliders: its widget extension is missing",
        "pip install --force-reinstall jupyterlab_widgets",
    )


def check_browser() -> Check:
    """Whether the browser tests could run; the lessons open in any browser."""
    found = find_browser()
    if found:
        return Check("ok", f"a browser for the tests: {found}")
    named = os.environ.get("MMSIM_CHROMIUM")
    text = f"MMSIM_CHROMIUM={named} cannot be run" if named else "no Chromium was found"
    return Check(
        "note",
        f"{text}: the project's browser tests would be skipped",
        "only developers need it: install chromium, or set MMSIM_CHROMIUM to its path",
    )


def find_browser() -> str | None:
    """The path of a Chromium-like browser: MMSIM_CHROMIUM alone if it is set, else a usual name."""
    named = os.environ.get("MMSIM_CHROMIUM")
    paths = (shutil.which(name) for name in ([named] if named else BROWSERS))
    return next((path for path in paths if path), None)


def check_data(share: Path) -> Check:
    """Whether every table and every vector under data/ can be read."""
    tables = [name for name in datafiles.names(share) if name.endswith(".csv")]
    vectors = [name for name in datafiles.names(share) if name.endswith(".json")]
    advice = "fetch it again: git restore data in a checkout, else " + INSTALL_NOTEBOOK
    if not tables or not vectors:
        return Check("problem", f"data files are missing in {share / 'data'}", advice)
    try:
        for name in tables:
            datafiles.read_csv(share / "data" / name)
        for name in vectors:
            _read_json(share / "data" / name)
    except (datafiles.DataFileError, OSError, ValueError) as error:
        return Check("problem", str(error), advice)
    return Check("ok", f"{len(tables)} tables and {len(vectors)} JSON files in {share / 'data'}")


def check_lessons(share: Path) -> Check:
    """Whether the lessons are there and are whole files."""
    folder = share / "notebooks"
    lessons = sorted(folder.glob("*.ipynb"))
    advice = "fetch it again: git restore notebooks in a checkout, else " + INSTALL_NOTEBOOK
    if not lessons:
        return Check("problem", f"there is no lesson in {folder}", advice)
    try:
        for lesson in lessons:
            _read_json(lesson)
    except (OSError, ValueError) as error:
        return Check("problem", str(error), advice)
    return Check("ok", f"{len(lessons)} lessons in {folder}")


def _read_json(file: Path) -> None:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from error


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _padded(version: str) -> tuple[int, ...]:
    """`2.2rc1` -> (2, 2, 0, 0): the leading number of each part is enough for a lower bound."""
    numbers = [
        int(match[0]) for part in version.split(".")[:4] if (match := re.match(r"\d+", part))
    ]
    return tuple(numbers + [0] * (4 - len(numbers)))
