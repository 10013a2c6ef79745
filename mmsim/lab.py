"""`mmsim lab` and `mmsim doctor`: the learner's folder, JupyterLab, and what the lessons need.

`mmsim lab` never writes over anybody's work.  A manifest in the learner's folder holds the SHA-256
of every file that was put there.  A file that still has that sum may be replaced.  Any other
belongs to the learner, and the fresh one goes beside it.  Before files are replaced the manifest
gets both sums, so an upgrade that is interrupted leaves no file that counts as edited."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import os
import platform
import shlex
import signal
import site
import subprocess
import sys
import tomllib
import urllib.parse
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Literal, NamedTuple

from mmsim import datafiles
from mmsim.datafiles import write_whole
from mmsim.errors import UserError
from mmsim.progress import SOLUTIONS

DISTRIBUTION = "mmsim-lessons"
MANIFEST = ".mmsim-lessons.json"
MEND = "git restore data notebooks in a checkout; otherwise install mmsim again from its wheel"
WIDGETS_EXTENSION = "share/jupyter/labextensions/@jupyter-widgets/jupyterlab-manager/package.json"


# -- mmsim lab


def open_lab(
    folder: Path | None,
    *,
    port: int | None,
    browser: bool,
    here: Path | None,
    solutions: bool = True,
) -> int:
    """Open JupyterLab on the first lesson; give its exit status.

    `folder` receives the lessons first (default: mmsim-lessons).  With `here`, a notebook or a
    folder of notebooks, nothing is copied and that one is opened where it is.  Without `browser`,
    or with BROWSER=none in the environment, the address is only printed.  Without `solutions` none
    is put into the folder; what is there stays.  Raises UserError."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise UserError(f"JupyterLab is not installed: {_install(wanted_packages())}")
    share = datafiles.share_dir()
    if here is None:
        root = folder or Path("mmsim-lessons")
        report(put_lessons(share, root, solutions=solutions), root)
        lesson = first_lesson(root / "notebooks")
    elif solutions:
        root, lesson = served_and_opened(here)
    else:
        raise UserError("--no-solutions is for a folder of your own: --here copies nothing.")
    sign_lessons(share, root)
    quiet = not browser or os.environ.get("BROWSER") == "none"
    return serve(command(root, lesson, port=port, browser=not quiet))


def served_and_opened(here: Path) -> tuple[Path, Path]:
    """For `here`, a notebook or a folder of them: the folder to serve, the lesson to open.

    Inside mmsim's own checkout the whole checkout is served, so that data/ can be looked at too."""
    if not here.exists():
        raise UserError(f"there is no {here} to open.")
    lesson = first_lesson(here) if here.is_dir() else here
    if lesson.suffix != ".ipynb":
        raise UserError(f"{here} is not a notebook (.ipynb).")
    share, lesson = datafiles.share_dir(), lesson.resolve()
    return (share if lesson.is_relative_to(share) else lesson.parent), lesson


def first_lesson(folder: Path) -> Path:
    """The notebook in `folder` whose name sorts first."""
    lessons = sorted(folder.glob("[!.]*.ipynb"))
    if not lessons:
        raise UserError(f"there is no lesson (.ipynb) in {folder}.")
    return lessons[0]


def command(root: Path, lesson: Path, *, port: int | None, browser: bool) -> list[str]:
    """The command line that serves `root` and opens `lesson`, a file below it."""
    if port is not None and not 1 <= port <= 65535:
        raise UserError(f"port {port} is not possible: choose one from 1 to 65535.")
    relative = lesson.relative_to(root).as_posix()
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root.resolve()}"]
    words.append(f"--LabApp.default_url=/lab/tree/{urllib.parse.quote(relative)}")
    if port is not None:
        # whoever names a port wants that one: without retries jupyter says that it is taken
        words += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        words.append("--no-browser")
    # the server refuses to run as root unless told that this is meant (containers, Binder)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")
    return words


def serve(words: list[str]) -> int:
    """Run JupyterLab until it ends and give its exit status.

    A request to end is handed on to JupyterLab.  Ctrl-C goes to the whole terminal anyway, and
    JupyterLab asks whether to stop, so this process waits on.  The handlers are there before the
    child is, so a request that comes while it is being started is not lost."""
    process: subprocess.Popen[bytes] | None = None
    ending = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        ending = True
        if process is not None:
            process.terminate()

    signal.signal(signal.SIGTERM, end)
    # not SIG_IGN, which the child would inherit
    signal.signal(signal.SIGINT, lambda number, frame: None)
    process = subprocess.Popen(words)
    if ending:
        process.terminate()
    return process.wait()


