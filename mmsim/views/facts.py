"""All that there is to see of one moment of a run, read once; pictures and tables show it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import PurePath
from types import CodeType
from typing import NamedTuple

from mmsim.constants import HPAGE_PMD_NR
from mmsim.engine.trace import Moment
from mmsim.mm.world import World
from mmsim.views.changes import changes, moved_counters
from mmsim.views.ledger import Ledger, as_text, describe, ledger_at
from mmsim.views.operations import sentence
from mmsim.views.words import main_actor, page_words, result_words, subject, version_words

# -- the pages of a region

NOWHERE = ""


class Layout(NamedTuple):
    """Where each page of a region lies: its migratetype, "" for a page that is nowhere."""

    whole: bool
    types: tuple[str, ...]
    counts: list[tuple[str, int]]
    """How many of which migratetype, CMA first."""
    title: str


def layout(world: World, region: str) -> Layout:
    """The pages of a region, in the order of the file."""
    folios = [(pfn, f) for pfn, f in world.folios.items() if f.name and f.region == region]
    size = max((f.index + f.nr_pages for _, f in folios), default=HPAGE_PMD_NR)
    types = [NOWHERE] * size
    for pfn, folio in folios:
        kind = world.pageblock_type(pfn)
        types[folio.index : folio.index + folio.nr_pages] = [kind] * folio.nr_pages
    whole = len(folios) == 1 and folios[0][1].is_thp
    title = f"{region} has been split: {size} pages, each for itself"
    if whole:
        title = f"Huge page {region}: {size} pages in one folio"
    elif not folios:
        title = f"{region}: no memory yet"
    elif size == 1:
        title = page_words(folios[0][1])
        title = title[0].upper() + title[1:]
    kinds = dict.fromkeys(["CMA", *types])
    counts = [(kind, n) for kind in kinds if (n := types.count(kind))]
    return Layout(whole, tuple(types), counts, title)


# -- the model's own source

CODE_LINES, LINE_HIGH = 16, 15.6
_SEAM = "version."
_PACKAGE = "mmsim"


class CodeLine(NamedTuple):
    """One line: its number in the file (0: lines left out), text, marks."""

    number: int
    text: str
    current: bool = False
    seam: bool = False


class Listing(NamedTuple):
    """The function an actor stands in, and how it got there; empty if it has returned.

    `file` is relative to the package.  `past`: the marked line has just been carried out;
    otherwise it comes next."""

    actor: str
    file: str
    chain: tuple[str, ...]
    lines: tuple[CodeLine, ...]
    past: bool


@cache
def _source(code: CodeType) -> tuple[tuple[tuple[int, str], ...], tuple[range, ...]]:
    """The function's numbered lines, dedented, without its docstring; and its plain statements."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return (), ()
    text = textwrap.dedent("".join(lines))
    function = ast.parse(text).body[0]
    skipped = range(0)
    if isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None:
        doc = function.body[0]
        skipped = range(doc.lineno, (doc.end_lineno or doc.lineno) + 1)
    numbered = [
        (first + i, line.rstrip())
        for i, line in enumerate(text.rstrip().splitlines())
        if i + 1 not in skipped
    ]
    statements = [
        range(node.lineno + first - 1, (node.end_lineno or node.lineno) + first)
        for node in ast.walk(function)
        if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign))
    ]
    return tuple(numbered), tuple(statements)


