"""What to do about a folio that could not be moved now: policies that no kernel has.

A policy is one seam of a version (versions.py).  It is asked by both loops of migrate_pages()."""

from __future__ import annotations

from typing import NamedTuple

from mmsim.constants import MR_LONGTERM_PIN, REASONS

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
    other codes too.  `reason`: why pages are migrated, "longterm_pin" for instance.  `tries`: how
    often this folio was tried, now included, counted anew after a split.  `usual`: what the
    version decides without a policy, "try again" or "give up"."""

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
