"""What the patch series and its repairs changed where in the kernel, in our own words.

Interface: Change, SERIES, Remark, REMARKS

Each row of SERIES names the seam of the model that stands for it.  A test compares the rows with
the seams: no version differs from another in a place that is not in this table.  REMARKS is what
reviewers of the first version said on the list in October 2022, again in our own words.
"""

from __future__ import annotations

from typing import NamedTuple

MIGRATE, HUGE, GUP = "mm/migrate.c", "mm/huge_memory.c", "mm/gup.c"
NEVER = "none"
V6_2 = "6.2; 6.1.116"


class Change(NamedTuple):
    """One place.  `seam`: its name in `mm/versions.py`; `versions`: the rows that have it."""

    patch: str
    file: str
    function: str
    before: str
    after: str
    release: str
    seam: str
    versions: tuple[str, ...]


PATCHED = ("v1", "v2", "v3", "v3fix", "2/2-only")

SERIES = (
    Change(
        "2/2 of v1, v2, v3",
        HUGE,
        "split_huge_page_to_list()",
        "a split refused because of references returns -EBUSY, like most other refusals",
        "it returns -EAGAIN, at the reference check and at the freeze",
        V6_2,
        "ref_errno",
        PATCHED,
    ),
    Change(
        "2/2 of v1, v2, v3",
        MIGRATE,
        "migrate_pages()",
        "a huge page with no destination and no split ends the call",
        "for a long-term pin, and after -EAGAIN, it stays on the list for the next pass",
        V6_2,
        "retry_split",
        PATCHED,
    ),
    Change(
        "2/2 of v1",
        MIGRATE,
        "migrate_pages()",
        "the call returns -ENOMEM, whatever the split said",
        "what the split said is kept in the variable that the call returns",
        NEVER,
        "rc_after_split",
        ("v1",),
    ),
    Change(
        "1/2 of v1",
        GUP,
        "migrate_longterm_unpinnable_pages()",
        "any result but 0 ends the pin",
        "a negative result ends it, or a page that is left on the list",
        NEVER,
        "gup_fails",
        ("v1",),
    ),
    Change(
        "1/2 of v2",
        MIGRATE,
        "migrate_pages()",
        "a huge page that was split counts as a failure, also if all its pieces moved",
        "0 is returned if a huge page was split and nothing is left on the list",
        NEVER,
        "final_rc",
        ("v2",),
    ),
    Change(
        "1/2 of v3",
        MIGRATE,
        "migrate_pages()",
        "a huge page that was split counts as a failure, also if all its pieces moved",
        "0 is returned if nothing is left on the list",
        "6.1; 6.0.y",
        "final_rc",
        ("6.1.0", "v3", "v3fix"),
    ),
    Change(
        "repair of April 2023",
        MIGRATE,
        "migrate_pages_batch()",
        "a refused split is counted as failed, also if it is tried again",
        "trying again takes that count back",
        "6.4; 6.1.116",
        "taken_back",
        ("v3fix",),
    ),
    Change(
        "repair of January 2023",
        GUP,
        "collect_longterm_unpinnable_pages()",
        "a page that was isolated is left off the list, one that was not is put on it",
        "the other way round, as it was meant",
        "6.2; 6.1.y",
        "had_inverted_test",
        ("v3fix",),
    ),
)


class Remark(NamedTuple):
    """What a reviewer said about one patch of the first version, and what became of it."""

    on: str
    who: str
    said: str
    became: str
    message_id: str


REMARKS = (
    Remark(
        "1/2",
        "Huang Ying",
        "The explanation is not right: tries that succeed in the end return 0. A positive number "
        "with nothing left comes from a huge page that was split. And why does the pin make "
        "-ENOMEM of every failure, instead of handing it on?",
        "1/2 was written anew",
        "87r0z2nc6j.fsf@yhuang6-desk2.ccr.corp.intel.com",
    ),
    Remark(
        "1/2",
        "Alistair Popple",
        "migrate_pages() itself should be mended, because move_pages(), a system call, sees the "
        "same false failure.",
        "from v2 on 1/2 is in migrate_pages()",
        "87o7u6soip.fsf@nvidia.com",
    ),
    Remark(
        "2/2",
        "Huang Ying",
        "For callers other than a long-term pin the patch changes what migrate_pages() returns. "
        "Keep what the split returned in a variable of its own. And does the patch solve your "
        "problem?",
        "v2 has the variable; the author wrote that he would test it",
        "87mt9qnbrf.fsf@...",
    ),
    Remark(
        "2/2",
        "Yang Shi",
        "Count migrations by reason on machines with the patch and without it: that would show "
        "what it is good for.",
        "no such numbers came with v2 or v3",
        "CAHbLzkppCJ+Jpjkv6CE=fzufL+-=L=29W_oZc6X=MV9gmu85hA@mail.gmail.com",
    ),
)
