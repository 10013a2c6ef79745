"""What a version of the kernel can differ in: small functions and constants, the seams.

The paths ask them at the places where the kernel's source differs.  A `Version` is one row of them;
the rows stand in versions.py."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from mmsim.constants import MIGRATE_PASSES, MR_LONGTERM_PIN, PAGEVEC_SIZE, REASONS
from mmsim.engine.op import Op
from mmsim.errno import EAGAIN
from mmsim.mm.folio import Page

# -- retry_split: the destination could not be had and the split failed with `ret`.  Try again
# later?


def never_retry_split(reason: int, ret: int) -> bool:
    return False


def retry_split_for_longterm_pin(reason: int, ret: int) -> bool:
    return reason == MR_LONGTERM_PIN and ret == -EAGAIN


# -- rc_after_split: what migrate_pages() remembers as its own result after it tried to split


def rc_stays(rc: int, ret: int) -> int:
    return rc


def rc_is_overwritten(rc: int, ret: int) -> int:
    return ret


# -- final_rc: the last word of migrate_pages()


def final_rc_as_counted(rc: int, nr_thp_split: int, list_empty: bool) -> int:
    return rc


def final_rc_zero_if_split_and_empty(rc: int, nr_thp_split: int, list_empty: bool) -> int:
    return 0 if nr_thp_split > 0 and list_empty else rc


def final_rc_zero_if_empty(rc: int, nr_thp_split: int, list_empty: bool) -> int:
    return 0 if list_empty else rc


# -- gup_fails: does the long-term pin give up after this migration?


def gup_fails_unless_zero(rc: int, list_empty: bool) -> bool:
    return rc != 0


def gup_fails_if_negative_or_left(rc: int, list_empty: bool) -> bool:
    return rc < 0 or not list_empty


# -- isolate_inverted: which test of the isolation a run has

MEANT, INVERTED = "meant", "inverted"
ISOLATIONS = (MEANT, INVERTED)

# -- pieces: how those of a split huge page are tried in 6.12, and in two ways that were measured in
# a changed kernel

PIECES_ONCE, PIECES_ASYNC, PIECES_SYNC = "once", "asynchronously", "like any other folio"

# -- policy: a folio was busy, or could not be split.  Another try, and what before it?  In no
# kernel.  The loop of 6.12 has a fixed number of tries, and takes DRAIN and WAIT only.

GIVE_UP, TRY_AGAIN, DRAIN, WAIT = "give up", "try again", "drain", "wait"
DECISIONS = (GIVE_UP, TRY_AGAIN, DRAIN, WAIT)
HUGE_PAGE, SINGLE_PAGE, PIECE = "huge page", "single page", "piece"
WAIT_LOOKS = 10
"""A wait ends when no reference is left that nobody can explain, at the latest after so many looks
at the count.  Each look is one step, like any step of whoever holds the reference."""


class Attempt(NamedTuple):
    """What a policy is told about a folio that could not be moved now, in words and one number.

    `what`: "huge page", "single page", or "piece" of a huge page that this call has split.
    `code`: "-EAGAIN" for a busy folio or a split refused because of references; a refused split has
    other codes too.  `reason`: one of REASONS.  `tries`: how often this folio was tried, now
    included, counted anew after a split.  `usual`: what the version decides without a policy, "try
    again" or "give up"."""

    what: str
    code: str
    reason: str
    tries: int
    usual: str

    @property
    def pin_is_busy(self) -> bool:
        """References are in the way of a long-term pin: what the patch is about."""
        return self.reason == REASONS[MR_LONGTERM_PIN] and self.code == "-EAGAIN"


def as_usual(attempt: Attempt) -> str:
    """No policy."""
    return attempt.usual


def pieces_try_again(attempt: Attempt) -> str:
    """A piece is tried as often as any other folio."""
    return TRY_AGAIN if attempt.what == PIECE else attempt.usual


def drain_after_the_first_try(attempt: Attempt) -> str:
    """References of batches go away before the second try."""
    first = attempt.pin_is_busy and attempt.tries == 1
    return DRAIN if first else attempt.usual


def wait_for_the_references(attempt: Attempt) -> str:
    """Every busy folio is waited for, and tried again."""
    return WAIT if attempt.pin_is_busy else attempt.usual


def wait_before_the_next_try(attempt: Attempt) -> str:
    """A busy folio is waited for, but only if another try follows anyway."""
    return WAIT if attempt.pin_is_busy and attempt.usual == TRY_AGAIN else attempt.usual


class Version(NamedTuple):
    """One row of seams.

    `undo_count`: how many of the failures just counted a retried split takes back.
    `had_inverted_test`: the tree of that time skipped a folio when its isolation *succeeded*.
    `isolate_inverted`: model that.  Off in every row, because it is a bug of its own.
    `passes`: how often migrate_pages() tries a folio.  6.12 makes at least two tries, one of them
    without sleeping; of ten, three.

    From `migrate_pages` on: what is different in 6.12, where the patch lives on in another loop.
    `pieces`: how a piece is tried in that loop, PIECES_ONCE for instance.
    `drop_drains`: drop_caches empties all batches first.  It also switches a second difference of
    6.12: a page without PG_lru is not queued for the inactive list."""

    name: str
    title: str
    ref_errno: int
    retry_split: Callable[[int, int], bool]
    rc_after_split: Callable[[int, int], int]
    undo_count: int
    final_rc: Callable[[int, int, bool], int]
    gup_fails: Callable[[int, bool], bool]
    had_inverted_test: bool
    migrate_pages: Callable[[list[Page], int, int, Version], Generator[Op, Any, int]]
    passes: int = MIGRATE_PASSES
    isolate_inverted: bool = False
    policy: Callable[[Attempt], str] = as_usual
    pieces: str = PIECES_ONCE
    drains_by_count: bool = False
    truncated_is_refused: bool = True
    defers_only_partly: bool = False
    pagevec_size: int = PAGEVEC_SIZE
    drop_drains: bool = False
    owner_skips_pte_mapped: bool = True

    @property
    def full_title(self) -> str:
        """The title, and how the isolation is tested where the row and its kernel can differ."""
        isolation = INVERTED if self.isolate_inverted else f"as {MEANT}"
        return f"{self.title}; isolation {isolation}" if self.had_inverted_test else self.title
