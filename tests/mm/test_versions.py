"""The versions against the table of switches, and nobody else knows their names."""

import ast
from itertools import product
from pathlib import Path

import pytest

import mmsim.mm.versions as versions
from mmsim.constants import MR_LONGTERM_PIN, REASONS
from mmsim.errno import EAGAIN, EBUSY, ENOMEM
from mmsim.mm.versions import SEAMS, VERSIONS, diff, get, source

PACKAGE = Path(versions.__file__).parent.parent
NAMES = ("base", "6.1.0", "v1", "v2", "v3", "v3fix", "2/2-only")

# The table of section 0.4 of the specification, one line per switch.
TABLE = {
    "ref_errno": "EBUSY EBUSY EAGAIN EAGAIN EAGAIN EAGAIN EAGAIN",
    "retry_split": "no no yes yes yes yes yes",
    "clobber_rc": "no no yes no no no no",
    "zero_rule": "- empty - split+empty empty empty -",
    "gup_fail_if": "nonzero nonzero left nonzero nonzero nonzero nonzero",
    "undo_count": "no no no no no yes no",
    "isolate_inverted": "yes yes yes yes yes no yes",
}
CODES = {"EBUSY": -EBUSY, "EAGAIN": -EAGAIN}


def switch(name, version):
    return TABLE[name].split()[NAMES.index(version)]


@pytest.mark.parametrize("name", NAMES)
def test_the_switches_of_a_version(name):
    row = VERSIONS[name]
    assert row.ref_errno == CODES[switch("ref_errno", name)]
    for reason in range(len(REASONS)):
        for ret in (-EAGAIN, -EBUSY, -ENOMEM):
            wanted = reason == MR_LONGTERM_PIN and ret == -EAGAIN
            assert row.retry_split(reason, ret) == (wanted and switch("retry_split", name) == "yes")
    wanted = -EBUSY if switch("clobber_rc", name) == "yes" else -ENOMEM
    assert row.rc_after_split(-ENOMEM, -EBUSY) == wanted
    assert row.taken_back == (switch("undo_count", name) == "yes")
    assert row.had_inverted_test == (switch("isolate_inverted", name) == "yes")
    assert (row.isolate_inverted, row.passes) == (False, 10)


@pytest.mark.parametrize("name", NAMES)
def test_the_last_word_of_migrate_pages_and_of_the_pin(name):
    row = VERSIONS[name]
    for rc, nr_split, empty in product((0, 3, -ENOMEM), (0, 1, 2), (False, True)):
        zero = {"-": False, "empty": empty, "split+empty": empty and nr_split > 0}
        assert row.final_rc(rc, nr_split, empty) == (0 if zero[switch("zero_rule", name)] else rc)
        fails = {"nonzero": rc != 0, "left": rc < 0 or not empty}
        assert row.gup_fails(rc, empty) == fails[switch("gup_fail_if", name)]


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_a_difference_names_the_seams_that_differ_and_no_other(before, after):
    changed = [line for line in diff(before, after).splitlines() if line[:1] in "+-"]
    assert bool(changed) == (before != after)
    differing = {s for s in SEAMS if getattr(get(before), s) != getattr(get(after), s)}
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
    "evidence/kernel_runs.py": (NAMES, "says which row a measured kernel is"),
    "evidence/series.py": (NAMES, "says which version has which change of the kernel"),
    "evidence/ftrace.py": (("base",), "a variant of the measured tables, which use the same word"),
    "evidence/measured.py": (("base", "v1", "v2"), "variants, as the measured tables call them"),
    "lessons": (NAMES, "a lesson says which versions it compares"),
    "scenarios/__init__.py": (("base",), DEFAULT),
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
