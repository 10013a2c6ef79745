"""A learner's own folder of lessons: filled and renewed, and never over anybody's work.

A manifest in the folder holds the SHA-256 of every file that was put there. A file that still
has that sum may be replaced; any other belongs to the learner, and the fresh one goes beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

MANIFEST = ".mmsim-lessons.json"
MANIFEST_FORMAT = 1
FRESH_MAX = 100  # differing fresh copies beside one edited file, before giving up

Kind = Literal["new", "update", "same"]


class LabError(ValueError):
    """Something the user can mend; the message is one sentence."""


@dataclass(frozen=True)
class Step:
    """What is done about one file of the release.

    `name` is its path below the folder and `target` where it goes: the same, or a `.fresh` name
    beside a file that was edited. `kind`: new (written), update (replaced), same (nothing to do).
    """

    name: str
    target: str
    kind: Kind

    @property
    def edited(self) -> bool:
        """Whether the learner's own file stands at `name`."""
        return self.target != self.name


def put_lessons(share: Path, folder: Path) -> list[Step]:
    """Put the release's lessons and data under `folder`; tell what was done about each file.

    Raises LabError if `folder` is a file, if a file stands where a folder must be, or if
    nothing can be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise LabError(f"{folder} is a file; name a folder for the lessons.")
    try:
        files = release_files(share)
        written = read_manifest(folder)
        steps = plan_copy({n: sum_of(c) for n, c in files.items()}, sums(folder), written)
        for step in steps:
            if step.kind != "same":
                write_whole(folder / step.target, files[step.name])
            written[step.target] = sum_of(files[step.name])
        write_manifest(folder, written)
    except OSError as error:
        where = error.filename or folder
        raise LabError(f"{where} cannot be read or written: {error.strerror}.") from error
    return steps


def plan_copy(
    fresh: Mapping[str, str], present: Mapping[str, str], written: Mapping[str, str]
) -> list[Step]:
    """One step for each file of the release. All three arguments are name -> SHA-256.

    `fresh` is the release, `present` what stands in the folder now, and `written` what was put
    there earlier. Nothing that was edited is ever a target.
    """
    return [_step(name, fresh[name], present, written) for name in sorted(fresh)]


def _step(name: str, new: str, present: Mapping[str, str], written: Mapping[str, str]) -> Step:
    for target in _targets(name):
        now = present.get(target)
        if now is None:
            return Step(name, target, "new")
        if now == new:
            return Step(name, target, "same")
        if now == written.get(target):
            return Step(name, target, "update")
    raise LabError(f"{name} has over {FRESH_MAX} edited copies; move some out of its folder.")


def _targets(name: str) -> list[str]:
    """`04.ipynb`, `04.fresh.ipynb`, `04.fresh-2.ipynb` ...: where a file may go, best first."""
    path = PurePosixPath(name)
    beside = [".fresh"] + [f".fresh-{n}" for n in range(2, FRESH_MAX + 1)]
    return [name] + [str(path.with_name(f"{path.stem}{b}{path.suffix}")) for b in beside]


def release_files(share: Path) -> dict[str, bytes]:
    """The files a learner gets: every notebook, and everything under data/."""
    found = [*(share / "notebooks").rglob("*.ipynb"), *(share / "data").rglob("*")]
    relative = ((file, file.relative_to(share)) for file in found if file.is_file())
    return {
        name.as_posix(): file.read_bytes()
        for file, name in relative
        if not any(part.startswith(".") for part in name.parts)
    }


def sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every lesson and data file that stands in `folder` now."""
    found: dict[str, str] = {}
    for top in ("notebooks", "data"):
        for file in (folder / top).rglob("*"):
            if file.is_file():
                found[file.relative_to(folder).as_posix()] = sum_of(file.read_bytes())
    return found


def sum_of(content: bytes) -> str:
    """The SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> dict[str, str]:
    """What was put into `folder` earlier. Empty if that is not known: then all counts as edited."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
        return {}
    files = manifest.get("files")
    return {str(n): str(s) for n, s in files.items()} if isinstance(files, dict) else {}


def write_manifest(folder: Path, written: Mapping[str, str]) -> None:
    """Remember the sums of the files that were put into `folder`."""
    manifest = {"format": MANIFEST_FORMAT, "files": dict(sorted(written.items()))}
    write_whole(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def write_whole(target: Path, content: bytes) -> None:
    """Write under a temporary name, then rename: no reader ever sees half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
