"""A diff of two versions is the patch, and nobody else knows their names.

What the seams of each row are, the vectors and the table of the series say."""

import ast
from pathlib import Path

import pytest

import mmsim
from mmsim.mm.versions import SEAMS, TODAY_SEAMS, VERSIONS, diff, get, source

PACKAGE = Path(mmsim.__file__).parent
NAMES = tuple(VERSIONS)


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_a_difference_names_the_seams_that_differ_and_no_other(before, after):
    changed = [line for line in diff(before, after).splitlines() if line[:1] in "+-"]
    assert bool(changed) == (before != after)
    every = SEAMS | TODAY_SEAMS
    differing = {s for s in every if getattr(get(before), s) != getattr(get(after), s)}
    assert bool(differing) == bool(changed)
    text = source(after)
    for seam in SEAMS:
        assert text.count(f"def {seam}(") + text.count(f"{seam} = ") == 1


def test_the_patch_proper():
    text = diff("base", "2/2-only")
    assert "-ref_errno = -EBUSY" in text
    assert "+ref_errno = -EAGAIN" in text
    assert "+    return reason == MR_LONGTERM_PIN and ret == -EAGAIN" in text
    assert "final_rc" not in text.replace("@@", "")


# Who else may say a version's name: which names, and why.
DEFAULT = "the default: the kernel before the patch"
MAY_NAME = {
    "mm/versions.py": (NAMES, "the rows themselves"),
    "evidence/ftrace.py": (("base",), "a variant of the measured tables, which use the same word"),
    "evidence/kernel_runs.py": (("base",), "single pages, as the measured tables call them"),
    "evidence/measured.py": (NAMES, "says which row a measured kernel is"),
    "views/first_screen.py": (("base", "v1", "v2"), "the kernels that the course begins with"),
    "lessons": (NAMES, "a lesson says which versions it compares"),
    "scenarios/__init__.py": (("base",), DEFAULT),
    "scenarios/situation.py": (("base",), DEFAULT),
    "cli.py": (("base",), DEFAULT),
}


@pytest.mark.parametrize(
    "file",
    sorted(PACKAGE.rglob("*.py")),
    ids=lambda file: file.relative_to(PACKAGE).as_posix(),
)
def test_no_other_module_names_a_version(file):
    inside = file.relative_to(PACKAGE).as_posix()
    lesson = "lessons" if inside.startswith("lessons/") else inside
    allowed, _why = MAY_NAME.get(lesson, ((), ""))
    found = [
        f"{inside}:{node.lineno}: {node.value!r}"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value in NAMES and node.value not in allowed
    ]
    assert found == []
