"""Lesson 12: the learner writes a small model of their own, and vectors judge it.

A step is judged by running the learner's functions on conformance vectors, the smallest first; what
they have written is never looked at.  The right functions stand in the text, in the cells of the
solution edition, and only there: `finished` reads them.

Left out of the vectors: pages that others than the page cache and mappings refer to when they are
made, destinations that are there at some requests only, and rounds of a pin."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, lru_cache, partial
from itertools import product
from operator import itemgetter
from typing import Any

from mmsim import datafiles, errno
from mmsim.constants import ANON, REASONS, REPORTED
from mmsim.constants import HPAGE_PMD_NR as HPAGE_PMD_NR  # for the text
from mmsim.engine.explore import Outcome
from mmsim.engine.scenario import State
from mmsim.engine.schedule import render
from mmsim.errno import ENOMEM
from mmsim.errors import shown
from mmsim.evidence.vector_setup import Vector, pass_site
from mmsim.lessons import FOLDER
from mmsim.lessons.card import Card
from mmsim.lessons.form import FormError, Verdict, failed, passed
from mmsim.lessons.wording import AGAIN
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.seams import Version
from mmsim.mm.versions import VERSIONS
from mmsim.mm.world import World
from mmsim.sandbox import SandboxError, limited
from mmsim.scenarios import CMA_PFN, vfio_map
from mmsim.scenarios.script import SITES
from mmsim.views.flow import tries_picture
from mmsim.views.ledger import LEDGER_HIGH, describe, draw_ledger, ledger_of
from mmsim.views.show import Shown
from mmsim.views.svg import Picture, Svg
from mmsim.views.tables import Frame, frame, labels

TEXT = FOLDER / "from_scratch.md"
PATCHED = "v3"  # what the learner's three seams come to: both patches, as they were merged
STEPS_MAX, CALL_STEPS = 3_000_000, 50  # of one vector: a huge page has 512 pieces
SEAMS = ("ref_errno", "retry_split", "final_rc")
KERNELS = {"base": "base", "patched": PATCHED}
"""What the page calls its kernels -> the version of the real model."""


# -- the finished page


@cache
def page_of_code() -> str:
    """The code of the solution edition without its cards: the whole small model."""
    fence = re.compile(r'^```python(?: tags=\["(\w+)"\])?\n(.*?)^```', re.MULTILINE | re.DOTALL)
    fences = fence.findall(TEXT.read_text("utf-8"))
    code = "\n".join(body.strip() + "\n" for tag, body in fences if tag != "student")
    return re.sub(r"^(lesson\.|from mmsim).*\n", "", code, flags=re.MULTILINE).strip() + "\n"


def finished(**own: Any) -> dict[str, Any]:
    """The names of the finished page, with functions of one's own in the place of some."""
    names: dict[str, Any] = {}
    exec(compile(page_of_code(), str(TEXT), "exec"), names)
    names.update(own)
    return names


@cache
def finished_page() -> dict[str, Any]:
    """The names of the finished page as it is."""
    return finished()


Runs = Mapping[str, tuple[str, int | None]]
"""Runs in the reported situation: the kernel, and after how many refusals the holder goes."""

RUNS: Runs = {
    "base: refused once, and that is the end": ("base", 3),
    "patched, but the holder never leaves": ("patched", None),
    "patched, and the holder leaves before the fourth try": ("patched", 3),
}
BASE: Runs = {
    "base: refused once, and that is the end": ("base", 3),
    "base, and the holder leaves before the first try": ("base", 0),
}


def run_outcome(kernel: str, leaves: int | None, names: Mapping[str, Any]) -> tuple[int, ...]:
    """What migrate_pages() returns in a run of a page of code, and the two reported counters."""
    result, vmstat = names["run"](names[kernel], leaves)
    return result, *(vmstat[name] for name in REPORTED)


# -- vectors, run with the learner's functions

PLACES = {"visit": "visit", "check": "split.check", "freeze": "move.freeze"}
"""Where others may act -> the last site of a visit that is over then."""
COUNTERS = ("thp_migration_fail", "thp_split_page", "thp_split_page_failed")
"""Those that are compared."""
ATTRIBUTES = ("name", "pages", "cache", "mapcount", "refcount", "in_cma")
Names = Mapping[str, Any]
"""The learner's functions by name, with ours for the others, and the `kernel`."""


