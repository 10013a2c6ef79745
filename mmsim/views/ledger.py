"""The ledger: every reference has a holder, and the kernel's check is a sum over them.

Three checks are the kernel's.  The fourth, EXPLAINED, is can_split_folio() solved for the count,
and holds for a single page too: what the count should be while the page is still mapped.  In the
picture each holder is a block, with a bar as long as its references; "expected" stands against
"actual", the check underneath.
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.engine.scenario import Event
from mmsim.engine.trace import Moment
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Folio, expected_refs, extra_pins_of
from mmsim.mm.world import World
from mmsim.views.operations import Step
from mmsim.views.svg import (
    BAD,
    FILLS,
    INK,
    LINE,
    MUTED,
    PANEL,
    SMALL_TEXT,
    Picture,
    Svg,
    clip,
    number,
    text_width,
)
from mmsim.views.words import page_words

SPLIT_CHECK, SPLIT_FREEZE, MOVE_FREEZE = "split.check", "split.freeze", "move.freeze"  # the sites
EXPLAINED = "explained count"
CHECKS = (SPLIT_CHECK, SPLIT_FREEZE, MOVE_FREEZE, EXPLAINED)
_FUNCTIONS = {
    SPLIT_CHECK: "can_split_folio()",
    SPLIT_FREEZE: "folio_ref_freeze() in the split",
    MOVE_FREEZE: "folio_ref_freeze() in the move",
    EXPLAINED: "The count against page cache, mappings and isolation",
}
CHECKED_NOW, CHECKED_NEXT = "checked just now", "checked next"
NOT_CHECKED = "if it were checked now"


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
        """In words."""
        return "equal" if self.equal else "not equal"


class Ledger(NamedTuple):
    """The references on one folio, the check for it, and when that is made.

    `when` is CHECKED_NOW, CHECKED_NEXT or NOT_CHECKED."""

    folio: Folio
    rows: tuple[Entry, ...]
    check: Check
    when: str = NOT_CHECKED

    @property
    def frozen(self) -> bool:
        """Has the count been set to 0, so that nobody can take a reference?"""
        return self.folio.refcount == 0

    @property
    def held(self) -> int:
        """What the holders add up to: the count, unless it is frozen."""
        return sum(row.refs for row in self.rows)

    @property
    def due(self) -> bool:
        """Does a check mean anything?  Only once somebody has isolated the folio to move it."""
        return self.when != NOT_CHECKED or any(row.holder == ISOLATION for row in self.rows)


def _check(folio: Folio, name: str, refs: int) -> Check:
    pins, maps, cache = extra_pins_of(folio), folio.mapcount, folio.cache_refs
    if name == SPLIT_CHECK:
        numbers = f"{maps} == {refs} - {pins} - 1"
        formula = "mapcount == refcount - extra_pins - 1"
        return Check(name, formula, maps, refs - pins - 1, numbers, maps + pins + 1)
    formula, expected, numbers = {
        EXPLAINED: ("cache + mapcount + 1", cache + maps + 1, f"{cache} + {maps} + 1"),
        SPLIT_FREEZE: ("1 + extra_pins", 1 + pins, f"1 + {pins}"),
        MOVE_FREEZE: ("1 + pages in cache", expected_refs(folio), f"1 + {cache}"),
    }[name]
    return Check(name, f"refcount == {formula}", refs, expected, f"{refs} == {numbers}", expected)


def _held(who: str, refs: int) -> tuple[int, Entry]:
    """The entry of a reference with a holder, and its place among them."""
    if who == ISOLATION:
        return 0, Entry("isolation", refs, "held while it is moved", True)
    if who == NEW_PAGE:
        return 1, Entry("new page", refs, "from its allocation", False)
    if who.endswith(" batch"):
        return 2, Entry(who, refs, "waits for its LRU list", False)
    if who.endswith(" (pin)"):
        return 3, Entry(f"pinned by {who.removesuffix(' (pin)')}", refs, "with FOLL_PIN", False)
    return 4, Entry(who, refs, "has looked it up", False)


def _rows(folio: Folio, check: str) -> tuple[Entry, ...]:
    rows: list[Entry] = []
    if folio.cache_refs:
        each = "one for each page" if folio.is_thp else "its place in the file"
        rows.append(Entry("page cache", folio.cache_refs, each, True))
    for n, kind in ((folio.pmd_maps, "PMD"), (folio.pte_maps, "PTE")):
        if n:
            why = "maps it as a whole" if kind == "PMD" and folio.is_thp else "maps single pages"
            counted = check in (SPLIT_CHECK, EXPLAINED)
            rows.append(Entry(f"{kind} {'mapping' if n == 1 else 'mappings'}", n, why, counted))
    held = sorted((_held(*item) for item in folio.held), key=lambda item: (item[0], item[1].holder))
    return (*rows, *(row for _, row in held))


def ledger_of(
    world: World, region: str, index: int = 0, *, check: str = "", when: str = NOT_CHECKED
) -> Ledger | None:
    """The ledger of the folio that holds this page; None if no folio does.

    `check` is one of CHECKS; without it the one that fits: a single page can only be moved, a huge
    page that is mapped is looked at before the split, one that is not is frozen for it.
    """
    pfn = world.find(region, index)
    if pfn is None:
        return None
    folio, asked = world.folio(pfn), check
    if not folio.is_thp and check != EXPLAINED:
        check = MOVE_FREEZE
    elif not check:
        waiting = not folio.mapcount and folio.cached and folio.locked_by
        check = SPLIT_FREEZE if waiting else SPLIT_CHECK
    rows = _rows(folio, check)
    # A frozen folio keeps its holders; the check that froze it saw their sum.
    seen = folio.refcount or sum(row.refs for row in rows)
    return Ledger(folio, rows, _check(folio, check, seen), when if check == asked else NOT_CHECKED)


# -- the ledger of a moment

_BACK_MAX = 64


def check_at(moment: Moment) -> tuple[str, str]:
    """The check that this step made or its actor makes next, and which of the two.

    For another step: "" and NOT_CHECKED."""
    if moment.event is None:
        return "", NOT_CHECKED
    made, due = moment.event.local, moment.local(moment.event.actor)
    for local, when in ((made, CHECKED_NOW), (due, CHECKED_NEXT)):
        if local.op is not None and local.op.site in CHECKS:
            return local.op.site, when
    return "", NOT_CHECKED


def _touched(moment: Moment, event: Event) -> tuple[str, int] | None:
    """Region and index of the page that a step is about, if it is about one that has a name."""
    step = Step(event.op, moment.before.world, moment.world, event.answer)
    if "region" in step.given and "index" in step.given:
        return step.given["region"], step.given["index"]
    for world in (step.before, step.after):
        folio = world.folios.get(step.pfn or 0)
        if folio is not None and folio.name:
            return folio.region, folio.index
    return None


def ledger_at(moment: Moment, region: str = "") -> tuple[Ledger | None, str, int]:
    """The ledger of the page of the region that this step is about, its region and its index; if
    the step is about none, the last one that was.  Without a region that one's, or the first."""
    recent = moment.events[-_BACK_MAX:]
    found = next(filter(None, (_touched(moment, event) for event in reversed(recent))), (region, 0))
    if not found[0]:
        found = next((f.region for f in moment.world.folios.values() if f.name), ""), 0
    region = region or found[0]
    if found[0] != region:
        return ledger_of(moment.world, region), region, 0
    check, when = check_at(moment)
    return ledger_of(moment.world, region, found[1], check=check, when=when), region, found[1]


