"""What a version is called: no sentence calls v3fix a release."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

from mmsim.mm.versions import POLICIES, VERSIONS

ROOT = Path(__file__).parents[1]
SOURCES = (
    *sorted((ROOT / "mmsim").rglob("*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "data" / "README.md",
)
RELEASE = re.compile(r"(?<![0-9.])6\.(?:[2-9]\b|1[0-9]\b|1\.[1-9][0-9]*)")
# These say which row has the numbers of which measured loop, or that v3fix is no release.
MAY_SAY = {"mmsim/evidence/measured.py", "data/README.md"}


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


def test_titles_name_a_release_only_where_one_is_exactly_that():
    titles = {name: RELEASE.findall(row.title) for name, row in (VERSIONS | POLICIES).items()}
    today = {name: ["6.12"] for name in titles if name.startswith("6.12")}
    named = {name: found for name, found in titles.items() if found}
    assert named == {"v3": ["6.2"], **today}
