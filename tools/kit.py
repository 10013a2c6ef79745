"""Build one folder for a stick, from which the lessons can be installed without a network.

usage: python tools/kit.py FOLDER [--no-solutions]

In it: the packages of `requirements/lab.txt` as wheels for each of SYSTEMS and PYTHONS, mmsim's own
wheel, the lessons, what `make book` and `make slides` have left in `build/`, and a start page.
The start page is made from `kit.md`.  All is written into FOLDER.part, which takes the place of
FOLDER when it is whole.  Wheels that are there already are checked by their hash and used again."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import mistune
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "lab.txt"
PYTHONS = 11, 12, 13  # 3.11 and so on
MANYLINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
MANYLINUX += [f"manylinux{name}_x86_64" for name in ("2014", "2010", "1")]
ARM, INTEL = ([*mac_platforms((11, 0), machine)] for machine in ("arm64", "x86_64"))
# name -> os.name, sys.platform, platform.system(), platform.machine(), and the platforms of wheels
SYSTEMS = {
    "Linux (glibc 2.28 or newer, x86-64)": ("posix", "linux", "Linux", "x86_64", MANYLINUX),
    "macOS 11 or newer (Apple processor)": ("posix", "darwin", "Darwin", "arm64", ARM),
    "macOS 11 or newer (Intel processor)": ("posix", "darwin", "Darwin", "x86_64", INTEL),
    "Windows (x86-64)": ("nt", "win32", "Windows", "AMD64", ["win_amd64"]),
}
MARKERS = ("os_name", "sys_platform", "platform_system", "platform_machine")


class Pin(NamedTuple):
    """One entry of a lock file: its text, the requirement and the hashes that are allowed."""

    text: str
    wanted: Requirement
    hashes: frozenset[str]


class Target(NamedTuple):
    """A system with a Python: the platforms of its wheels, and what lock files ask about it."""

    system: str
    python: str
    platforms: list[str]
    tags: set[Tag]
    markers: list[dict[str, str]]

    def needs(self, pin: Pin) -> bool:
        """Does a machine of this kind need it, whatever the last number of its Python?"""
        marker = pin.wanted.marker
        return marker is None or any(marker.evaluate(dict(known)) for known in self.markers)


def pins(lock: str) -> list[Pin]:
    """The entries of a lock file, in order."""
    found = []
    for line in re.findall(r"(?m)^[^#\s].*$", re.sub(r"\\\n\s*", " ", lock)):
        wanted, *hashes = line.split("--hash=sha256:")
        found.append(Pin(line, Requirement(wanted), frozenset(h.strip() for h in hashes)))
    return found


def targets() -> Iterable[Target]:
    """Every system with every Python."""
    for system, (*known, platforms) in SYSTEMS.items():
        for minor in PYTHONS:
            tags = {*cpython_tags((3, minor), platforms=platforms)}
            tags |= {*compatible_tags((3, minor), f"cp3{minor}", platforms)}
            markers = dict(zip(MARKERS, known, strict=True)) | {"python_version": f"3.{minor}"}
            both = [markers | {"python_full_version": f"3.{minor}.{last}"} for last in (0, 99)]
            yield Target(system, f"3.{minor}", platforms, tags, both)


def sha256(file: Path) -> str:
    """The sum of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def files_for(target: Target, locked: Iterable[Pin], sums: dict[str, str]) -> dict[Pin, list[str]]:
    """The wheels among `sums`, name -> hash, by the pin that they serve on this target."""
    found: dict[Pin, list[str]] = {pin: [] for pin in locked if target.needs(pin)}
    for name, sum_ in sums.items():
        project, version, _, tags = parse_wheel_filename(name)
        for pin in found:
            same = canonicalize_name(pin.wanted.name) == project and sum_ in pin.hashes
            if same and tags & target.tags and pin.wanted.specifier.contains(version, True):
                found[pin].append(name)
    return found