class Unwritten(SandboxError):
    """A function is as it was given to the learner."""


def arrivals(script: dict[str, Any]) -> list[tuple[tuple[int, ...], str, int | None]]:
    """All that others do, the earliest first: when, to which page, how many references more.

    None: the page is truncated."""
    found: list[tuple[tuple[int, ...], str, int | None]] = []
    for one in script.get("strangers", ()):
        name, refs = one["folio"], one.get("refs", 1)
        found.append((pass_site(one["from"]) if "from" in one else (), name, refs))
        if "to" in one:
            found.append((pass_site(one["to"]), name, -refs))
    found += [(pass_site(one["at"]), one["folio"], None) for one in script.get("events", ())]
    return sorted(found, key=itemgetter(0))


class Host:
    """Everything but the learner's code, as the script of a vector wants it."""

    def __init__(self, vector: Vector, own: Names) -> None:
        script, entries = vector.get("script", {}), vector["setup"]["folios"]
        self.kernel, self.vmstat, self.memory = own.get("kernel"), Counter[str](), list[Any]()
        self.visits, self.pending = Counter[str](), arrivals(script)
        # The pages that find no destination.
        self.stay = {entry["folio"] for entry in script.get("targets", ())}
        if script.get("order9_targets") == "none":
            self.stay = {entry["name"] for entry in entries if entry["order"]}
        for entry in entries:
            page = checked_page(own, entry["name"], entry["order"], entry.get("pmd_maps", 1))
            page.refcount += entry.get("isolated", False)
            self.memory.append(page)
            self._arrive(page, ())

    def meanwhile(self, place: str, page: Any) -> None:
        """Others act here, if the script says so."""
        if place not in PLACES:
            raise ValueError(f"no place {place!r}; there are {', '.join(PLACES)}")
        self.visits[page.name] += place == "visit"
        site, pass_ = SITES.index(PLACES[place]), self.visits[page.name] - 1
        self._arrive(page, (0, 1 + _is_piece(page.name), pass_, site))

    def _arrive(self, page: Any, now: tuple[int, ...]) -> None:
        for event in list(self.pending):
            at, name, refs = event
            if name == page.name and at <= now:
                self.pending.remove(event)
                if refs is None:
                    refs = -page.cache - page.mapcount
                    page.cache = page.mapcount = 0
                page.refcount += refs

    def destination(self, page: Any) -> bool:
        """Is there a free page of this size outside CMA?"""
        return page.name not in self.stay

    def passes(self) -> list[int]:
        """How many passes there were, for huge pages and then for their pieces."""
        rounds = [0, 0]
        for name, n in self.visits.items():
            rounds[_is_piece(name)] = max(n, rounds[_is_piece(name)])
        return [n for n in rounds if n]


def _is_piece(name: str) -> bool:
    return name.endswith("]")


def checked_page(own: Names, name: str, order: int, maps: int) -> Any:
    """A page made by the learner's `folio`, with all that the others need to know of it."""
    page = own["folio"](name, 1 << order, maps)
    if page is None:
        raise Unwritten("folio() returns nothing")
    if getattr(page, "refcount", 0) is ...:
        raise Unwritten("folio() has dots in it")
    for attribute in ATTRIBUTES:
        if not hasattr(page, attribute):
            raise SandboxError(f"the page that folio() returns has no {attribute}")
    return page


WANTED = {bool: "True or False", int: "0 or another whole number", tuple: "rc, again"}


def checked(what: str, kind: type, answer: Any) -> Any:
    """What a function returned, if it is of this kind; else a SandboxError says what it is."""
    if answer is None:
        raise Unwritten(f"{what}() returns nothing")
    if type(answer) is not kind:
        said = shown(answer, 40, quoted=True)
        raise SandboxError(f"{what}() returned {said}; it should return {WANTED[kind]}")
    return answer


# -- the groups of vectors

Row = tuple[str, Any, Any]
"""What is looked at, what the vector expects, and what was found."""