# -- the learner's folder


class Step(NamedTuple):
    """What is done about one file of the release.

    `name` is its path below the folder and `target` where it goes: the same, or a `.fresh` name
    beside a file that was edited.  `kind`: new (written), update (replaced), same (nothing to do).
    """

    name: str
    target: str
    kind: Literal["new", "update", "same"]

    @property
    def edited(self) -> bool:
        """Whether the learner's own file stands at `name`."""
        return self.target != self.name


def report(steps: list[Step], folder: Path) -> None:
    """Say in a few lines what happened to the learner's folder."""
    written = sum(step.kind != "same" for step in steps)
    print(f"{folder}: {written} files written, {len(steps) - written} already up to date.")
    for step in steps:
        if step.edited:
            print(f"  {step.name} was edited and is left alone; a fresh one is {step.target}")
    sys.stdout.flush()  # before the server's own lines, also when this goes into a file


def put_lessons(share: Path, folder: Path, *, solutions: bool = True) -> list[Step]:
    """Put the release's lessons and data under `folder`; tell what was done about each file.

    Raises UserError if `folder` is a file, if a file stands where a folder must be, or if
    nothing can be written there."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder for the lessons.")
    try:
        files = _files(share, "*.ipynb")
        if not solutions:
            files = {name: files[name] for name in files if SOLUTIONS not in Path(name).parts}
        fresh = {name: _sum(file) for name, file in sorted(files.items())}
        present = {name: _sum(file) for name, file in _files(folder, "*").items()}
        written = _read_manifest(folder)
        steps = [_step(name, sum_, present, written) for name, sum_ in fresh.items()]
        put = [step for step in steps if step.kind != "same"]
        if put:
            both = ((s.target, f"{written.get(s.target, '')} {fresh[s.name]}") for s in put)
            _write_manifest(folder, written | dict(both))
        for step in put:
            write_whole(folder / step.target, files[step.name].read_bytes())
        _write_manifest(folder, written | {s.target: fresh[s.name] for s in steps})
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"{where} cannot be read or written: {error.strerror}.") from error
    return steps


def sign_lessons(share: Path, folder: Path) -> None:
    """Tell Jupyter to trust the lessons under `folder` that are the release's own, unchanged.

    JupyterLab shows stored pictures and links of a notebook that is trusted.  What was edited is
    left to its owner.  Where no signature can be kept, the lessons work without."""
    nbformat = importlib.import_module("nbformat")
    with suppress(OSError, ValueError):
        notary = importlib.import_module("nbformat.sign").NotebookNotary()
        with closing(notary.store):
            for name, file in _files(share, "*.ipynb").items():
                content, mine = file.read_bytes(), folder / name
                if name.endswith(".ipynb") and mine.is_file() and mine.read_bytes() == content:
                    notary.sign(nbformat.reads(content.decode(), as_version=4))


def _step(name: str, new: str, present: Mapping[str, str], written: Mapping[str, str]) -> Step:
    """Where a file of the release goes: `04.ipynb`, else `04.fresh.ipynb`, `04.fresh-2.ipynb` ...

    `new` is its sum; `present` has those in the folder now, `written` those of what was put there.
    Nothing that was edited is ever a target."""
    path = PurePosixPath(name)
    for number in itertools.count():
        more = ("", ".fresh")[number] if number < 2 else f".fresh-{number}"
        target = str(path.with_stem(path.stem + more))
        now = present.get(target)
        if now is None:
            return Step(name, target, "new")
        if now == new:
            return Step(name, target, "same")
        if now in written.get(target, "").split():
            return Step(name, target, "update")
    raise AssertionError("a name is always free")


def _files(root: Path, lessons: str) -> dict[str, Path]:
    """The files below notebooks/ that `lessons` fits, and all below data/; hidden ones left out."""
    found = [*(root / "notebooks").rglob(lessons), *(root / "data").rglob("*")]
    files = {file.relative_to(root).as_posix(): file for file in found if file.is_file()}
    return {name: file for name, file in files.items() if not f"/{name}".count("/.")}


def _sum(file: Path) -> str:
    with file.open("rb") as content:  # a learner's own file may be larger than the memory
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write_manifest(folder: Path, written: Mapping[str, str]) -> None:
    content = json.dumps({"files": dict(sorted(written.items()))}, indent=1)
    write_whole(folder / MANIFEST, f"{content}\n".encode())


def _read_manifest(folder: Path) -> dict[str, str]:
    """The sum of each file that was put into `folder` earlier; two, with a blank between, if that
    was interrupted.  Empty if nothing is known: then all counts as edited."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {str(name): str(sum_) for name, sum_ in manifest["files"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


