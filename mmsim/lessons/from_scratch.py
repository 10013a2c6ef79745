"""Lesson 12: the learner writes a small model of their own, and vectors judge it.

Interface: the picture phenomenon; the cards counts, checking, freezing, splitting, passing, moving,
pinning, counted, patching, both, reviewed; finished, page_of_code, and the numbers of the text.

A step is judged by running the learner's functions on conformance vectors, the smallest first; what
they have written is never looked at.  The right functions stand in the text, in the cells of the
solution edition, and only there: `finished` reads them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import CodeType
from typing import Any

from mmsim import errno
from mmsim.constants import GUP_PIN_COUNTING_BIAS as GUP_PIN_COUNTING_BIAS
from mmsim.constants import HPAGE_PMD_NR as HPAGE_PMD_NR
from mmsim.constants import HPAGE_PMD_ORDER, REASONS, REPORTED
from mmsim.engine.scenario import Pool, State
from mmsim.engine.schedule import render
from mmsim.errno import ENOMEM
from mmsim.evidence.own_model import Case, Odd, alone, before, run_case, run_migrate, vectors
from mmsim.evidence.vectors import Vector, run_migrate_pages
from mmsim.lessons import FOLDER
from mmsim.lessons.card import AGAIN, Card
from mmsim.lessons.form import FormError, Verdict, failed, passed
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.seams import Version
from mmsim.mm.versions import VERSIONS
from mmsim.mm.world import World
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.policy import PolicyError, limited
from mmsim.views.ledger import IF, JUST, LEDGER_HIGH, SPLIT_CHECK, draw_ledger, ledger
from mmsim.views.show import Picture, Shown
from mmsim.views.svg import (
    INK,
    LINE,
    MARKED,
    PANEL,
    SMALL,
    Svg,
    wrap,
)

TEXT = FOLDER / "from_scratch.md"
PATCHED = "2/2-only"  # base with the three seams, and nothing of the companion
STEPS_MAX, CALL_STEPS = 3_000_000, 50  # of one vector: a huge page has 512 pieces
PASSES = 10
SEAMS = ("ref_errno", "retry_split", "rc_after_split")
UNTOUCHED = "the function returns nothing yet"


# -- the finished page


def page_of_code() -> str:
    """The code of the solution edition without its cards: the whole small model."""
    fence = re.compile(r'^```python(?: tags=\["(\w+)"\])?\n(.*?)^```', re.MULTILINE | re.DOTALL)
    fences = fence.findall(TEXT.read_text("utf-8"))
    code = "\n".join(body.strip() + "\n" for tag, body in fences if tag != "student")
    return re.sub(r"^(lesson\.|from mmsim).*\n", "", code, flags=re.MULTILINE).strip() + "\n"


@cache
def _compiled() -> CodeType:
    return compile(page_of_code(), str(TEXT), "exec")


def finished(**own: Any) -> dict[str, Any]:
    """The names of the finished page, with functions of one's own in the place of some."""
    names: dict[str, Any] = {}
    exec(_compiled(), names)
    names.update(own)
    return names


@cache
def ours() -> dict[str, Any]:
    """The names of the finished page as it is."""
    return finished()


def code_lines() -> int:
    """How many lines the finished page has."""
    return sum(bool(line.strip()) for line in page_of_code().splitlines())


Ran = tuple[int, Mapping[str, int]]


@cache
def ran(kernel: str) -> Ran:
    """The run of the finished model in the reported situation."""
    result, vmstat = ours()["run"](ours()[kernel])
    return result, vmstat


# -- pictures


def _draw_ledger(svg: Svg, folio: Folio, check: str = "", when: str = IF) -> str:
    """The ledger of a page, on the left; answers it in words."""
    book = ledger(alone(World(), folio), folio.region, check=check, when=when)
    assert book is not None
    draw_ledger(svg, 18, 66, 470, book)
    return ", ".join(f"{row.holder} {row.refs}" for row in book.rows)