def counters_and_folios(host: Host, expect: dict[str, Any]) -> list[Row]:
    """The counters and the folios of an expectation, as far as the small model has them."""
    counters = expect.get("counters", {})
    rows: list[Row] = [(name, counters.get(name, 0), int(host.vmstat[name])) for name in COUNTERS]
    for name, fields in expect.get("folios", {}).items():
        pieces = [page for page in host.memory if page.name.startswith(f"{name}[")]
        found = {"subpages_in_cma": sum(bool(page.in_cma) for page in pieces)}
        for page in host.memory:
            if page.name == name:
                found = {"ref": page.refcount, "mapcount": page.mapcount, "in_cma": page.in_cma}
        both = [field for field in found if field in fields]
        rows += [(f"{field} of {name}", fields[field], found[field]) for field in both]
    return rows


def page_after_steps(vector: Vector, own: Names) -> Any:
    """The page after the steps of a vector."""
    steps: list[dict[str, Any]] = vector["operation"]["steps"]
    page: Any = None
    for step in steps:
        do = step["do"]
        if do == "create":
            more = sum(s.get("times", 1) for s in steps if s["do"].startswith("map_"))
            maps = step.get("pmd_maps", 1) + more
            page = checked_page(own, step["folio"], step["order"], maps)
            if step.get("kind") == ANON:
                page.cache, page.refcount = 0, page.refcount - page.pages
        elif do in ("get", "isolate"):
            page.refcount += step.get("times", 1)
        elif do.startswith("unmap"):
            own["unmap"](page)
    return page


def run_refcount(vector: Vector, expect: dict[str, Any], own: Names) -> list[Row]:
    """Steps on one page, and then what its count allows."""
    page = page_after_steps(vector, own)
    fields = expect["folios"][page.name]
    rows: list[Row] = [
        ("ref", fields["ref"], page.refcount),
        ("mapcount", fields["mapcount"], page.mapcount),
    ]
    if "can_split" in fields:
        said = checked("can_split", bool, own["can_split"](page))
        rows.append(("can_split", fields["can_split"], said))
    free = fields["migration_freeze_ok"]
    # A page that is still mapped, or not isolated, is not asked.
    if free == (fields["ref"] == fields["migration_expects"]):
        rows.append(("freeze", free, checked("freeze", bool, own["freeze"](page))))
        rows.append(("refcount after freeze", 0 if free else fields["ref"], page.refcount))
    return rows


def run_split(vector: Vector, expect: dict[str, Any], own: Names) -> list[Row]:
    """One page, several attempts."""
    host, pieces, results = Host(vector, own), list[Any](), list[Any]()
    page = host.memory[0]
    while len(results) < vector["operation"]["times"] and 0 not in results:
        host.meanwhile("visit", page)
        rc = checked("split", int, own["split"](page, pieces, host))
        results.append(errno.code(rc))
    rows: list[Row] = [("results", expect["results"], results)]
    if "subpages" in expect:
        kinds = Counter((piece.refcount, piece.mapcount) for piece in pieces)
        found = [{"count": n, "ref": ref, "mapcount": m} for (ref, m), n in kinds.items()]
        rows.append(("pieces", expect["subpages"], found))
        rows.append(("pages in host.memory", sum(p.pages for p in pieces), len(host.memory)))
    return rows + counters_and_folios(host, expect)


def run_migrate(vector: Vector, expect: dict[str, Any], own: Names) -> list[Row]:
    """One call on a list of isolated pages."""
    host = Host(vector, own)
    for page in host.memory:
        page.refcount += 1
    todo, reason = list(host.memory), vector["operation"]["reason"]
    rc = checked("migrate_pages", int, own["migrate_pages"](todo, reason, host))
    rows: list[Row] = [
        ("passes", expect["passes"], host.passes()),
        ("rc", expect["rc"], errno.code(rc)),
        ("left", expect["left"], len(todo)),
    ]
    return rows + counters_and_folios(host, expect)


RUNNERS = {"refcount": run_refcount, "split": run_split, "migrate_pages": run_migrate}


@cache
def vectors(group: str) -> dict[str, Vector]:
    """The vectors of a group, by their ids."""
    text = datafiles.path(f"conformance/{group}.json").read_text(encoding="utf-8")
    return {vector["id"]: vector for vector in json.loads(text)["vectors"]}


