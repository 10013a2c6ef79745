"""The versions, each a row of seams, and what is asked of rows.

The patch is the difference of two rows: `diff("base", "v2")`.  No path asks for the name of its
version.  POLICIES are rows that go further than the patch, and no kernel contains one of them: they
answer "what if".  own_policy() makes such a row of a function.

Kernel: mm/migrate.c migrate_pages(), mm/huge_memory.c split_huge_page_to_list(), mm/gup.c
check_and_migrate_movable_pages() and what it calls, October 2022 to April 2023; and for the row
6.12 the same files of 6.12.117.

One bug of that time is off in every row: in the trees with `had_inverted_test` the isolation test
of collect_longterm_unpinnable_pages() was inverted.  That costs each pin from CMA one more round
and a drain of all batches, which the counts of a row leave out.  The knob `isolation=inverted` of
a scenario turns the bug on."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable

from mmsim import errno
from mmsim.errno import EAGAIN, EBUSY
from mmsim.errors import UserError, nearest
from mmsim.mm import migrate, migrate_6_12
from mmsim.mm.policies import (
    Attempt,
    asked_once,
    drain_after_the_first_try,
    pieces_try_again,
    wait_before_the_next_try,
    wait_for_the_references,
)
from mmsim.mm.seams import (
    INVERTED,
    PIECES_ASYNC,
    PIECES_SYNC,
    Version,
    final_rc_as_counted,
    final_rc_zero_if_empty,
    final_rc_zero_if_split_and_empty,
    gup_fails_if_negative_or_left,
    gup_fails_unless_zero,
    never_retry_split,
    rc_is_overwritten,
    rc_stays,
    retry_split_for_longterm_pin,
)
from mmsim.mm.world import Environment
from mmsim.sandbox import SandboxError

BASE = Version(
    name="base",
    title="6.1-rc1, before the series",
    ref_errno=-EBUSY,
    retry_split=never_retry_split,
    rc_after_split=rc_stays,
    undo_count=0,
    final_rc=final_rc_as_counted,
    gup_fails=gup_fails_unless_zero,
    had_inverted_test=True,
    migrate_pages=migrate.migrate_pages,
)
_PATCHED = BASE._replace(ref_errno=-EAGAIN, retry_split=retry_split_for_longterm_pin)

_ROWS = (
    BASE,
    BASE._replace(
        name="6.1.0", title="v6.1 as released: only v3 1/2", final_rc=final_rc_zero_if_empty
    ),
    _PATCHED._replace(
        name="v1",
        title="first series, 20 October 2022",
        rc_after_split=rc_is_overwritten,
        gup_fails=gup_fails_if_negative_or_left,
    ),
    _PATCHED._replace(
        name="v2", title="second series, 21 October 2022", final_rc=final_rc_zero_if_split_and_empty
    ),
    _PATCHED._replace(
        name="v3",
        title="third series, 24 October 2022, merged for v6.2",
        final_rc=final_rc_zero_if_empty,
    ),
    _PATCHED._replace(
        name="v3fix",
        title="v3, its count repaired in the loop of 6.1; no release is exactly this",
        undo_count=1,
        final_rc=final_rc_zero_if_empty,
        had_inverted_test=False,
    ),
    _PATCHED._replace(name="2/2-only", title="base with v2 2/2 alone; never existed, for teaching"),
)
V6_12 = _PATCHED._replace(
    name="6.12",
    title="Linux 6.12.117, unmodified; measured",
    undo_count=1,
    final_rc=final_rc_zero_if_empty,
    had_inverted_test=False,
    migrate_pages=migrate_6_12.migrate_pages,
    drains_by_count=True,
    truncated_is_refused=False,
    defers_only_partly=True,
    pagevec_size=31,
    drop_drains=True,
    deactivate_checks_lru=True,
    owner_skips_pte_mapped=False,
)
OF_THE_SERIES = tuple(row.name for row in _ROWS)
"""The rows with the loop of 6.1."""
VERSIONS = {row.name: row for row in (*_ROWS, V6_12)}

V3FIX = VERSIONS["v3fix"]
"""What policies on the loop of 6.1 are added to, one's own too."""

_WHAT_IF = "counterfactual, in no kernel: "
POLICIES = {
    row.name: row
    for row in (
        V3FIX._replace(
            name="subpage_retry", title=f"{_WHAT_IF}pieces get every pass", policy=pieces_try_again
        ),
        V3FIX._replace(
            name="drain",
            title=f"{_WHAT_IF}a busy try drains all batches",
            policy=drain_after_the_first_try,
        ),
        V3FIX._replace(
            name="wait",
            title=f"{_WHAT_IF}a pin waits for references",
            policy=wait_for_the_references,
        ),
        V6_12._replace(
            name="6.12-subpage_retry",
            title=f"{_WHAT_IF}6.12, its pieces get ten asynchronous tries; measured",
            pieces=PIECES_ASYNC,
        ),
        V6_12._replace(
            name="6.12-subpage_retry_sync",
            title=f"{_WHAT_IF}6.12, its pieces are tried like any other folio; measured",
            pieces=PIECES_SYNC,
        ),
        V6_12._replace(
            name="6.12-drain",
            title=f"{_WHAT_IF}6.12, a busy try drains all batches",
            policy=drain_after_the_first_try,
        ),
        V6_12._replace(
            name="6.12-wait",
            title=f"{_WHAT_IF}6.12, a pin waits for references before its next try",
            policy=wait_before_the_next_try,
        ),
    )
}