def story(vector: Vector) -> list[str]:
    """What happens besides the learner's code, in sentences."""
    script, lines = vector.get("script", {}), []
    if "targets" in script or "order9_targets" in script:
        lines.append("A huge page has no destination, or not at once.")
    for other in script.get("strangers", ()):
        start = f"comes {_moment(other['from'])}" if "from" in other else "is there at first"
        end = f"leaves {_moment(other['to'])}" if "to" in other else "never leaves"
        lines.append(f"A holder of {other['folio']} {start} and {end}.")
    for event in script.get("events", ()):
        lines.append(f"{event['folio']} is truncated {_moment(event['at'])}.")
    return lines[:4]


def _moment(place: Mapping[str, Any]) -> str:
    words = {"alloc": "visit", "split_lock": "check", "site1": "check"}
    again = " of the pieces" if place.get("round", 1) > 1 else ""
    return f"before the {words.get(place['site'], 'freeze')} in pass {place['pass']}{again}"


def case_picture(case: Case) -> Picture:
    """A vector that failed: the page before, what happens, what was expected and what was found."""
    vector, rows = case.vector, case.wrong[:6]
    right = next((row for row in case.rows if row not in rows), None)
    kernel = {"base": "in base", "v1": "in v1"}.get(case.version, "with the patch")
    claim = f"Vector {vector['id']}, {kernel}: {vector['title']}"
    lines = [piece for line in story(vector) for piece in wrap(line, 400, SMALL, 2)]
    high = 74 + max(LEDGER_HIGH, 30 + 18 * len(lines) + 28 * (len(rows) + 2))
    told = [f"{what}: expected {expected}, found {found}" for what, expected, found in rows]
    svg = Svg(940, high, claim, "; ".join(told))
    svg.headline(18, 30, 900, claim)
    book = _draw_ledger(svg, before(vector, ours()))
    y = 78.0
    for line in lines:
        svg.note(520, y, line, 404)
        y += 18
    y += 10
    for x, word in ((520, "what"), (690, "expected"), (800, "yours")):
        svg.note(x, y, word, 100)
    for row in [*([right] if right else []), *rows]:
        y += 28
        svg.line(520, y - 18, 922, y - 18, stroke=LINE)
        svg.text(520, y, row[0], 165)
        svg.text(690, y, _short(row[1]), 104, bold=True)
        svg.outcome_mark(808, y - 4, "success" if row is right else "failure", _short(row[2]), 112)
    words = [f"{claim}.", f"Before: {book}.", *story(vector), *(f"{line}." for line in told)]
    return Picture(svg.render(), " ".join(words))


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(f"{kind['count']} × ref {kind['ref']}" for kind in value)
    return str(value).replace("'", "")


def runs_picture(claim: str, runs: Mapping[str, Ran]) -> Picture:
    """The reported situation: the page's ledger, and for each run its tries and its counters."""
    told = [f"{name}: {_end(*run)}" for name, run in runs.items()]
    svg = Svg(940, 74 + LEDGER_HIGH, claim, "; ".join(told))
    svg.headline(18, 30, 900, claim)
    page = Folio("A", "A", 0, HPAGE_PMD_ORDER, pmd_maps=1, held=((ISOLATION, 1), ("holder", 1)))
    page = page._replace(refcount=page.cache_refs + 3)
    book = _draw_ledger(svg, page, SPLIT_CHECK, JUST)
    svg.note(922, 62, "a box for each of the ten passes", 400, anchor="end")
    for number, (name, (result, vmstat)) in enumerate(runs.items()):
        y = 92 + 118.0 * number
        svg.text(520, y, LABELS[name], 400, bold=True)
        for box in range(PASSES):
            tried = box < vmstat[REPORTED[1]]
            ground, edge = (MARKED, INK) if tried else (PANEL, LINE)
            svg.rect(520 + 40 * box, y + 10, 34, 34, fill=ground, stroke=edge, rx=4)
            if tried:
                svg.outcome_mark(537 + 40 * box, y + 27, "failure", "", 16)
        counts = [f"{counter} {vmstat[counter]}" for counter in REPORTED]
        svg.text(520, y + 64, f"{counts[0]}   {counts[1]}", 404, bold=True)
        svg.note(520, y + 84, f"the pin returns {errno.name(result)}", 404)
    words = [f"{claim}.", f"References on the page: {book}.", *(f"{line}." for line in told)]
    return Picture(svg.render(), " ".join(words))


