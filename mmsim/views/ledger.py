"""The refcount ledger: every reference has a holder, and the kernel's check is a sum over them.

Interface: Ledger, Entry, Check, ledger, check_at, as_text, CHECKS, PRE_CHECK, SPLIT_FREEZE,
MOVE_FREEZE, KNOWN, JUST, NEXT, IF

Three checks are the kernel's.  The fourth, KNOWN, is can_split_folio() solved for the count, and
holds for a single page too: what the count should be while the page is still mapped.
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.engine.trace import Trace
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Folio, expected_refs, extra_pins
from mmsim.mm.world import World
from mmsim.views.names import page_words, plural

PRE_CHECK, SPLIT_FREEZE, MOVE_FREEZE = "split pre-check", "split freeze", "move freeze"
KNOWN = "known holders"
CHECKS = (PRE_CHECK, SPLIT_FREEZE, MOVE_FREEZE, KNOWN)
FUNCTIONS = {
    PRE_CHECK: "can_split_folio()",
    SPLIT_FREEZE: "folio_ref_freeze() in the split",
    MOVE_FREEZE: "folio_ref_freeze() in the move",
    KNOWN: "The count and its known holders",
}


class Entry(NamedTuple):
    """One holder: how many references, why, and does the check count on them?"""

    holder: str
    refs: int
    why: str
    counted_on: bool


class Check(NamedTuple):
    """The kernel's comparison: its two sides as the source has them, and with numbers."""

    name: str
    formula: str
    left: int
    right: int
    numbers: str
    expected: int

    @property
    def equal(self) -> bool:
        """Does it hold?"""
        return self.left == self.right

    @property
    def verdict(self) -> str:
        """`equal` or `not equal`."""
        return "equal" if self.equal else "not equal"


class Ledger(NamedTuple):
    """The references on one folio, and the check that would be applied to it now."""

    name: str
    words: str
    rows: tuple[Entry, ...]
    refcount: int
    mapcount: int
    frozen: bool
    check: Check

    @property
    def held(self) -> int:
        """What the holders add up to: the count, unless it is frozen."""
        return sum(row.refs for row in self.rows)


def _check(folio: Folio, name: str, refcount: int) -> Check:
    if name == PRE_CHECK:
        pins = extra_pins(folio)
        return Check(
            name,
            "mapcount == refcount - extra_pins - 1",
            folio.mapcount,
            refcount - pins - 1,
            f"{folio.mapcount} == {refcount} - {pins} - 1",
            folio.mapcount + pins + 1,
        )
    if name == KNOWN:
        expected = folio.cache_refs + folio.mapcount + 1
        return Check(
            name,
            "refcount == cache + mapcount + 1",
            refcount,
            expected,
            f"{refcount} == {folio.cache_refs} + {folio.mapcount} + 1",
            expected,
        )
    if name == SPLIT_FREEZE:
        pins = extra_pins(folio)
        formula, expected, numbers = "refcount == 1 + extra_pins", 1 + pins, f"1 + {pins}"
    else:
        expected = expected_refs(folio)
        formula, numbers = "refcount == 1 + pages in cache", f"1 + {folio.cache_refs}"
    return Check(name, formula, refcount, expected, f"{refcount} == {numbers}", expected)


def _held_row(who: str, refs: int) -> tuple[int, Entry]:
    if who == ISOLATION:
        return 0, Entry("isolation", refs, "by whoever moves it", True)
    if who == NEW_PAGE:
        return 1, Entry("new page", refs, "from its allocation", False)
    if who.endswith(" batch"):
        return 2, Entry(who, refs, "waits for its LRU list", False)
    if who.endswith(" (pin)"):
        return 3, Entry(f"pinned by {who.removesuffix(' (pin)')}", refs, "by FOLL_PIN", False)
    return 4, Entry(who, refs, "has looked it up", False)


def _rows(folio: Folio, check: str) -> tuple[Entry, ...]:
    rows: list[Entry] = []
    if folio.cache_refs:
        each = "one for each page" if folio.is_thp else "its place in the file"
        rows.append(Entry("page cache", folio.cache_refs, each, True))
    for n, kind in ((folio.pmd_maps, "PMD"), (folio.pte_maps, "PTE")):
        if n:
            why = "maps it as a whole" if kind == "PMD" and folio.is_thp else "maps single pages"
            counted = check in (PRE_CHECK, KNOWN)
            rows.append(Entry(f"{kind} {'mapping' if n == 1 else 'mappings'}", n, why, counted))
    held = [_held_row(who, n) for who, n in folio.held]
    return (*rows, *(row for _, row in sorted(held, key=lambda item: (item[0], item[1].holder))))


def ledger(world: World, region: str, index: int = 0, *, check: str = "") -> Ledger | None:
    """The ledger of the folio that holds this page; None if no folio does.

    `check` is one of CHECKS; without it the one that fits: a single page can only be moved, a huge
    page that is mapped is looked at before the split, one that is not is frozen for it.
    """
    if check and check not in CHECKS:
        raise ValueError(f"check is {check!r}; it can be {', '.join(CHECKS)}")
    pfn = world.find(region, index)
    if pfn is None:
        return None
    folio = world.folio(pfn)
    if not folio.is_thp and check != KNOWN:
        check = MOVE_FREEZE
    elif not check:
        waiting = not folio.mapcount and folio.cached and folio.locked_by
        check = SPLIT_FREEZE if waiting else PRE_CHECK
    rows = _rows(folio, check)
    frozen = folio.refcount == 0
    # A frozen folio keeps its holders; the check that froze it saw their sum.
    seen = sum(row.refs for row in rows) if frozen else folio.refcount
    return Ledger(
        folio.name,
        page_words(folio),
        rows,
        folio.refcount,
        folio.mapcount,
        frozen,
        _check(folio, check, seen),
    )


JUST, NEXT, IF = "checked just now", "checked next", "if it were checked now"


def check_at(trace: Trace, position: int) -> tuple[str, str]:
    """The check that this step made or its actor makes next, and which of the two; or "", IF."""
    if not position:
        return "", IF
    event = trace.events[position - 1]
    after = trace.scenario.local(trace.state(position), event.actor)
    for local, when in ((event.local, JUST), (after, NEXT)):
        inside = [frame.function for frame in local.frames()]
        op = local.op.kind.name if local.op else ""
        if op == "can_split_folio":
            return PRE_CHECK, when
        if op == "folio_ref_freeze":
            return (MOVE_FREEZE if "move_to_new_folio" in inside else SPLIT_FREEZE), when
    return "", IF


def as_text(book: Ledger) -> list[str]:
    """The ledger in lines of text."""
    rows = [f"{row.holder}: {plural(row.refs, 'reference')}, {row.why}" for row in book.rows]
    check = book.check
    count = f"refcount 0 (frozen; held {book.held})" if book.frozen else f"refcount {book.refcount}"
    return [*rows, count, f"{check.formula}: {check.numbers} is {check.verdict}"]
