"""What a version of the kernel can differ in: small functions and constants, the seams.

The paths ask them at the places where the kernel's source differs.  A `Version` is one row of them;
the rows stand in versions.py."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from mmsim.constants import MIGRATE_PASSES, MR_LONGTERM_PIN, PAGEVEC_SIZE
from mmsim.engine.op import Op
from mmsim.errno import EAGAIN
from mmsim.mm.folio import Page
from mmsim.mm.policies import Attempt, as_usual

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


class Version(NamedTuple):
    """One row of seams.

    `undo_count`: how many of the failures just counted a retried split takes back.
    `had_inverted_test`: the tree of that time skipped a folio when its isolation *succeeded*.
    `isolate_inverted`: model that.  Off in every row, because it is a bug of its own.
    `passes`: how often migrate_pages() tries a folio.  6.12 makes at least two tries, one of them
    without sleeping; of ten, three.

    From `migrate_pages` on: what is different in 6.12, where the patch lives on in another loop.
    `pieces`: how a piece is tried in that loop, PIECES_ONCE for instance.
    `drop_drains`: drop_caches empties all batches first.  `deactivate_checks_lru`: it does not
    queue a page without PG_lru for the inactive list."""

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
    deactivate_checks_lru: bool = False
    owner_skips_pte_mapped: bool = True

    @property
    def full_title(self) -> str:
        """The title, and how the isolation is tested where the row and its kernel can differ."""
        isolation = INVERTED if self.isolate_inverted else f"as {MEANT}"
        return f"{self.title}; isolation {isolation}" if self.had_inverted_test else self.title