def fetch(wheels: Path, locked: list[Pin]) -> None:
    """Have what is missing downloaded; SystemExit says what could not be had."""
    sums = {file.name: sha256(file) for file in wheels.iterdir()}
    for name in {name for name, sum_ in sums.items() if not any(sum_ in p.hashes for p in locked)}:
        (wheels / name).unlink()  # broken, or of an earlier lock file
        del sums[name]
    for target in targets():
        for last in (False, True):
            sums |= {f.name: sha256(f) for f in wheels.glob("*.whl") if f.name not in sums}
            found = files_for(target, locked, sums)
            missing = [pin for pin, names in found.items() if not names]
            if missing and last:
                names = ", ".join(pin.text.split()[0].replace("==", " ") for pin in missing)
                raise SystemExit(f"{target.system}, Python {target.python}: no wheel of {names}.")
            if missing:
                download(wheels, target, missing)
        print(f"{target.system}, Python {target.python}: {len(found)} packages", flush=True)


def download(wheels: Path, target: Target, missing: list[Pin]) -> None:
    """Ask pip for wheels; it compares the hashes, and takes one version of a package at a time."""
    now = {pin.wanted.name: pin for pin in missing}.values()
    if rest := [pin for pin in missing if pin not in now]:
        download(wheels, target, rest)
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "lock.txt")
        # The markers are about the target, and pip would ask them about this machine.
        lock.write_text("\n".join(re.sub(r" ; .*?(?=\s--hash)", "", pin.text) for pin in now))
        words = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary=:all:"]
        words += [f"--platform={platform}" for platform in target.platforms]
        words += [f"--python-version={target.python}.99", "-d", str(wheels), "-r", str(lock)]
        if subprocess.run(words).returncode:
            raise SystemExit(f"pip could not download for {target.system}, {target.python}.")


def own_wheel(wheels: Path, notebooks: Path) -> Path:
    """Build mmsim's wheel with these lessons."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
            shutil.copy(ROOT / name, folder)
        for tree in (ROOT / "mmsim", ROOT / "data", notebooks):
            shutil.copytree(tree, Path(folder, tree.name))
        words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(wheels.glob("mmsim_lessons-*.whl"))


def start_page(others: dict[str, str]) -> dict[str, str]:
    """The start page as a text and as HTML; `others`: what else there is -> its address, or ""."""
    text = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    text += "".join(f"- {w}: {f'[{at}]({at})' if at else 'not here'}\n" for w, at in others.items())
    text = text.replace("{systems}", "\n".join(f"- {system}" for system in SYSTEMS))
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>mmsim</title>'
    style = "<style>body{max-width:44em;margin:2em auto;font:17px/1.5 sans-serif}</style>"
    return {"README.txt": text, "index.html": f"{head}\n{style}\n{mistune.html(text)}</html>\n"}


def build(folder: Path, solutions: bool = True) -> None:
    """Make the folder of the kit, or make it anew."""
    part, old = (folder.with_name(f"{folder.name}.{end}") for end in ("part", "old"))
    if old.exists() and not folder.exists():  # an earlier run ended between two renames
        old.rename(folder)
    wheels = part / "wheels"
    if folder.exists() and not wheels.exists():
        shutil.copytree(folder / "wheels", wheels)
    wheels.mkdir(parents=True, exist_ok=True)
    for other in {*part.iterdir()} - {wheels}:
        shutil.rmtree(other) if other.is_dir() else other.unlink()
    fetch(wheels, pins(lock := LOCK.read_text(encoding="utf-8")))
    leave = shutil.ignore_patterns(".*", "progress.*", *([] if solutions else ["solutions"]))
    shutil.copytree(ROOT / "notebooks", part / "notebooks", ignore=leave)
    others = {"the lessons, to be read": "notebooks/"}
    for what, name in (("the static pages", "book"), ("the slides", "slides")):  # with answers
        there = solutions and (ROOT / "build" / name / "index.html").exists()
        others[what] = f"{name}/index.html" if there else ""
        if there:
            shutil.copytree(ROOT / "build" / name, part / name)
    wheel = own_wheel(wheels, part / "notebooks")
    own = f"mmsim-lessons=={wheel.name.split('-')[1]} --hash=sha256:{sha256(wheel)}\n"
    wanted = f"--no-index\n--find-links wheels\n{lock}{own}"
    for name, text in {**start_page(others), "requirements.txt": wanted}.items():
        (part / name).write_text(text, encoding="utf-8")
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    print(f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:,.0f} MB")


if __name__ == "__main__":
    place, *rest = sys.argv[1:] or [""]
    if not place or rest not in ([], ["--no-solutions"]):
        raise SystemExit(__doc__.splitlines()[2])
    build(Path(place).resolve(), solutions=not rest)