# -- in words


def describe(ledger: Ledger) -> str:
    """The ledger in one sentence."""
    held = ", ".join(f"{row.holder} {row.refs}" for row in ledger.rows)
    check, told = ledger.check, f"References on {page_words(ledger.folio)}: {held}"
    if not ledger.due:
        return f"{told}; {ledger.held} in all."
    frozen = " It is frozen at refcount 0." if ledger.frozen else ""
    return (
        f"{told}; {check.expected} expected, {ledger.held} actual."
        f"{frozen} {_FUNCTIONS[check.name]}: {check.numbers} is {check.verdict}."
    )


# -- the picture

ROW, ROWS_MAX = 34.0, 5
LEDGER_HIGH = 30 + ROW * ROWS_MAX + 64
_BRACKETS, _APART = 128.0, 66.0


def _shown(ledger: Ledger) -> list[Entry]:
    """Rows the check counts on first; what it counts on and nobody holds yet stands among them."""
    expected = [row for row in ledger.rows if row.counted_on and ledger.due]
    if ledger.due and ledger.check.expected > sum(row.refs for row in expected):
        expected.append(Entry(ISOLATION, 0, "not taken yet", True))
    others = [row for row in ledger.rows if row not in expected]
    room = ROWS_MAX - len(expected)
    if len(others) > room:
        rest = others[room - 1 :]
        more = Entry(f"{len(rest)} more holders", sum(row.refs for row in rest), "", False)
        others = [*others[: room - 1], more]
    return expected + others