def run_vector(group: str, vector: Vector, version: str, own: Names) -> list[Row]:
    """What comes out otherwise than a vector expects of a version; a found True is no 1.

    Raises SandboxError if a function returns what it should not."""
    return [
        row
        for expect in vector["expect"]
        if expect["versions"] == "all" or version in expect["versions"]
        for row in RUNNERS[group](vector, expect, own)
        if row[1] != row[2] or isinstance(row[2], bool) > isinstance(row[1], bool)
    ]


# -- pictures


def runs_shown(claim: str, runs: Runs) -> list[Any]:
    """The tries of each run, as the real model has them, and what the finished page counts."""
    traces = {
        words: vfio_map(
            KERNELS[kernel], order=1, released="never" if leaves is None else leaves
        ).run()
        for words, (kernel, leaves) in runs.items()
    }
    outcomes = [run_outcome(*run, finished_page()) for run in runs.values()]
    rows = [(errno.name(rc), *counters) for rc, *counters in outcomes]
    counts = frame(rows, labels(traces, "run"), ["migrate_pages() returns", *REPORTED])
    return [tries_picture(claim, traces), counts]


phenomenon = Shown(lambda: runs_shown("One page of Python: the bug, and the patch", RUNS))

TITLES = (
    "In the title, a THP is a huge page, a subpage a piece of it, a target a destination, and a "
    "foreign reference that of a holder."
)

Failed = tuple[Vector, str, list[Row]]
"""A vector, the kernel that failed it, and what came out otherwise."""


def page_before(vector: Vector) -> Folio:
    """A page of a vector as a step finds it, with everybody who refers to it, for its picture."""
    operation = vector["operation"]
    isolated = True
    if "steps" in operation:
        page = page_after_steps(vector, finished_page())
        isolated = any(step["do"] == "isolate" for step in operation["steps"])
    else:
        page = max(Host(vector, finished_page()).memory, key=lambda page: page.refcount)
        page.refcount += "reason" in operation
    held = {ISOLATION: int(isolated)}
    held["holder"] = page.refcount - page.cache - page.mapcount - isolated
    return Folio(
        page.name,
        page.name,
        0,
        page.pages.bit_length() - 1,
        cached=bool(page.cache),
        refcount=page.refcount,
        held=tuple(pair for pair in held.items() if pair[1]),
        **{"pmd_maps" if page.pages > 1 else "pte_maps": page.mapcount},
    )


def failure_shown(vector: Vector, kernel: str, wrong: list[Row]) -> list[Any]:
    """A vector that failed: the page before, what was expected, and what was found."""
    where = "in base" if kernel == "base" else "with the patch"
    claim = f"Vector {vector['id']}, {where}: {vector['title']}"
    world, folio = World(), page_before(vector)
    world.add(CMA_PFN, folio)
    ledger = ledger_of(world, folio.region)
    assert ledger is not None
    words = f"{claim}. Before: {describe(ledger)}"
    svg = Svg(506, 74 + LEDGER_HIGH, claim, words)
    svg.headline(18, 28, 470, claim)
    draw_ledger(svg.inside(18, 66, 470), ledger)
    rows = [[_short(expected), _short(found)] for _, expected, found in wrong]
    what = labels([what for what, _, _ in wrong], "after your code")
    return [Picture(svg.render(), words), frame(rows, what, ["expected", "yours"]), TITLES]


