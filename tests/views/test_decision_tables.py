"""The tables of decisions that the model makes, against those worked out from the source.

The first is section 5.2 of the specification, the second section 5.3, cell by cell.
"""

from __future__ import annotations

import pytest

from mmsim.constants import REASONS
from mmsim.evidence.vectors import OPERATIONS
from mmsim.mm.versions import VERSIONS, get
from mmsim.views.decision_tables import SPLITS, course_table, decision_table

EVERY = {reason: reason for reason in REASONS}
UNPATCHED, PATCHED = ("base", "6.1.0"), ("v1", "v2", "v3", "v3fix", "2/2-only")
V1, LATER = ("v1",), ("v2", "v3", "v3fix", "2/2-only")
# What the split returns once it is refused, apart from references.
ERRNO = {"truncated": "-EBUSY", "writeback": "-EBUSY", "no nodes": "-ENOMEM"}
EXIT, ON = "1 failed, 512 pages, 0 split", "1 failed, 0 pages, 1 split"
STAYS = "stays for the next pass; 1 failed, 0 pages, 0 split"
# The merged patch, repaired: trying again takes the count back.
TAKEN_BACK = STAYS.replace("1 failed", "0 failed")


def decided(version, reason, split):
    """Section 5.2: what happens, huge pages failed, base pages failed, huge pages split."""
    if reason == "numa_misplaced":
        return f"exit -ENOMEM; {EXIT}"
    if split == "splits":
        return f"goes on; {ON}"
    if split == "reference" and reason == "longterm_pin" and version in PATCHED:
        return TAKEN_BACK if version == "v3fix" else STAYS
    if version in V1:
        return f"exit {ERRNO.get(split, '-EAGAIN')}; {EXIT}"
    return f"exit -ENOMEM; {EXIT}"


def plain(cell):
    return str(cell).removeprefix("≠ ")


def test_every_reason_and_split_result_in_every_version():
    table = decision_table(tuple(VERSIONS), reasons=EVERY, counts=True, detailed=True)
    assert list(table.index) == [(reason, split) for reason in REASONS for split in SPLITS]
    for (reason, split), row in zip(table.index, table.values, strict=True):
        for version, cell in zip(table.columns, row, strict=True):
            assert plain(cell) == decided(version, reason, split), (version, reason, split)


def test_a_mark_stands_exactly_where_a_cell_differs_from_the_first_column():
    for table in (
        decision_table(("v2", "v1"), detailed=True),
        course_table(("v2", "v3", "base"), ["split at once", "refused once, then split"]),
    ):
        marked = 0
        for row in table.values:
            for cell in row[1:]:
                assert cell.startswith("≠ ") == (plain(cell) != row[0])
                marked += cell.startswith("≠ ")
            assert not row[0].startswith("≠")
        assert marked > 2


# Section 5.3: of each course, what the versions return, whether the pin stands, and the counters
# thp_migration_fail, thp_split_page_failed, pgmigrate_fail.
END = ("-ENOMEM", "-ENOMEM", "1", "1", "512")


def ends(k, split):
    """k refusals, and then a split, or memory for the whole page."""
    failed = k + 1 if split else k
    return {
        "base": ("+1", "-ENOMEM", "1", "0", "0") if k == 0 else END,
        "6.1.0": ("0", "pinned", "1", "0", "0") if k == 0 else END,
        "v1": (f"+{failed}", "pinned", str(failed), str(k), "0"),
        "v2": (
            ("0", "pinned", str(failed), str(k), "0")
            if split
            else (f"+{k}", "-ENOMEM", str(k), str(k), "0")
        ),
        "v3": ("0", "pinned", str(failed), str(k), "0"),
        "v3fix": ("0", "pinned", str(int(split)), str(k), "0"),
        "2/2-only": (f"+{failed}", "-ENOMEM", str(failed), str(k), "0"),
    }


NEVER = {
    **dict.fromkeys(UNPATCHED, END),
    **dict.fromkeys((*V1, *LATER), ("+11", "-ENOMEM", "11", "10", "512")),
    "v3fix": ("+1", "-ENOMEM", "1", "10", "512"),
}


@pytest.mark.parametrize(
    ("course", "wanted"),
    [
        ("split at once", ends(0, split=True)),
        ("refused once, then split", ends(1, split=True)),
        ("refused 9 times, then split", ends(9, split=True)),
        ("refused once, then a huge page is free", ends(1, split=False)),
        ("refused 9 times, then a huge page is free", ends(9, split=False)),
        ("refused in every pass", NEVER),
    ],
)
def test_how_it_ends_in_every_version(course, wanted):
    table = course_table(tuple(VERSIONS), [course])
    assert set(wanted) == set(VERSIONS)
    for version in table.columns:
        assert tuple(map(plain, table[version])) == wanted[version], version


@pytest.mark.parametrize("version", PATCHED)
def test_an_exit_counts_what_was_waiting_for_another_pass(version):
    """A stays for the next pass, B ends the call: both have failed, and A once more."""
    vector = {
        "setup": {"folios": [{"name": "A", "order": 9}, {"name": "B", "order": 9}]},
        "script": {
            "order9_targets": "none",
            "strangers": [{"folio": "A"}],
            "events": [
                {"folio": "B", "at": {"pass": 0, "site": "split_lock"}, "do": "truncate"},
            ],
        },
        "operation": {"op": "migrate_pages", "list": ["A", "B"], "reason": "longterm_pin"},
    }
    found = OPERATIONS["migrate_pages"](vector, get(version), {})
    assert found["rc"] == ("EBUSY" if version in V1 else "ENOMEM")
    assert found["counters"]["pgmigrate_fail"] == 1024
    assert found["counters"]["thp_migration_fail"] == (2 if version == "v3fix" else 3)
