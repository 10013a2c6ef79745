"""The folder for a stick: which wheels it has for whom, its start page, and an install from it.

What takes hundreds of megabytes is `make kit` and `make kit-test`; no test downloads anything."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile

import kit
import pytest

TARGETS = [*kit.targets()]


def test_a_system_gets_its_own_packages_and_those_of_all() -> None:
    locked = kit.pins(kit.LOCK.read_text())
    assert [pin.text for pin in locked if not any(t.needs(pin) for t in TARGETS)] == []
    for name, there in (("appnope", "macOS"), ("pywinpty", "Windows"), ("numpy", "")):
        for target in TARGETS:
            has = any(target.needs(pin) for pin in locked if pin.wanted.name == name)
            assert has == (there in target.system), target.system
    # A marker can ask for the last number of a Python, which nobody knows when a kit is made.
    for python, many in (("3.11", 2), ("3.12", 1)):
        (target,) = [t for t in TARGETS if "Linux" in t.system and t.python == python]
        assert sum(target.needs(pin) for pin in locked if pin.wanted.name == "soupsieve") == many


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


@pytest.mark.slow
def test_it_can_be_installed_and_has_no_solutions_if_none_are_wanted(tmp_path, monkeypatch) -> None:
    """A kit without packages: mmsim itself, installed by what the start page says."""
    small = tmp_path / "stick" / "kit"
    (small / "wheels").mkdir(parents=True)
    (small / "wheels" / "old-1.0-py3-none-any.whl").write_text("of an earlier lock")
    monkeypatch.setattr(kit, "LOCK", tmp_path / "lock.txt")
    kit.LOCK.write_text("# nothing\n")
    kit.build(small, solutions=False)
    there = {"README.txt", "index.html", "notebooks", "requirements.txt", "wheels"}
    assert {path.name for path in small.iterdir()} == there
    assert [*small.parent.iterdir()] == [small]
    (wheel,) = (small / "wheels").iterdir()
    assert kit.sha256(wheel) in (small / "requirements.txt").read_text()  # pip compares it
    shown = [*small.rglob("*.ipynb"), *zipfile.ZipFile(wheel).namelist()]
    assert sum(str(name).endswith("00_the_report.ipynb") for name in shown) == 2
    assert not any("solutions" in str(name) for name in shown)
    place = tmp_path / "there"
    words = ["-m", "pip", "--isolated", "install", "-r", "requirements.txt", "--target", place]
    subprocess.run([sys.executable, *words], cwd=small, check=True)
    code = f"import sys; sys.path.insert(0, {str(place)!r}); import mmsim.cli as c; "
    run = [sys.executable, "-I", "-c", code + "print(c.__file__); c.main(['run', 'vfio_map'])"]
    said = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path).stdout
    assert said.startswith(str(place))
    assert "Result: pin returns" in said