def _end(result: int, vmstat: Mapping[str, int]) -> str:
    counts = " and ".join(f"{name} {vmstat[name]}" for name in REPORTED)
    return f"{counts}, and the pin returns {errno.name(result)}"


LABELS = {
    "base": "base: refused once, and that is the end",
    "patched": "patched: refused, and tried again",
}

phenomenon = Shown(
    lambda: runs_picture(
        f"{code_lines()} lines of Python: the reported counters, and what the patch makes of them",
        {kernel: ran(kernel) for kernel in LABELS},
    )
)


# -- the judge


class Own(Card):
    """A card that takes what the learner has written, by the names in its `form`.

    `found`: what its judge has run.  `case`: the vector that failed, to be drawn.  `known`: what
    became of the finished page itself, which is run once only."""

    found: Any = None
    case: Case | None = None
    known: Verdict | None = None

    def __init__(self, name: str, question: str, form: str, **more: Any) -> None:
        super().__init__(name, question, form=form, judge=self.judged, **more)

    def _take(self, given: Any) -> None:
        super()._take(given)
        if isinstance(given, tuple) and None in given:
            self.problem = "Not stored: one of the seams is None."

    def judged(self, answer: Any) -> Verdict:
        """What becomes of what was handed in."""
        own, self.case = self.handed_in(answer), None
        if any(value is not ours()[name] for name, value in own.items()):
            return self.tried(own)
        self.known = self.known or self.tried(own)
        return self.known

    def tried(self, own: dict[str, Any]) -> Verdict:
        """Run it."""
        raise NotImplementedError

    def given(self) -> Any:
        """The vector that failed, as long as there is one, already at the first wrong answer."""
        if self.verdict.state == "failed":
            return case_picture(self.case) if self.case else []
        return super().given()

    def ways(self) -> list[str]:
        """Where the functions are written."""
        return [f"Hand in what you have written: `lesson.{self.name}({self.form})`."]

    def _waits(self) -> str:
        return super()._waits().replace("Shown once you have answered", "Run it after")

    def reply(self) -> list[str]:
        """What became of the answer; a function can be tried as often as one likes."""
        again = "Change it, and run the cell again. A hint may help."
        lines = [again if line == AGAIN else line for line in super().reply()]
        return [line for line in lines if not line.startswith("At first you")]

    def right(self) -> Any:
        """The same names of the finished page."""
        found = [ours()[name] for name in self.form.split(", ")]
        return found if len(found) > 1 else found[0]

    def handed_in(self, answer: Any) -> dict[str, Any]:
        """What was handed in, by name; raises FormError if that can't be it."""
        names = self.form.split(", ")
        handed = answer if isinstance(answer, list | tuple) and len(names) > 1 else [answer]
        right = len(handed) == len(names)
        for name, value in zip(names, handed, strict=False):
            row = all(hasattr(value, seam) for seam in SEAMS)
            right = right and (row if name in ("base", "patched") else callable(value))
        if not right:
            raise FormError(f"run lesson.{self.name}({self.form}) after the cells above it")
        return dict(zip(names, handed, strict=True))


