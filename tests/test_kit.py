"""The folder for a stick: which wheels it has for whom, its start page, and an install from it.

What takes hundreds of megabytes is `make kit` and `make kit-test`; no test downloads anything."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
import kit

TARGETS = [*kit.targets()]
LOCKED = kit.pins(kit.LOCK.read_text())


# --- which wheels for whom


def test_every_entry_of_the_lock_file_is_for_somebody() -> None:
    lines = [line for line in kit.LOCK.read_text().splitlines() if re.match(r"[\w.-]+==", line)]
    assert len(LOCKED) == len(lines) > 100
    assert len(TARGETS) == len(kit.SYSTEMS) * len(kit.PYTHONS) == 12
    assert [p.text for p in LOCKED if not any(t.needs(p) for t in TARGETS)] == []
    assert all(pin.hashes for pin in LOCKED)


def test_a_system_gets_its_own_packages_and_those_of_all() -> None:
    for name, there in (("appnope", "macOS"), ("pywinpty", "Windows"), ("numpy", "")):
        for target in TARGETS:
            has = any(target.needs(pin) for pin in LOCKED if pin.wanted.name == name)
            assert has == (there in target.system), target.system
    # A marker can ask for the last number of a Python, which nobody knows when a kit is made.
    for python, many in (("3.11", 2), ("3.12", 1)):
        (target,) = [t for t in TARGETS if "Linux" in t.system and t.python == python]
        assert sum(target.needs(pin) for pin in LOCKED if pin.wanted.name == "soupsieve") == many


LOCK = f"""
one==1.0 ; sys_platform != 'win32' \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via two
two==2.0 --hash=sha256:{"c" * 64}
"""
A, B, C, OTHER = (letter * 64 for letter in "abcd")


@pytest.mark.parametrize(
    ("name", "sum_", "fits"),
    [
        ("one-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", A, "Linux, 3.11"),
        ("one-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", OTHER, ""),
        ("one-1.0-cp311-cp311-manylinux_2_39_x86_64.whl", A, ""),
        ("one-1.1-cp311-cp311-manylinux_2_17_x86_64.whl", A, ""),
        ("one-1.0-cp39-abi3-macosx_11_0_arm64.whl", B, "Apple, 3.11 3.12 3.13"),
        ("one-1.0-cp312-cp312-macosx_10_13_universal2.whl", B, "Apple Intel, 3.12"),
        ("one-1.0-py3-none-any.whl", A, "Linux Apple Intel, 3.11 3.12 3.13"),
        ("two-2.0-cp313-cp313-win_amd64.whl", C, "Windows, 3.13"),
    ],
)
def test_a_wheel_serves_whom_its_tags_and_its_hash_fit(name: str, sum_: str, fits: str) -> None:
    systems, _, pythons = fits.partition(", ")
    for target in TARGETS:
        found = kit.files_for(target, kit.pins(LOCK), {name: sum_})
        there = any(word in target.system for word in systems.split())
        assert any(found.values()) == (there and target.python in pythons.split()), target.system


# --- the start page


def test_the_start_page_says_what_to_do_in_three_lines() -> None:
    pages = kit.start_page({"pages": "book/index.html", "slides": ""})
    text, page = pages["README.txt"], pages["index.html"]
    typed = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    assert [len(lines.splitlines()) for lines in typed] == [3, 3]
    assert re.findall(r"3\.(\d+)", text) == [str(minor) for minor in kit.PYTHONS]
    for lines in typed:
        assert "<pre><code>" + "\n".join(map(str.strip, lines.splitlines())) in page
    assert re.findall(r'href="([^"]*)"', page) == ["book/index.html"]
    assert "slides: not here" in text
    assert "://" not in text + page
    assert "{" not in text


# --- a kit without packages: mmsim itself, installed by what the start page says


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stick")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kit, "LOCK", folder / "lock.txt")
        kit.LOCK.write_text("# nothing\n")
        (folder / "kit" / "wheels").mkdir(parents=True)
        (folder / "kit" / "wheels" / "old-1.0-py3-none-any.whl").write_text("of an earlier lock")
        kit.build(folder / "kit", solutions=False)
    return folder / "kit"


def install(small: Path, target: Path) -> subprocess.CompletedProcess[str]:
    words = ["-m", "pip", "--isolated", "install", "-r", "requirements.txt", "--target", target]
    return subprocess.run([sys.executable, *words], cwd=small, capture_output=True, text=True)


@pytest.mark.slow
def test_it_can_be_installed_and_has_no_solutions_if_none_are_wanted(small, tmp_path) -> None:
    there = {"README.txt", "index.html", "notebooks", "requirements.txt", "wheels"}
    assert {path.name for path in small.iterdir()} == there
    assert [path.name for path in small.parent.iterdir() if path.name.startswith("kit")] == ["kit"]
    (wheel,) = (small / "wheels").iterdir()
    shown = [*small.rglob("*.ipynb"), *zipfile.ZipFile(wheel).namelist()]
    lessons = [str(name) for name in shown if str(name).endswith("00_the_report.ipynb")]
    assert len(lessons) == 2
    assert not any("solutions" in str(name) for name in shown)
    done = install(small, tmp_path / "there")
    assert done.returncode == 0, done.stderr
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'there')!r}); import mmsim.cli as c; "
    run = [sys.executable, "-I", "-c", code + "print(c.__file__); c.main(['run', 'vfio_map'])"]
    said = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path).stdout
    assert said.startswith(str(tmp_path))
    assert "Result: pin returns" in said


@pytest.mark.slow
def test_a_wheel_that_was_changed_is_refused(small, tmp_path) -> None:
    (wheel,) = (small / "wheels").iterdir()
    whole = wheel.read_bytes()
    wheel.write_bytes(whole + b" ")
    done = install(small, tmp_path / "there")
    wheel.write_bytes(whole)
    assert done.returncode
    assert "DO NOT MATCH THE HASHES" in done.stderr