def _short(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(f"{kind['count']} × ref {kind['ref']}" for kind in value)
    return shown(value).replace("'", "")


# -- the judge


class CodeCard(Card):
    """A card that takes what the learner has written, by the names in its `form`.

    `judge_names`: runs it, given by name.  `case`: the vector that failed, to be drawn."""

    case: Failed | None = None

    def __init__(
        self,
        question: str,
        form: str,
        judge_names: Callable[[dict[str, Any]], Verdict],
        **more: Any,
    ) -> None:
        super().__init__(question, form=form, judge=self.judge_code, **more)
        self.names, self.judge_names = form.split(", "), judge_names

    def judge_code(self, answer: Any) -> Verdict:
        """What becomes of what was handed in."""
        self.case = None
        return self.judge_names(self.handed_in(answer))

    def pictures(self) -> Any:
        """The vector that failed, as long as there is one, already at the first wrong answer."""
        if self.state.verdict.state == "failed":
            return failure_shown(*self.case) if self.case else []
        return super().pictures()

    def ways(self) -> list[str]:
        """Where the functions are written; not said again to somebody who has run the cell."""
        if self.problem:
            return []
        return [f"Hand in what you have written: `lesson.{self.name}({self.form})`."]

    def reply(self) -> list[str]:
        """What became of the answer; a function can be tried as often as one likes."""
        again = "Change it, and run the cell again. A hint may help."
        return [again if line == AGAIN else line for line in super().reply()]

    def right(self) -> Any:
        """The same names of the finished page."""
        found = [finished_page()[name] for name in self.names]
        return found if len(found) > 1 else found[0]

    def handed_in(self, answer: Any) -> dict[str, Any]:
        """What was handed in, by name; raises FormError if that can't be it."""
        several = len(self.names) > 1 and isinstance(answer, list | tuple)
        own = dict(zip(self.names, answer if several else [answer], strict=False))
        kernels = own.keys() & KERNELS.keys()  # a Kernel is read as a tuple
        fits = [isinstance(own[k], tuple) and len(own[k]) == len(SEAMS) for k in kernels]
        fits += [callable(own[name]) for name in own.keys() - kernels]
        if not all(fits) or (len(answer) if several else 1) != len(self.names):
            raise FormError(f"run lesson.{self.name}({self.form}) after the cells above it")
        return own | {name: finished_page()["Kernel"](*own[name]) for name in kernels}


class VectorCard(CodeCard):
    """A card that runs a learner's functions on vectors, and draws the first one they fail.

    `replies`: vector -> what speaks against whoever fails it, the smallest first."""

    def __init__(
        self, question: str, form: str, group: str, replies: Mapping[str, str], **more: Any
    ) -> None:
        self.group, self.replies = group, replies
        super().__init__(question, form, self.judge_vectors, **more)

    def judge_vectors(self, own: dict[str, Any]) -> Verdict:
        """What becomes of the functions, vector by vector."""
        what = " or ".join(f"{name}()" for name in self.names)
        kernels = ["patched"] if "patched" in own else KERNELS
        for kernel, identity in product(kernels, self.replies):
            vector = vectors(self.group)[identity]
            which = f"{identity}, {vector['title']}"
            try:
                wrong = bounded(what, self.run_one, vector, kernel, own)
            except SandboxError as error:
                if isinstance(error, Unwritten) and identity == next(iter(self.replies)):
                    return Verdict("not attempted", str(error))
                return failed(f"{error} (vector {which})")
            if wrong:
                self.case = vector, kernel, wrong
                number, expected, mine = wrong[0]
                numbers = f"{number} should be {_short(expected)}, and yours is {_short(mine)}"
                return failed(f"{self.replies[identity]}.", f"Vector {which}: {numbers}.")
        return passed(f"all {len(self.replies)} vectors agree")

    def run_one(self, vector: Vector, kernel: str, own: dict[str, Any]) -> list[Row]:
        """One vector, with our functions for those that are not handed in."""
        if "one_pass" in own:  # the loop of the finished page takes a pair apart
            one_pass = own["one_pass"]
            own = {"one_pass": lambda *given: checked("one_pass", tuple, one_pass(*given))}
        names = finished(**own)
        names["kernel"] = names[kernel]
        return run_vector(self.group, vector, KERNELS[kernel], names)


def bounded(what: str, action: Callable[..., Any], *given: Any) -> Any:
    """What the action answers; raises SandboxError if a learner's function in it goes wrong."""
    return limited(what, action, *given, steps_max=STEPS_MAX, call_steps=CALL_STEPS)


def run_all(runs: Runs, own: dict[str, Any]) -> Verdict:
    """Do the runs of the learner's page return and count what those of the finished one do?"""
    for kernel, leaves in runs.values():
        found = bounded("run()", run_outcome, kernel, leaves, finished_page() | own)
        if found != run_outcome(kernel, leaves, finished_page()):
            counts = ", ".join(f"{n} {k}" for n, k in zip(REPORTED, found[1:], strict=True))
            why = "that is not what the steps above have judged; run their cards again"
            return failed(f"your {kernel} returns {shown(found[0])}, {counts}: {why}")
    return passed("your page and the finished one agree in all runs")


# -- the steps

counts = VectorCard(
    "Step 1: `folio(name, pages, maps)` and `unmap(page)`.",
    "folio, unmap",
    group="refcount",
    replies={
        "A1b": "A single page has one reference of the page cache and one of its mapping",
        "A2": "The page cache has a reference for each of the 512 pages, not one for all of them",
        "A3": "Every mapping has a reference of its own",
        "A106": "A page that nobody maps has the references of the page cache alone",
        "A9a": "A mapping that goes takes its reference along",
        "A107": "All mappings go, each with its reference",
    },
    hints=(
        "Who refers to this folio? The page cache, and each mapping.",
        "refcount is pages + maps. And unmap() subtracts page.mapcount from it.",
    ),
)

checking = VectorCard(
    "Step 2: `can_split(page)`.",
    "can_split",
    group="refcount",
    replies={
        "A6": "The page cache, the mapping and the isolation explain every reference here",
        "A7": "One reference is left that nobody can explain",
        "A2": "Fewer references than expected are no match either: the page is not isolated yet",
        "A106": "Without a mapping there are two kinds of references left, and they explain all",
        "A9b": "Without a mapping, too, one reference is left that nobody can explain",
        "A10": "This page is in no page cache, so no reference of a cache is expected",
    },
    needs=(counts,),
    hints=(
        "Lesson 01: expected = pages in the cache + mappings + 1.",
        "Compare page.refcount with page.cache + page.mapcount + 1, and return the result.",
    ),
)

freezing = VectorCard(
    "Step 3: `freeze(page)`.",
    "freeze",
    group="refcount",
    replies={
        "A9a": "The count is as expected, so it is claimed: it becomes 0",
        "A9b": "A count that is not as expected stays as it is",
        "A107": "A single page has one reference of the page cache",
        "A6": "The page is still mapped: a freeze does not expect mappings",
    },
    needs=(checking,),
    hints=(
        "The mappings are gone. Who may have a reference now?",
        "If page.refcount is page.cache + 1, set it to 0 and return True. Else return False.",
    ),
)

splitting = VectorCard(
    "Step 4: `split(page, pieces, host)`.",
    "split",
    group="split",
    replies={
        "B1": "Nobody is in the way, so there are 512 pieces, each with a reference of the cache "
        "and the isolation",
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
        "freeze(). Then the counter, then cut().",
        "Set rc to -EBUSY for a page without cache, and to host.kernel.ref_errno for the other "
        "refusals. Count at one place, for all of them.",
    ),
)

passing = VectorCard(
    "Step 5: `one_pass(todo, pieces, reason, host)`.",
    "one_pass",
    group="migrate_pages",
    replies={
        "C1": "A page that has moved leaves the list, and its isolation ends",
        "C23": "A busy single page asks for another pass, and nothing has failed yet",
        "C2": "A busy huge page asks for another pass; nothing has failed yet",
        "C25": "A single page without a destination ends the pass with its error",
        "C8": "A huge page without a destination has failed once, whatever becomes of its split",
        "C10": "A refused split ends the pass with -ENOMEM, unless the kernel wants to try again",
        "C4": "A page that was split leaves the list, and its pieces are tried next",
        "C101": "A refused split may be tried again: the page is treated like a busy one",
        "C13": "The kernel is asked with the reason of this call",
        "C106": "The pages of a list are tried one after the other",
    },
    needs=(splitting,),
    hints=(
        "Call move(page, host) first. Then there are three cases: 0, -EAGAIN, -ENOMEM.",
        "For -ENOMEM and a huge page: count it, call split(). If that returns 0, the page is done. "
        "Otherwise, if retry_split() says so, treat the page like a busy one.",
    ),
)

counted = CodeCard(
    "Your own model in base, with a holder and without",
    "run",
    partial(run_all, BASE),
    still=lambda: runs_shown("Base fails with a holder, and without one", BASE),
    why="`leaves=3`: the check finds one reference too many, and the whole call ends with "
    "`-ENOMEM`. The holder would have left before the fourth try, but there was none.\n\n"
    "`leaves=0`: the split succeeds, and all 512 pieces move. But the huge page was counted as a "
    "failure before its split. So `migrate_pages()` returns 1, and the pin fails.",
    needs=(passing,),
)


# -- the patch


patching = VectorCard(
    "The patch: `patched`, a `Kernel` with three seams.",
    "patched",
    group="migrate_pages",
    replies={
        "K3": "A refused split is tried again in each of the ten passes; then it has failed",
        "C4": "The page was split and all its pieces have moved: nothing is left on the list",
        "C101": "The holder leaves before the third pass, so a third try splits the page",
        "C10": "A truncated page is no reason to try again",
        "C13": "Nobody waits for a device here (contig_range), so there is no second try",
        "C15": "A piece is left on the list, so something has failed",
        "N18": "The second refusal has another cause than references, and ends the call",
        "C128": "Each page is tried again for itself",
    },
    needs=(counted,),
    hints=(
        "Which error says: not now, try again?",
        "Try again only for a long-term pin, and only if the split was refused for references.",
        "The pin can go on if nothing is left on the list, whatever has failed on the way.",
    ),
)

both = CodeCard(
    "The same situation, with your patch.",
    "run, base, patched",
    partial(run_all, RUNS),
    still=lambda: runs_shown("Your model: the bug, and the patch", RUNS),
    why="A holder that never leaves is refused ten times, and the page is counted once more after "
    "the last pass. Trying again is of no use against it. A holder that leaves in time costs a few "
    "refusals. Then the page is split, its pieces move, and `final_rc` tells the pin that nothing "
    "is left.",
    needs=(patching,),
)


# -- the review by the real model


def as_row(kernel: Any) -> Version:
    """The row of the real model with the learner's seams in the place of its own.

    Each is asked once for each different question.  Raises SandboxError if one goes wrong."""
    retry = cache(lambda reason, ret: limited("seam", kernel.retry_split, REASONS[reason], ret))
    final = cache(lambda rc, nr_thp_split, empty: limited("seam", kernel.final_rc, rc, not empty))
    own = dict(zip(SEAMS, (kernel.ref_errno, retry, final), strict=True))
    return VERSIONS[PATCHED]._replace(**own)


RACES: dict[str, dict[str, Any]] = {
    "of a pin": {},
    "of a caller that is no pin": {"reason": "contig_range"},
    "with a page that is truncated": {"trouble": "truncated", "passes": 2},
}


@lru_cache(maxsize=16)  # the last handed in; those of the real kernel are asked for each time
def ends(version: Version, race: str) -> dict[str, Outcome]:
    """Every way to end for a huge page of two pages and a holder that leaves, in every order of
    steps: by what is returned and counted."""

    def name(state: State) -> str:
        counted = {counter: state.world.vmstat[counter] for counter in COUNTERS}
        return f"{found.results(state)} {counted}"

    found = vfio_map(version, order=1, released="1", **RACES[race])
    return {end.name: end for end in found.explore().outcomes(name)}


def review(own: dict[str, Any]) -> Verdict:
    """Search the real model with the learner's seams, and with its own."""
    schedules = 0
    for race in RACES:
        real, mine = (ends(row, race) for row in (VERSIONS[PATCHED], as_row(own["patched"])))
        for name, end in (mine | real).items():
            if mine.get(name) != real.get(name):
                why = f"your seams make another kernel of the real model, in the race {race}"
                return failed(why, f"They differ after this schedule: {render(end.shortest or ())}")
            schedules += end.schedules or 0
    return passed(
        f"your seams and those of {PATCHED} agree in all {schedules:,} schedules of three races"
    )


def pins() -> Frame:
    """How the race of a pin ends in both kernels: in how many schedules the pin fails."""
    said = []
    for version in KERNELS.values():
        found = ends(VERSIONS[version], "of a pin")
        every = sum(end.schedules or 0 for end in found.values())
        fails = sum(end.schedules or 0 for name, end in found.items() if f"{-ENOMEM}" in name)
        said.append(f"{fails:,} of {every:,} ({fails / every:.0%})")
    return frame([said], labels(["the pin fails"], "schedules"), [*KERNELS])


reviewed = CodeCard(
    "The real model reviews your seams: do they agree in every order of steps?",
    "patched",
    review,
    still=pins,
    why="Your three seams took their places in the real model, and it was searched step by step. "
    "There were three races: of a pin, of a caller that is no pin, and with a page that is "
    "truncated.\n\n"
    "The table is the race of a pin alone. There base gives up at the first refusal, so it has "
    "fewer schedules. It fails in all of them, even if the split succeeds. With your seams the pin "
    "fails only if the holder stays for all ten tries, or holds a piece when its turn comes.",
    needs=(both,),
)