class Step(Own):
    """A card that runs a learner's functions on vectors, and draws the first one they fail.

    `told`: vector -> what speaks against whoever fails it, the smallest first.  `fields`: what is
    looked at; empty: all.  `versions`: those whose numbers have to come out."""

    def __init__(
        self,
        name: str,
        question: str,
        form: str,
        group: str,
        told: Mapping[str, str],
        *,
        fields: Sequence[str] = (),
        versions: Sequence[str] = ("base", PATCHED),
        **more: Any,
    ) -> None:
        self.group, self.told = group, told
        self.fields, self.versions = fields, versions
        super().__init__(name, question, form, **more)

    def tried(self, own: dict[str, Any]) -> Verdict:
        """What becomes of the functions, vector by vector."""
        for version in self.versions:
            for identity, reason in self.told.items():
                vector = vectors(self.group)[identity]
                found = stopped(self.form, lambda: self.ran(vector, version, own))  # noqa: B023
                if found == UNTOUCHED:
                    return Verdict("not attempted", UNTOUCHED)
                if isinstance(found, str):
                    return failed(f"{found} (vector {identity}, {vector['title']})")
                if found is None or not found.wrong:
                    continue
                if found.untouched:
                    return Verdict("not attempted", UNTOUCHED)
                self.case = found
                what, expected, mine = found.wrong[0]
                numbers = f"{what} should be {_short(expected)}, and yours is {_short(mine)}"
                return failed(f"{reason}.", f"Vector {identity}, {vector['title']}: {numbers}.")
        return passed(f"all {len(self.told)} vectors agree")

    def ran(self, vector: Vector, version: str, own: dict[str, Any]) -> Case | None:
        """One vector.  What is not handed in is the learner's from an earlier card, or ours."""
        names = finished(**earlier(self), **own)
        kernel = names["base" if version == "base" else "patched"]
        if version == "v1":  # posted a day before v2: the loop returns the error of the split
            kernel = kernel._replace(rc_after_split=lambda rc, ret: ret)
        return run_case(self.group, vector, version, names, kernel, self.fields)


def earlier(card: Card) -> dict[str, Any]:
    """The learner's own `folio` and `unmap`, and the whole loop where a seam is judged."""
    own: dict[str, Any] = {}
    for other in (counts, moving) if card is patching else (counts,):
        if other.settled and other is not card:
            own |= other.handed_in(other.stored)
    return own


def stopped(what: str, action: Callable[[], Any], share: int = 1) -> Any:
    """What the action answers; a sentence (str) if a learner's function in it goes wrong."""

    def attempt() -> Any:
        try:
            return action()
        except Odd as odd:
            return str(odd)

    names = " or ".join(f"{name}()" for name in what.split(", "))
    try:
        return limited(names, attempt, steps_max=share * STEPS_MAX, call_steps=CALL_STEPS)
    except PolicyError as error:
        return str(error)[:1].upper() + str(error)[1:]


class PassStep(Step):
    """One pass is judged inside the loop of the finished page."""

    def ran(self, vector: Vector, version: str, own: dict[str, Any]) -> Case | None:
        """One vector; a pass has to answer with two things."""

        def one_pass(*arguments: Any) -> Any:
            found = own["one_pass"](*arguments)
            if found is None:
                raise Odd(UNTOUCHED)
            pair = isinstance(found, tuple) and len(found) == 2 and type(found[0]) is int
            if not pair or not isinstance(found[1], dict):
                raise Odd(f"one_pass() returned {found!r:.40}; it should return rc, again")
            return found

        return super().ran(vector, version, {"one_pass": one_pass})


# -- the six steps

counts = Step(
    "counts",
    "Step 1: `folio(name, pages, maps)` and `unmap(page)`.",
    "folio, unmap",
    "refcount",
    {
        "A1b": "A single page has one reference of the page cache and one of its mapping",
        "A2": "The page cache has a reference for each of the 512 pages, not one for all of them",
        "A3": "Every mapping has a reference of its own",
        "A106": "A page that nobody maps has the references of the page cache alone",
        "A9a": "A mapping that goes takes its reference along",
        "A107": "All mappings go, each with its reference",
    },
    fields=("ref", "mapcount"),
    versions=("base",),
    hints=(
        "How many references does the page cache have on a page of 512?",
        "refcount is pages + maps. And unmap() subtracts page.mapcount from it.",
    ),
)