SEAMS = {
    "ref_errno": "what a split refused because of references returns",
    "retry_split": "keep a huge page that could not be split on the list, for the next pass?",
    "rc_after_split": "what becomes of migrate_pages()' own result when it tries a split",
    "undo_count": "failures taken back when a split is retried",
    "final_rc": "the last word of migrate_pages()",
    "gup_fails": "does the long-term pin give up after this migration?",
}
"""What the patch changed."""
MORE_SEAMS = {
    "policy": "what to do about a folio that could not be moved now",
    "migrate_pages": "the loop",
    "pieces": "how a piece is tried in the loop of 6.12",
    "drains_by_count": "a pin empties batches for a reference too many, not for a page off its LRU",
    "truncated_is_refused": "is the split of a page that left its file counted as refused?",
    "defers_only_partly": "is a huge page queued for a later split only if partly unmapped?",
    "pagevec_size": "folios in a batch",
    "drop_drains": "does drop_caches empty all batches first?",
    "deactivate_checks_lru": "is a page queued for the inactive list only if it is on an LRU?",
    "owner_skips_pte_mapped": "does the owner of CMA pass over huge pages mapped by PTEs?",
}
"""What policies change, and 6.12."""


def get(name: str) -> Version:
    """The version or policy of this name; raises UserError with the nearest match for others."""
    known = VERSIONS | POLICIES
    try:
        return known[name]
    except KeyError:
        raise UserError(f"no version {name!r}{nearest(name, known)}") from None


def environment(version: Version, env: Environment) -> Environment:
    """What surrounds the paths, as far as it follows from the version."""
    return env._replace(
        pagevec_size=version.pagevec_size,
        defers_only_partly=version.defers_only_partly,
        # Who drains by the count never drains for a huge page: a round changes counters alone.
        pin_spins=version.drains_by_count,
    )


def with_isolation(version: Version, isolation: str) -> Version:
    """The row with one of ISOLATIONS; raises UserError if its tree never had the inverted test."""
    inverted = isolation == INVERTED
    if inverted and not version.had_inverted_test:
        had = ", ".join(name for name, row in VERSIONS.items() if row.had_inverted_test)
        raise UserError(
            f"isolation={INVERTED} needs a version that had the inverted test ({had}), "
            f"not {version.name}"
        )
    return version._replace(isolate_inverted=inverted)


def own_policy(decide: Callable[[Attempt], str]) -> Version:
    """The last version with the loop of 6.1, v3fix, with this function as its policy.

    The function gets an `Attempt` and answers one of DECISIONS.  It is asked once for each
    different attempt and the answer is kept, so it can't make the model forget what it did before.
    Raises SandboxError if it is no function.  Whatever goes wrong in it later is a SandboxError of
    the run that asks it."""
    if not callable(decide):
        raise SandboxError(f"a policy is a function of an attempt, not {type(decide).__name__}")
    title = f"{V3FIX.name}, and a policy of your own"
    return V3FIX._replace(name="own", title=title, policy=asked_once(decide))


def _source(version: Version, seam: str) -> list[str]:
    """What a seam is about, and its source with the seam's own name."""
    value = getattr(version, seam)
    text = f"{seam} = {errno.name(value) if seam == 'ref_errno' else value}"
    if seam == "migrate_pages":
        text = f"{seam} = {value.__module__}.{value.__name__}"
    elif callable(value):
        text = inspect.getsource(value).replace(f"def {value.__name__}(", f"def {seam}(")
    return [f"# {(SEAMS | MORE_SEAMS)[seam]}", *text.splitlines(), ""]


def diff(before: str, after: str, *chosen: str) -> str:
    """Unified diff of the seams of two versions, or of the `chosen` ones; empty if they agree.

    A seam that is the same in both is left out whole, so that it does not trail after a change."""
    rows, known = (get(before), get(after)), SEAMS | MORE_SEAMS
    for seam in chosen:
        if seam not in known:
            raise UserError(f"no seam {seam!r}{nearest(seam, known)}")
    differing = [
        seam
        for seam in known
        if seam in (chosen or known) and getattr(rows[0], seam) != getattr(rows[1], seam)
    ]
    old, new = ([line for seam in differing for line in _source(row, seam)][:-1] for row in rows)
    return "\n".join(difflib.unified_diff(old, new, before, after, "", "", 2, ""))