# -- mmsim doctor


class Check(NamedTuple):
    """One thing that was looked at.  A problem always comes with what to do (`advice`).

    A note is something that only some people need, so it never changes the exit status."""

    sign: Literal["ok", "problem", "note"]
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


def checks() -> list[Check]:
    """Everything `mmsim doctor` looks at, in the order in which it is worth mending."""
    found = [Check("ok", f"Python {platform.python_version()} ({sys.executable})")]
    version = installed(DISTRIBUTION)
    if version is None:
        words = f"mmsim is loaded from {datafiles.PACKAGE}, but it is not installed"
        advice = f"pip install --editable {shlex.quote(str(datafiles.PACKAGE.parent))}"
        found.append(Check("note", words, f"{advice} makes `mmsim` a command"))
    else:  # the usual surprise is a second copy
        found.append(Check("ok", f"mmsim {version} from {datafiles.PACKAGE}"))
    found += [*check_packages(wanted_packages()), check_widgets_extension()]
    try:
        return [*found, check_files(datafiles.share_dir())]
    except UserError as error:
        return [*found, Check("problem", "no lessons and no data", str(error))]


def installed(name: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def wanted_packages() -> list[str]:
    """What the extra `notebook` asks for: by the metadata, or in a checkout by pyproject.toml."""
    project = datafiles.PACKAGE.parent / "pyproject.toml"
    if installed(DISTRIBUTION) is not None:
        pairs = [words.partition(";") for words in metadata.requires(DISTRIBUTION) or []]
        return [name.strip() for name, _, marker in pairs if "notebook" in marker]
    if project.is_file():
        extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        return list(extras["optional-dependencies"]["notebook"])
    return []


def _install(requirements: Iterable[str]) -> str:
    return "pip install " + " ".join(f'"{words}"' for words in requirements)


def check_packages(wanted: Iterable[str]) -> list[Check]:
    """One check for each package that the lessons need."""
    try:
        from packaging.requirements import Requirement
    except ImportError:  # it comes with JupyterLab
        text = "the packages of the lessons are not installed, JupyterLab among them"
        return [Check("problem", text, _install(wanted))]
    found = []
    for needed in map(Requirement, wanted):
        version = installed(needed.name)
        if version is not None and needed.specifier.contains(version, prereleases=True):
            found.append(Check("ok", f"{needed.name} {version}"))
        else:
            text = f"{needed.name} {version or 'is not installed'}"
            bound = str(needed.specifier) or "any version"
            advice = _install([str(needed)])
            found.append(Check("problem", f"{text} ({bound} is needed)", advice))
    return found


def check_widgets_extension() -> Check:
    """Whether JupyterLab has the part of ipywidgets that draws sliders in the page."""
    if any(
        Path(prefix, WIDGETS_EXTENSION).is_file() for prefix in (sys.prefix, site.getuserbase())
    ):
        return Check("ok", "JupyterLab can show widgets (jupyterlab_widgets)")
    text = "JupyterLab would show text in place of sliders: its widget extension is missing"
    return Check("problem", text, "pip install --force-reinstall jupyterlab_widgets")


def check_files(share: Path) -> Check:
    """Whether every table, every vector and every lesson is there and can be read."""
    files = _files(share, "*.ipynb")
    for file in files.values():
        try:
            if file.suffix == ".csv":
                datafiles.read_csv(file)
            elif file.suffix in (".json", ".ipynb"):
                json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            return Check("problem", f"{file} can't be used: {error}", MEND)
    if not any(name.endswith(".ipynb") for name in files):
        return Check("problem", f"there are no lessons in {share}", MEND)
    return Check("ok", f"{len(files)} lessons and files of data in {share}")