checking = Step(
    "checking",
    "Step 2: `can_split(page)`.",
    "can_split",
    "refcount",
    {
        "A6": "The page cache, the mapping and the caller explain every reference here",
        "A7": "One reference is left that nobody can explain",
        "A2": "Fewer references than expected are no match either: the caller has none yet",
        "A106": "Without a mapping there are two kinds of references left, and they explain all",
        "A9b": "Without a mapping, too, one reference is left that nobody can explain",
        "A10": "This page is in no page cache, so no reference of a cache is expected",
    },
    fields=("can_split",),
    versions=("base",),
    needs=(counts,),
    hints=(
        "Lesson 01: expected = pages in the cache + mappings + 1.",
        "Compare page.refcount with page.cache + page.mapcount + 1, and return the result.",
    ),
)

freezing = Step(
    "freezing",
    "Step 3: `freeze(page)`.",
    "freeze",
    "refcount",
    {
        "A9a": "The count is as expected, so it is claimed: it becomes 0",
        "A9b": "A count that is not as expected stays as it is",
        "A107": "A single page has one reference of the page cache",
        "A6": "The page is still mapped: a freeze does not expect mappings",
    },
    fields=("freeze", "refcount after freeze"),
    versions=("base",),
    needs=(checking,),
    hints=(
        "The mappings are gone. Who may have a reference now?",
        "If page.refcount is page.cache + 1, set it to 0 and return True. Else return False.",
    ),
)

splitting = Step(
    "splitting",
    "Step 4: `split(page, pieces, host)`.",
    "split",
    "split",
    {
        "B1": "Nobody is in the way, so there are 512 pieces, each with a reference of the cache "
        "and one of the caller",
        "B2": "The check refuses before anything is changed, with the errno of this kernel",
        "B4": "A holder comes after the check; only the freeze can find it",
        "B6": "A page that was truncated is refused with -EBUSY, whoever refers to it",
        "B106": "The split is tried three times, and each refusal is counted",
        "B101": "All mappings go before the freeze",
        "B110": "A page without mappings can be split as well",
        "B111": "A pin of somebody else is one reference too many",
    },
    needs=(freezing,),
    hints=(
        "In this order: the place `check`, truncated?, can_split(), unmap(), the place `freeze`, "
        "freeze(). Then the counter, then the pieces.",
        "Set rc to -EBUSY for a page without cache, and to host.kernel.ref_errno for the other "
        "refusals. Count at one place, for all of them.",
        'A piece is folio(f"{page.name}[{i}]", 1, 0) with one reference more. Put all of them '
        "into pieces, and into host.memory at the place of the page.",
    ),
)

passing = PassStep(
    "passing",
    "Step 5: `one_pass(todo, pieces, reason, host, n)`.",
    "one_pass",
    "migrate_pages",
    {
        "C1": "A page that has moved leaves the list, and the caller's reference ends",
        "C23": "A busy single page is only noted in `again`",
        "C2": "A busy huge page is noted in `again`; nothing has failed yet",
        "C25": "A single page without a destination ends the pass with its error",
        "C8": "A huge page without a destination has failed once, whatever becomes of its split",
        "C10": "A refused split ends the pass, unless the kernel wants to try again",
        "C4": "A page that was split leaves the list; its pieces wait for their round",
        "C101": "A refused split may be tried again: the page counts as busy",
        "C13": "What is returned for a refused split is up to rc_after_split()",
        "C106": "The pages of a list are tried one after the other",
    },
    versions=("base", PATCHED, "v1"),
    needs=(splitting,),
    hints=(
        "Call move(page, host) first. Then there are three cases: 0, -EAGAIN, -ENOMEM.",
        "For -ENOMEM and a huge page: count it, call split(). If that returns 0, the page is done. "
        "Else ask rc_after_split(), and if retry_split() says so, treat the page as a busy one.",
        'Only a page that ends the pass is added to n["pgmigrate_fail"] here.',
    ),
)