def _draw_holder(svg: Svg, row: Entry, due: bool) -> None:
    wide, high = svg.width, ROW - 5
    fill = FILLS["counted on" if row.counted_on or not due else "not counted on"]
    if row.refs:
        svg.rect(0, 0, wide, high, rx=3, fill=fill.ground, stroke=fill.mark, stroke_width=1)
        svg.filled(0, 0, 7, high, fill, rx=3)
        bar = fill._replace(name=f"{fill.name} bar", ground=fill.mark, mark=fill.ground)
        svg.quantity(12, ROW - 13, wide - 21, 4, row.refs, bar)
    else:
        dashed = {"stroke": MUTED, "stroke_dasharray": "4 3"}
        svg.rect(0, 0, wide, high, rx=3, fill=PANEL, stroke_width=1, **dashed)
    count = str(row.refs)
    room = wide - 28 - text_width(count, 15, bold=True)
    holder = clip(row.holder, room, 13, bold=True)
    left = text_width(holder, 13, bold=True) + 9
    svg.text(12, 16, holder, room, bold=True)
    # A reason that does not fit is left out: half a sentence helps nobody.
    if row.why and text_width(row.why, SMALL_TEXT) <= room - left - 4:
        svg.text(12 + left, 16, row.why, room - left - 4, size=SMALL_TEXT)
    svg.text(wide - 12, 16, count, wide, size=15, bold=True, anchor="end")


def _draw_sums(svg: Svg, rows: list[Entry], ledger: Ledger) -> None:
    """The two brackets, side by side, with their sums."""
    check, counted = ledger.check, sum(row.counted_on for row in rows)
    colour = INK if check.equal or ledger.when == NOT_CHECKED else BAD
    sums = [("expected", counted, check.expected)] if ledger.due else []
    for i, (word, n, value) in enumerate((*sums, ("actual", len(rows), ledger.held))):
        x, high = 8 + i * _APART, max(n, 1) * ROW - 5
        (left, top), (right, bottom) = svg.at(x - 5, 0), svg.at(x, high)
        edge = f"M{number(left)} {number(top)}H{number(right)}V{number(bottom)}H{number(left)}"
        svg.path(edge, stroke=colour, stroke_width=1.6)
        svg.note(x + 5, high / 2 - 1, word, _APART - 4)
        svg.text(x + 6, high / 2 + 15, str(value), _APART - 12, size=15, bold=True)


def _draw_check(svg: Svg, ledger: Ledger) -> None:
    """The equation as the kernel has it, with numbers, and whether it holds."""
    check, wide = ledger.check, svg.width
    svg.line(0, 0, wide, 0, stroke=LINE)
    if not ledger.due:
        svg.note(0, 30, "Nobody has isolated it, so nobody compares its count.")
        return
    svg.text(0, 20, check.formula, wide * 0.74, size=SMALL_TEXT, mono=True, fill=MUTED)
    svg.text(0, 41, check.numbers, wide * 0.6, size=15, mono=True, bold=True)
    half = max(wide * 0.48, text_width(check.numbers, 15, mono=True, bold=True) + 26)
    words = f"{check.left} {'=' if check.equal else '≠'} {check.right}: {check.verdict}"
    svg.outcome_mark(half, 36, "success" if check.equal else "failure", words, wide - half)
    svg.note(wide, 58, ledger.when, wide * 0.5, anchor="end")


def draw_ledger(svg: Svg, ledger: Ledger) -> None:
    """The ledger, `LEDGER_HIGH` high."""
    counts = f"refcount {ledger.folio.refcount}, mapcount {ledger.folio.mapcount}"
    note = f"refcount 0: frozen, {ledger.held} held" if ledger.frozen else counts
    svg.heading(13, f"Who holds {page_words(ledger.folio)}", note)
    rows, left = _shown(ledger), svg.width - _BRACKETS
    for i, row in enumerate(rows):
        _draw_holder(svg.inside(0, 24 + i * ROW, left), row, ledger.due)
    _draw_sums(svg.inside(left, 24, _BRACKETS), rows, ledger)
    _draw_check(svg.inside(0, 30 + ROW * ROWS_MAX, svg.width), ledger)


def ledger_picture(world: World, claim: str = "") -> Picture:
    """The ledger of page A of this world, with the comparison once the page is isolated."""
    ledger = ledger_of(world, "A", check=EXPLAINED)
    assert ledger is not None
    if ledger.due:
        ledger = ledger._replace(when=CHECKED_NOW)
    claim = (
        claim or f"{ledger.held} references" + f", {ledger.check.expected} expected" * ledger.due
    )
    words = f"{claim}. {describe(ledger)}"
    svg = Svg(560, LEDGER_HIGH + 54, claim, words)
    svg.text(16, 26, claim, 528, size=14, bold=True)
    draw_ledger(svg.panel(8, 38, 544, LEDGER_HIGH + 8, (14, 8)), ledger)
    return Picture(svg.render(), words)
