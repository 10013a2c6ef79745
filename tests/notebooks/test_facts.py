"""What the texts say of real kernels: sentences that were wrong once do not come back."""

from __future__ import annotations

import re

import pytest
from tool_rule import ROOT

from mmsim.mm.versions import POLICIES, VERSIONS

TEXTS = [
    *sorted((ROOT / "mmsim" / "lessons").glob("*.[mp][dy]")),
    *sorted((ROOT / "docs").glob("*.md")),
]
RELEASE = r"(?<![0-9.])6\.([2-9]\b|1[0-9]\b|1\.[1-9][0-9]*)"

# A sentence that a kernel developer would have to correct -> why.
WRONG = {
    r"-ENOMEM.{0,60}\(`check_and_migrate_movable_pages": "migrate_longterm_unpinnable_pages()",
    r"whatever (goes|went) wrong": "device-coherent memory gives -EBUSY",
    r"time passes only": "cond_resched(), writeback and copying take time, too",
    r"differ in one line(?! \*of the model\*)": "only the model's patch 2/2 does",
    r"five times for a range": "five calls for each chunk",
    r"first collects 15": "31 in the kernel that the paragraph is about",
    r"came with 6\.4 \(`v3fix`|v3fix`? \(6\.4|6\.4 \(`?v3fix": "no release is v3fix",
    r"interrupts every processor": "only processors with pages in a batch get work",
    r"new place is never in CMA": "before 6.10 the per-CPU list of huge pages mixed the types",
    r"one that was merged, for Linux 6\.2": "1/2 was merged for 6.1",
    r"(?<!In Linux 6\.1 o)(?<!so \"o)nly a missing destination leads to a split": "true of 6.1",
}


def in_one_line(path):
    return " ".join(path.read_text(encoding="utf-8").replace("\n# ", " ").split())


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_no_sentence_that_was_corrected_stands_anywhere_else(path):
    text = in_one_line(path)
    found = {wrong: why for wrong, why in WRONG.items() if re.search(wrong, text, re.IGNORECASE)}
    assert not found
    sentences = re.split(r"(?<=[.;:])\s|\"", text)
    called = [told for told in sentences if "v3fix" in told and re.search(RELEASE, told)]
    assert called == []  # v3fix is the loop of 6.1 with its count repaired; no release is that


def test_a_title_names_a_release_only_where_one_is_exactly_that():
    rows = VERSIONS | POLICIES
    found = {name: re.search(RELEASE, row.title) for name, row in rows.items()}
    named = {row: release[0] for row, release in found.items() if release}
    assert named == {"v3": "6.2", **{row: "6.12" for row in found if row.startswith("6.12")}}


@pytest.mark.parametrize(
    ("lesson", "told"),
    [
        ("cma_borrowed_land", "it pins the page three times, not twice as above"),
        ("v2_is_not_the_end", "as it was meant"),
    ],
)
def test_a_lesson_that_counts_pins_says_that_the_kernel_of_the_time_had_another_test(lesson, told):
    text = "".join(in_one_line(path) for path in TEXTS if path.stem == lesson).replace('" "', "")
    assert "`collect_longterm_unpinnable_pages()`" in text
    assert told in text