moving = Step(
    "moving",
    "Step 5, second half: `migrate_pages(todo, reason, host)`.",
    "migrate_pages",
    "migrate_pages",
    {
        "C1": "One pass is enough if nothing asks for another",
        "C22": "A busy page is tried again in the next pass, and that is no failure",
        "C3": "What is still busy after the tenth pass has failed, and is counted once",
        "C23": "There are ten passes, and what is left is counted",
        "C25": "An error ends the call at once, and is what the call returns",
        "C4": "The pieces have a round of their own; a split page has still failed once",
        "C15": "A busy piece is not tried again, and is no failed unit; but its page has failed",
        "N1": "What is left of the first round is not tried in the second one, and counts",
        "C127": "At an error the pieces that wait go back to the list",
        "K3": "A refused split that is retried is counted in each pass, and once more at the end",
        "C128": "Several pages share the passes",
    },
    needs=(passing,),
    hints=(
        "Two rounds: `for second in (False, True)`. In each, at most ten passes.",
        "After a round add what `again` still holds. Do it once, not in each pass.",
        "Before the second round: what is on todo is set aside, and the pieces become todo. At the "
        "end both go back to todo.",
    ),
)

pinning = Step(
    "pinning",
    "Step 6: `pin(host)`.",
    "pin",
    "gup",
    {
        "D1": "Nothing lies in CMA, so the first round is the last",
        "D2": "The pins have to go before the page can move, and a second round pins it again",
        "D106": "All pages are let go and pinned again, also those that need not move",
        "D101": "All pages in CMA are moved by one call",
        "D4": "Whatever is not 0 makes the pin fail with -ENOMEM, also a number of failed pages",
        "D10": "An error makes the pin fail with -ENOMEM, and nothing stays pinned",
        "D113": "A page that lost its mappings is mapped again before it is pinned",
    },
    needs=(moving,),
    hints=(
        "Round by round: map what is not mapped, pin everything, look for pages in CMA.",
        "Unpin everything before you call migrate_pages(), and take one reference on each page of "
        "the list: the isolation. It goes when the call is over.",
    ),
)


class Runs(Own):
    """The learner's page in the reported situation.

    `wanted`: for each kernel the pin's result and the two counters; `claim`: what they show."""

    def __init__(self, *about: Any, wanted: Mapping[str, tuple[int, ...]], claim: str, **more: Any):
        self.wanted = wanted
        super().__init__(*about, still=lambda: runs_picture(claim, self.found), **more)

    def tried(self, own: dict[str, Any]) -> Verdict:
        """Compare the three numbers of each run."""
        runs: dict[str, Ran] = {}
        for kernel, numbers in self.wanted.items():
            row = own.get(kernel, ours()[kernel])
            found = stopped("run", lambda: own["run"](row))  # noqa: B023
            if isinstance(found, str):
                return failed(found)
            if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], int)):
                return Verdict("not attempted", UNTOUCHED)
            runs[kernel] = found
            if (found[0], *(found[1][name] for name in REPORTED)) != numbers:
                why = "that is not what the steps above have judged; run their cards again"
                return failed(f"In your {kernel} {_end(*found)}: {why}")
        self.found = runs
        return passed(". ".join(f"{kernel}: {_end(*run)}" for kernel, run in runs.items()))


REPORT, CURED = (-ENOMEM, 1, 1), (-ENOMEM, 11, 10)

counted = Runs(
    "counted",
    "Your own model in the reported situation: does it count what the report says?",
    "run",
    wanted={"base": REPORT},
    claim="Your model: refused once, and the guest does not start",
    why="The page was tried once. The check found one reference too many, and the whole call ended "
    "with `-ENOMEM`.",
    needs=(pinning,),
)


# -- the patch