def _window(numbered: Sequence[tuple[int, str]], line: int) -> Sequence[tuple[int, str]]:
    """At most CODE_LINES lines around `line`; what is left out shows as line number 0."""
    most = CODE_LINES
    if len(numbered) > most:
        numbered = [item for item in numbered if item[1]]
    if len(numbered) <= most:
        return numbered
    here = next((i for i, (n, _) in enumerate(numbered) if n == line), 0)
    start = max(0, min(here - most * 3 // 5, len(numbered) - most))
    above, below = start > 0, start + most < len(numbered)
    shown = numbered[start + 2 * above : start + most - below]
    # What is nested deep moves to the left, so that it fits beside the rest of a picture.
    spare = min((len(text) - len(text.lstrip()) for _, text in shown if text[:1] == " "), default=4)
    moved = ((n, text[max(spare - 4, 0) :] if text[:1] == " " else text) for n, text in shown)
    left_out = (0, "    …")
    return [*([numbered[0], left_out] if above else []), *moved, *([left_out] if below else [])]


def listing(moment: Moment, actor: str = "") -> Listing:
    """The innermost function of an actor, its current line marked.

    Without `actor`: of the one that took this step, or takes the first."""
    event = moment.event
    if not actor:
        events = moment.run.events
        mover = event or (events[0] if events else None)
        actor = mover.actor if mover else main_actor(moment.scenario)
    past = event is not None and event.actor == actor
    local = event.local if event is not None and past else moment.local(actor)
    frames = local.frames()
    if not frames:
        return Listing(actor, "", (), (), past)
    line = frames[-1].line
    numbered, statements = _source(local.where[-1][0])
    # Which line of a statement a frame names differs between Pythons.
    marked = next((s for s in statements if line in s), range(line, line + 1))
    shown = [
        CodeLine(n, text, n in marked, _SEAM in text.partition("#")[0])
        for n, text in _window(numbered, marked[0])
    ]
    parts = PurePath(frames[-1].file.replace("\\", "/")).parts
    last = max((i for i, part in enumerate(parts) if part == _PACKAGE), default=len(parts) - 2)
    file = "/".join(parts[last + 1 :])
    return Listing(actor, file, tuple(f.function for f in frames), tuple(shown), past)


# -- who comes next


def standing(moment: Moment, actor: str) -> str:
    """What an actor will do next, why it can't, or how it ended."""
    local = moment.local(actor)
    if local.op is None:
        words = result_words(moment.scenario, moment.after, actor)
        if words != "done":
            return f"has finished: {words}"
        # References may outlive the last step of an actor that returns nothing.
        folios = moment.world.folios.values()
        refs = sum(n for folio in folios for who, n in folio.held if who == actor)
        if not refs:
            return "has finished"
        return f"no further step; keeps its {'reference' if refs == 1 else f'{refs:,} references'}"
    why = moment.scenario.blocked(moment.after, actor)
    if why is not None:
        return f"blocked: {why}"
    frames = local.frames()
    inside = f", in {frames[-1].function}" if len(frames) > 1 else ""
    return f"next: {local.op.kind.name}(){inside}"


# -- counters


class Counter(NamedTuple):
    """What a counter of the kernel has grown by since the start: before this step, and now."""

    name: str
    before: int
    now: int


def counters_at(moment: Moment) -> list[Counter]:
    """The counters that moved so far."""
    was = {name: old for name, old, _ in moved_counters(moment.before.world, moment.world)}
    return [
        Counter(name, was.get(name, new) - start, new - start)
        for name, start, new in moved_counters(moment.start.world, moment.world)
    ]


# -- all of it


class Facts(NamedTuple):
    """One moment: what its picture and its table are made of."""

    moment: Moment
    region: str
    note: str
    claim: str
    words: str
    pages: Layout
    piece: int
    """The page of the region that the step is about."""
    book: Ledger | None
    counters: list[Counter]
    code: Listing
    standing: dict[str, str]


def facts(moment: Moment, region: str = "A") -> Facts:
    """Read them off a run."""
    stand = {actor.name: standing(moment, actor.name) for actor in moment.scenario.actors}
    pages, code, note = layout(moment.world, region), listing(moment), _note(moment)
    counters, claim = counters_at(moment), sentence(moment)
    book, piece = ledger_at(moment, region)
    words = f"{claim} {describe(book)}" if book is not None else claim
    return Facts(moment, region, note, claim, words, pages, piece, book, counters, code, stand)


def _round_and_pass(moment: Moment, actor: str) -> tuple[int, int] | None:
    """The round and the pass of migrate_pages() that an actor is in; None if it is in none."""
    for op in (
        moment.local(actor).op,
        *(e.op for e in reversed(moment.events) if e.actor == actor),
    ):
        if op is None or op.site == "migrate.end":
            return None
        if "pass_" in op.told:
            return op.told["round_"], op.told["pass_"]
    return None


def _note(moment: Moment) -> str:
    """Scenario and version, and which pass of which round the main actor is in."""
    scenario = moment.scenario
    words = [scenario.name, version_words(scenario)]
    found = _round_and_pass(moment, main_actor(scenario))
    if found is not None:
        words.append("round {}, pass {}".format(*found))
    return "  ·  ".join(words)


def state_table(seen: Facts) -> list[tuple[str, str]]:
    """The facts as a small table."""
    moment, shown, book, code = seen.moment, seen.pages, seen.book, seen.code
    rows = [("step", f"{moment.position} of {len(moment.run)}")]
    rows.append(("what happened", seen.claim))
    rows.append(("what changed", "; ".join(map(str, changes(moment))) or "nothing"))
    counts = ", ".join(f"{n} pages in {kind}" for kind, n in shown.counts if kind) or "nowhere"
    rows.append((seen.region, f"{'one huge page' if shown.whole else 'single pages'}: {counts}"))
    if book is not None:
        *held, equation = as_text(book)
        rows.append((f"references on {book.words}", "; ".join(held)))
        if book.due:
            rows.append((f"{book.check.name}, {book.when}", equation))
    said = ", ".join(f"{counter.name} {counter.now:+d}" for counter in seen.counters)
    rows.append(("counters", said or "none moved"))
    line = next((line.text.strip() for line in code.lines if line.current), "")
    where = f"{' > '.join(code.chain)}: {line}" if line else "-"
    return [*rows, (f"{subject(code.actor)} stands in", where), *seen.standing.items()]
