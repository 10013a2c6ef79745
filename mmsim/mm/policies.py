"""What a policy decides: a folio was busy, or could not be split.  Another try, what before it?

Mirrors nothing: no kernel has policies.  The seam `policy` of a version is one of these functions,
or a learner's own.  The loop of 6.1 asks policy_on_busy() after a move, and policy_says() after a
split.  That of 6.12 has a fixed number of tries, and takes DRAIN and WAIT only."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache, partial
from typing import Any, NamedTuple

from mmsim import errno
from mmsim.constants import MR_LONGTERM_PIN, REASONS
from mmsim.engine.op import Op
from mmsim.errno import EAGAIN, EBUSY
from mmsim.errors import nearest, shown
from mmsim.mm.folio import Page
from mmsim.mm.page_ref import folio_expected_ref_count
from mmsim.mm.swap import lru_add_drain_all
from mmsim.sandbox import SandboxError, limited

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


Policy = Callable[[Attempt], str]


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


def asked_once(decide: Callable[[Attempt], str]) -> Policy:
    """A learner's function as a policy: limited, its answers checked, and each one kept."""
    return cache(partial(_answer, decide))


def _answer(decide: Callable[[Attempt], str], attempt: Attempt) -> str:
    answer = limited("policy", decide, attempt)
    if isinstance(answer, str) and answer in DECISIONS:
        return answer
    if not isinstance(answer, str):
        given = "nothing" if answer is None else shown(answer, 40)
        asked = f"for a {attempt.what}, {attempt.code}, at try {attempt.tries}"
        allowed = ", ".join(map(repr, DECISIONS))
        raise SandboxError(f"the policy must return one of {allowed}, and returned {given} {asked}")
    raise SandboxError(f"the policy returned {answer[:40]!r}{nearest(answer, DECISIONS)}")


def policy_says(
    policy: Policy, page: Page, rc: int, usual: bool, piece: bool, pass_: int, reason: int
) -> Generator[Op, Any, bool]:
    """Does this folio ask for another pass?  What the policy wants before it is done here.

    Without a policy the answer is `usual`, and nothing is done."""
    what = HUGE_PAGE if page.is_thp else PIECE if piece else SINGLE_PAGE
    said = TRY_AGAIN if usual else GIVE_UP
    decision = policy(Attempt(what, errno.name(rc), REASONS[reason], pass_ + 1, said))
    if decision == DRAIN:
        yield lru_add_drain_all()
    if decision == WAIT:
        for look in range(WAIT_LOOKS):
            explained = yield folio_expected_ref_count(page.pfn, 1)
            if explained:
                break
    return decision != GIVE_UP


def policy_on_busy(
    policy: Policy,
    page: Page,
    rc: int,
    from_: list[Page],
    ret_pages: list[Page],
    piece: bool,
    pass_: int,
    reason: int,
) -> Generator[Op, Any, tuple[int, bool]]:
    """After a move: what migrate_pages() goes on with, and if a busy folio asks for another pass.

    A busy piece does not ask for one: it has only its own.  A folio that a policy gives up goes
    where -EBUSY puts it."""
    if rc != -EAGAIN:
        return rc, False
    usual = page.is_thp or not piece
    again = yield from policy_says(policy, page, rc, usual, piece, pass_, reason)
    if usual and not again:
        from_.remove(page)
        ret_pages.append(page)
        return -EBUSY, False
    return rc, again