patching = Step(
    "patching",
    "The patch: `patched`, a `Kernel` with three seams.",
    "patched",
    "migrate_pages",
    {
        "K3": "A refused split is tried again in each of the ten passes",
        "C101": "The holder leaves before the third pass, so a third try splits the page",
        "C10": "A truncated page is no reason to try again, and the caller is told -ENOMEM",
        "C13": "Nobody waits for a device here (contig_range): no second try, and still -ENOMEM",
        "C118": "The caller's error is that of the missing destination, not that of the split",
        "N18": "The second refusal has another cause than references, and ends the call",
        "C128": "Each page is tried again for itself",
    },
    versions=(PATCHED,),
    needs=(counted,),
    hints=(
        "Which error says: not now, try again?",
        "Try again only for a long-term pin, and only if the split was refused for references.",
        "Kernel(-EAGAIN, retry_split, base.rc_after_split), and retry_split() returns "
        'reason == "longterm_pin" and ret == -EAGAIN',
    ),
)

both = Runs(
    "both",
    "The same situation, with your patch.",
    "run, base, patched",
    wanted={"base": REPORT, "patched": CURED},
    claim="Your model: the bug, and what the patch makes of it",
    why="Ten refusals are counted in ten passes, and the page is counted once more when the passes "
    "are over. Trying again is of no use against a holder that never leaves.",
    needs=(patching,),
)


# -- the review by the real model


def placed(taken: tuple[int, str] | None, left: tuple[int, str] | None, reason: str) -> Vector:
    """A vector of the small race: when the holder comes and leaves, for whom pages move."""
    spots = {"from": taken, "to": left}
    at = {word: {"pass": spot[0], "site": spot[1]} for word, spot in spots.items() if spot}
    return {
        "id": "race",
        "title": f"a huge page of two pages, {reason}",
        "setup": {"folios": [{"name": "A", "order": 1}]},
        "script": {
            "targets": [{"folio": "A", "fail_attempts": "all"}],
            "strangers": [{"folio": "A", **at}],
        },
        "operation": {"op": "migrate_pages", "list": ["A"], "reason": reason, "mode": "sync"},
    }


@cache
def small_race() -> tuple[tuple[Vector, dict[str, Any]], ...]:
    """Every place at which the holder can come and leave, and what the real model says.

    Without a pin nothing happens after the first two passes."""
    found = []
    for reason, passes in (("longterm_pin", PASSES), ("contig_range", 2)):
        leaves = [(n, site) for n in range(passes) for site in ("alloc", "site1", "site2")]
        for taken in (None, (0, "site1"), (0, "site2")):
            for left in (*(at for at in leaves if not taken or at > taken), None):
                vector = placed(taken, left, reason)
                found.append((vector, run_migrate_pages(vector, VERSIONS[PATCHED], {})))
    return tuple(found)


def as_row(kernel: Any) -> Version:
    """The row of the real model with the learner's seams in the place of its own.

    Each is asked once for each different question.  Raises PolicyError if one goes wrong."""
    retry = cache(lambda reason, ret: limited("seam", kernel.retry_split, REASONS[reason], ret))
    after = cache(lambda rc, ret: limited("seam", kernel.rc_after_split, rc, ret))
    own = dict(zip(SEAMS, (kernel.ref_errno, retry, after), strict=True))
    return VERSIONS[PATCHED]._replace(**own)


SEARCHED: tuple[dict[str, Any], ...] = (
    {},
    {"reason": "contig_range"},
    {"targets": "either", "passes": 2},
    {"trouble": "truncated", "passes": 2},
)


def race(version: Version, **knobs: Any) -> Situation:
    """The small race of the real model: a huge page of two pages, and a holder that leaves."""
    return vfio_map(version, order=1, released="1", **knobs).merged()


def lockstep(one: Situation, other: Situation) -> str:
    """The shortest schedule after which two situations differ; empty if none does.

    Both take the same steps, in every order.  They differ if somebody can move in one only, or if
    a counter or a result is not the same."""
    pool, first = Pool(), (one.initial(), other.initial())
    waiting: deque[tuple[tuple[State, State], tuple[Any, ...]]] = deque([(first, ())])
    known = set()
    while waiting:
        (mine, real), schedule = waiting.popleft()
        moves = one.moves(mine)
        same = moves == other.moves(real) and one.results(mine) == other.results(real)
        if not same or mine.world.vmstat != real.world.vmstat:
            return render(schedule) or "the first step"
        for move in moves:
            after = one.step(mine, move)[0], other.step(real, move)[0]
            key = tuple(
                (state.world.key(pool), *(local.number for local in state.locals))
                for state in after
            )
            if key not in known:
                known.add(key)
                waiting.append((after, (*schedule, move)))
    return ""


