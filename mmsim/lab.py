"""`mmsim lab`: put fresh lessons into a folder and open JupyterLab on the first one."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path
from types import FrameType

from mmsim import datafiles
from mmsim.lessonfolder import LabError, Step, put_lessons

FOLDER_DEFAULT = Path("mmsim-lessons")


def lab(folder: Path | None, *, port: int | None, browser: bool, here: Path | None) -> int:
    """Open JupyterLab on the first lesson; give its exit status.

    `folder` receives the lessons first (default: mmsim-lessons). With `here`, a notebook or a
    folder of notebooks, nothing is copied and that one is opened where it is. Without
    `browser`, or with BROWSER=none in the environment, the address is only printed. A user's
    mistake or a missing package is one sentence on stderr and status 2.
    """
    try:
        if importlib.util.find_spec("jupyterlab") is None:
            raise LabError('JupyterLab is not installed: pip install "mmsim[notebook]" brings it.')
        if here is not None:
            root, lesson = place(here)
        else:
            root = folder or FOLDER_DEFAULT
            report(put_lessons(datafiles.share_dir(), root), root)
            lesson = first_lesson(root / "notebooks")
        quiet = not browser or os.environ.get("BROWSER") == "none"
        return serve(command(root, lesson, port=port, browser=not quiet))
    except (LabError, datafiles.DataFileError) as error:
        print(f"mmsim lab: {error}", file=sys.stderr)
        return 2


def place(here: Path) -> tuple[Path, Path]:
    """For `here`, a notebook or a folder of them: the folder to serve, the lesson to open.

    Inside mmsim's own checkout the whole checkout is served, so that data/ can be looked at too.
    """
    if not here.exists():
        raise LabError(f"there is no {here} to open.")
    lesson = first_lesson(here) if here.is_dir() else here
    if lesson.suffix != ".ipynb":
        raise LabError(f"{here} is not a notebook (.ipynb).")
    share = datafiles.share_dir()
    if lesson.resolve().is_relative_to(share):
        return share, lesson
    return lesson.parent, lesson


def first_lesson(folder: Path) -> Path:
    """The notebook in `folder` whose name sorts first; raises LabError if there is none."""
    lessons = sorted(folder.glob("[!.]*.ipynb"))
    if not lessons:
        raise LabError(f"there is no lesson (.ipynb) in {folder}.")
    return lessons[0]


def command(root: Path, lesson: Path, *, port: int | None, browser: bool) -> list[str]:
    """The command line that serves `root` and opens `lesson`, a file below it."""
    if port is not None and not 1 <= port <= 65535:
        raise LabError(f"port {port} is not possible: choose one from 1 to 65535.")
    relative = lesson.resolve().relative_to(root.resolve()).as_posix()
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

    Ctrl-C goes to the whole terminal: JupyterLab asks whether to stop, so waiting goes on.
    """
    with subprocess.Popen(words) as process:

        def stop(number: int, frame: FrameType | None) -> None:
            process.terminate()

        signal.signal(signal.SIGTERM, stop)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def report(steps: list[Step], folder: Path) -> None:
    """Say in a few lines what happened to the learner's folder."""
    written = sum(step.kind != "same" for step in steps)
    print(f"{folder}: {written} files written, {len(steps) - written} already up to date.")
    for step in steps:
        if step.edited:
            print(f"  {step.name} was edited and is left alone; a fresh one is {step.target}")
    sys.stdout.flush()  # before the server's own lines, also when this goes into a file
