"""The table of changes in the kernel says neither more nor less than the seams of the model."""

from __future__ import annotations

import itertools
import re
import tokenize
from pathlib import Path

import pytest

import mmsim.mm.gup as gup
from mmsim.evidence.series import GUP, SERIES
from mmsim.mm.versions import OF_THE_SERIES, POLICIES, SEAMS, VERSIONS

EVERY = (*SEAMS, "had_inverted_test")


def test_every_seam_has_a_row_and_every_row_a_seam():
    assert {change.seam for change in SERIES} == set(EVERY)
    assert all(set(change.versions) <= set(OF_THE_SERIES) for change in SERIES)


@pytest.mark.parametrize("seam", EVERY)
def test_versions_differ_where_the_table_says_so(seam):
    """Two versions have the same seam exactly if the same rows of the table are in both."""
    rows = [change for change in SERIES if change.seam == seam]
    for one, other in itertools.product(OF_THE_SERIES, repeat=2):
        said = [(one in row.versions) == (other in row.versions) for row in rows]
        first, second = (getattr(VERSIONS[name], seam) for name in (one, other))
        assert all(said) == (first == second), (one, other)


def test_functions_of_gup_are_those_that_the_model_mirrors():
    """A place of the table is found in the model by the kernel's name."""
    places = [change.function.removesuffix("()") for change in SERIES if change.file == GUP]
    assert places == ["migrate_longterm_unpinnable_pages", "collect_longterm_unpinnable_pages"]
    assert all(f"mm/gup.c, {name}()" in str(getattr(gup, name).__doc__) for name in places)


# -- what a version is called

ROOT = Path(__file__).parents[1]
SOURCES = (
    *sorted((ROOT / "mmsim").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "data" / "README.md",
)
RELEASE = re.compile(r"(?<![0-9.])6\.(?:[2-9]\b|1[0-9]\b|1\.[1-9][0-9]*)")
# These say which row has the numbers of which measured loop, or that v3fix is no release.
MAY_SAY = {"mmsim/evidence/kernel_runs.py", "data/README.md"}


def texts(file):
    """What is written in a file: strings and comments of a program, all of anything else."""
    if file.suffix != ".py":
        return [file.read_text(encoding="utf-8")]
    with file.open("rb") as opened:
        tokens = list(tokenize.tokenize(opened.readline))
    return [token.string for token in tokens if token.type in (tokenize.STRING, tokenize.COMMENT)]


def test_no_sentence_calls_v3fix_a_release():
    """v3fix is the loop of 6.1 with its count repaired; no release is exactly that."""
    for file in SOURCES:
        if file.relative_to(ROOT).as_posix() not in MAY_SAY and "v3fix" in file.read_text("utf-8"):
            sentences = [s for text in texts(file) for s in re.split(r"(?<=[.;:])\s", text)]
            assert [s for s in sentences if "v3fix" in s and RELEASE.search(s)] == [], file


def test_that_test_finds_such_a_claim():
    claims = ["6.4", "6.1.116", "6.10", "6.2"]
    assert RELEASE.findall("v3fix: v6.4, 6.1.116, 6.10, v6.2") == claims
    assert RELEASE.findall("v3fix: the loop of 6.1, v6.1, 6.1.0, 6.1-rc1") == []


def test_titles_name_a_release_only_where_one_is_exactly_that():
    titles = {name: RELEASE.findall(row.title) for name, row in (VERSIONS | POLICIES).items()}
    today = {name: ["6.12"] for name in titles if name.startswith("6.12")}
    named = {name: found for name, found in titles.items() if found}
    assert named == {"v3": ["6.2"], **today}