SCHEDULES = 19_919
"""How many schedules these races have, in the real model with the three seams."""


class Review(Own):
    """The learner's model wherever the holder comes and leaves, and their seams in every order."""

    def tried(self, own: dict[str, Any]) -> Verdict:
        """Run both models side by side."""
        names = finished(**earlier(self), **own)

        def placements() -> Case | None:
            for vector, real in small_race():
                case = Case(vector, PATCHED, run_migrate(vector, real, names, own["patched"]))
                if case.wrong:
                    return case
            return None

        case = stopped("migrate_pages", placements, share=3)
        if isinstance(case, str):
            return failed(case)
        if case is not None and case.untouched:
            return Verdict("not attempted", UNTOUCHED)
        if case is not None:
            self.case = case
            what, expected, mine = case.wrong[0]
            return failed(f"The real model says otherwise: {what} is {expected}, and yours {mine}")
        for knobs in SEARCHED:
            try:
                mine = race(as_row(own["patched"]), **knobs)
                schedule = lockstep(mine, race(VERSIONS[PATCHED], **knobs))
            except PolicyError as error:
                return failed(str(error))
            if schedule:
                where = ", ".join(f"{name}={value}" for name, value in knobs.items()) or "of a pin"
                why = f"Your seams make another kernel of the real model, in the race {where}"
                return failed(why, f"They differ after this schedule: {schedule}")
        return passed(
            f"your model agrees with the real one wherever the holder comes and leaves "
            f"({len(small_race())} runs), and your seams in {SCHEDULES:,} schedules of four races"
        )


def race_picture() -> Picture:
    """What the models count, for each place at which the holder comes and leaves."""
    claim = "The later the holder leaves, the more refusals are counted; agreed on in every run"
    fails: dict[str, list[int]] = {}
    for vector, real in small_race():
        if vector["operation"]["reason"] == "longterm_pin":
            (other,) = vector["script"]["strangers"]
            start = _moment(other["from"]) if "from" in other else "from the beginning"
            fails.setdefault(start, []).append(real["counters"]["thp_migration_fail"])
    told = [f"{start}: {', '.join(map(str, row))}" for start, row in fails.items()]
    svg = Svg(940, 96 + 40 * len(fails), claim, "; ".join(told))
    svg.headline(18, 30, 900, claim)
    svg.note(18, 62, "the holder comes", 180)
    order = "and leaves: the first visit (left) to never (right); the number: thp_migration_fail"
    svg.note(210, 62, order, 700)
    for line, (start, row) in enumerate(fails.items()):
        y = 74 + 40.0 * line
        svg.text(18, y + 21, start, 186, size=SMALL)
        for place, count in enumerate(row):
            x = 210 + 23 * (place + 3 * PASSES + 1 - len(row))
            svg.rect(x, y, 21, 32, fill=MARKED if count > 1 else PANEL, stroke=LINE, rx=3)
            svg.text(x + 10, y + 21, str(count), 21, size=SMALL, anchor="middle")
    return Picture(svg.render(), f"{claim}. thp_migration_fail when it comes {'; '.join(told)}.")


reviewed = Review(
    "reviewed",
    "The real model reviews yours: do they agree in every run of a small race?",
    "migrate_pages, patched",
    still=race_picture,
    why="First your whole model ran beside the real one: a huge page of two pages, no destination, "
    "and one holder. If it leaves before the tenth check, the page is split and its pieces move. "
    "That is what the patch is for.\n\n"
    "Then your three seams took their places in the real model, and both were searched step by "
    "step in four races: a pin, a caller that is no pin, a destination that may come late, and a "
    "page that is truncated.",
    needs=(both,),
)
