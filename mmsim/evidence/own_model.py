"""Conformance vectors run on a small model that somebody else wrote, as plain functions.

Interface: Case, Odd, run_case, run_migrate, vectors, fitting, expectation, before, alone

The functions and what they may ask of their host are described in the text of lesson 12: `folio`,
`unmap`, `can_split`, `freeze`, `split`, `migrate_pages` and `pin`.  A page is an object with
ATTRIBUTES.  A vector that needs more than that does not fit, and is not run.  Left out of what is
compared: PMD splits, the LRU, and the references of single pages that are pinned."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from mmsim import datafiles, errno
from mmsim.constants import (
    ANON,
    GUP_PIN_COUNTING_BIAS,
    MIGRATE_COUNTERS,
    PIN_COUNTERS,
)
from mmsim.evidence.vectors import CMA_PFN, Names, Vector, position
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import World
from mmsim.scenarios.script import SITES

PLACES = {"visit": "visit", "check": "split.check", "freeze": "split.freeze"}
COUNTERS = (*MIGRATE_COUNTERS, "thp_split_page", "thp_split_page_failed")
ATTRIBUTES = ("name", "pages", "cache", "mapcount", "refcount", "in_cma")

Functions = Mapping[str, Any]


class Host:
    """Everything but the learner's code, as the script of a vector wants it."""

    def __init__(self, vector: Vector, make: Callable[..., Any], kernel: Any) -> None:
        script, entries = vector.get("script", {}), vector["setup"]["folios"]
        names = Names(entries)
        self.kernel, self.vmstat, self.memory = kernel, Counter[str](), list[Any]()
        self.call = 0
        self.visits, self.asked = Counter[tuple[int, str]](), Counter[str]()
        self.last = ""
        self.none = script.get("order9_targets") == "none"
        self.targets = {
            name: entry["fail_attempts"]
            for entry in script.get("targets", ())
            for name in names.expand(entry["folio"])
        }
        for entry in entries:
            for name in names.expand(entry["name"]):
                page = made(make, name, 1 << entry["order"], _maps(entry))
                page.refcount += entry.get("pins", 0) + entry.get("isolated", False)
                page.in_cma = entry.get("in_cma", True)
                self.memory.append(page)
        self.pending: list[tuple[tuple[int, ...], str, int | None]] = []
        for entry in script.get("strangers", ()):
            region = entry["folio"]
            for name in [region] if "[" in region else names.expand(region):
                huge = "[" not in name and names.order[name]
                refs = GUP_PIN_COUNTING_BIAS if entry.get("kind") == "pin" and not huge else 1
                refs *= entry.get("refs", 1)
                start, end = entry.get("from"), entry.get("to")
                self.pending.append((position(start) if start else (), name, refs))
                self.pending += [(position(end), name, -refs)] if end else []
        for entry in script.get("events", ()):
            self.pending.append((position(entry["at"]), entry["folio"], None))
        for page in self.memory:
            self._arrive(page, ())

    def meanwhile(self, place: str, page: Any) -> None:
        """Others act here, if the script says so."""
        if place not in PLACES:
            raise ValueError(f"no place {place!r}; there are {', '.join(PLACES)}")
        piece = int(page.name.endswith("]"))
        self.visits[piece, page.name] += place == "visit"
        site = PLACES[place]
        if place == "freeze" and self.last != "check":
            site = "move.freeze"
        self.last = place
        visited = max(self.visits[piece, page.name] - 1, 0)
        self._arrive(page, (self.call, 1 + piece, visited, SITES.index(site)))

    def _arrive(self, page: Any, now: tuple[int, ...]) -> None:
        for event in sorted(self.pending, key=lambda event: event[0]):
            at, name, refs = event
            if name != page.name or at > now or (page.refcount == 0 and refs):
                continue
            self.pending.remove(event)
            if refs is None:
                page.refcount -= page.cache + page.mapcount
                page.cache = page.mapcount = 0
            else:
                page.refcount += refs

    def destination(self, page: Any) -> bool:
        """Is there a free page of this size outside CMA?"""
        number = self.asked[page.name]
        self.asked[page.name] += 1
        fails = self.targets.get(page.name, "all" if self.none and page.pages > 1 else ())
        return not (fails == "all" or number in fails)

    def passes(self) -> list[int]:
        """How many passes there were, for each round."""
        rounds = [
            max((n for (piece, _), n in self.visits.items() if piece == which), default=0)
            for which in (0, 1)
        ]
        return [n for n in rounds if n]

    def again(self) -> None:
        """The same call once more."""
        self.call += 1
        self.visits.clear()


def _maps(entry: dict[str, Any]) -> int:
    order = entry["order"]
    return int(entry.get("pmd_maps", order > 0)) + int(entry.get("pte_maps", order == 0))


class Odd(Exception):
    """A function returned what it should not; the message says what."""


def made(make: Callable[..., Any], name: str, pages: int, maps: int) -> Any:
    """A page made by the learner's `folio`, with all that the others need to know of it."""
    page = make(name, pages, maps)
    for attribute in ATTRIBUTES:
        if page is not None and not hasattr(page, attribute):
            raise Odd(f"the page that folio() returns has no {attribute}")
    return page


def code_of(what: str, rc: Any) -> Any:
    """What a function returned, as vectors write it."""
    if rc is not None and type(rc) is not int:
        raise Odd(f"{what} returned {rc!r:.40}; it should return 0 or another whole number")
    return errno.code(rc) if rc is not None else None


def _yes_no(what: str, own: Functions, page: Any) -> bool | None:
    answer: bool | None = own[what](page)
    if answer is not None and type(answer) is not bool:
        raise Odd(f"{what}() returned {answer!r:.40}; it should return True or False")
    return answer


# -- the groups of vectors, run with the learner's functions

Row = tuple[str, Any, Any]
"""What is looked at, what the vector expects, and what was found."""


def seen(host: Host, expect: dict[str, Any]) -> list[Row]:
    """The counters and the folios of an expectation, as far as the small model has them."""
    more = PIN_COUNTERS if "calls" in expect else ()
    rows: list[Row] = [
        (name, expect.get("counters", {}).get(name, 0), int(host.vmstat[name]))
        for name in (*COUNTERS, *more)
    ]
    for name, fields in expect.get("folios", {}).items():
        whole = next((page for page in host.memory if page.name == name), None)
        if whole is not None:
            found = {"ref": whole.refcount, "mapcount": whole.mapcount, "in_cma": whole.in_cma}
        else:
            pieces = [page for page in host.memory if page.name.startswith(f"{name}[")]
            found = {"subpages_in_cma": sum(bool(page.in_cma) for page in pieces)}
        both = [field for field in found if field in fields]
        rows += [(f"{field} of {name}", fields[field], found[field]) for field in both]
    return rows


def stepped(vector: Vector, own: Functions) -> Any:
    """The page after the steps of a vector; None if `folio` returns none."""
    steps: list[dict[str, Any]] = vector["operation"]["steps"]
    page: Any = None
    for step in steps:
        do = step["do"]
        if do == "create":
            maps = _maps(step) + sum(s.get("times", 1) for s in steps if s["do"][:4] == "map_")
            page = made(own["folio"], step["folio"], 1 << step["order"], maps)
            if page is None:
                return None
            if step.get("kind") == ANON:
                page.cache, page.refcount = 0, page.refcount - page.pages
        elif do in ("get", "isolate", "pin"):
            each = GUP_PIN_COUNTING_BIAS if do == "pin" and page.pages == 1 else 1
            page.refcount += each * step.get("times", step.get("pages", 1))
        elif do.startswith("unmap"):
            own["unmap"](page)
    return page


def run_refcount(vector: Vector, expect: dict[str, Any], own: Functions, kernel: Any) -> list[Row]:
    """Steps on one page, and then what its count allows."""
    page = stepped(vector, own)
    if page is None:
        return [("folio", "a page", None)]
    fields = expect["folios"][page.name]
    ref, maps = page.refcount, page.mapcount
    rows: list[Row] = [("ref", fields["ref"], ref), ("mapcount", fields["mapcount"], maps)]
    if "can_split" in fields:
        rows.append(("can_split", fields["can_split"], _yes_no("can_split", own, page)))
    free = fields["migration_freeze_ok"]
    if free == (
        fields["ref"] == fields["migration_expects"]
    ):  # else it is mapped, and not isolated
        rows.append(("freeze", free, _yes_no("freeze", own, page)))
        rows.append(("refcount after freeze", 0 if free else fields["ref"], page.refcount))
    return rows


def run_split(vector: Vector, expect: dict[str, Any], own: Functions, kernel: Any) -> list[Row]:
    """One page, several attempts."""
    host, pieces, results = Host(vector, own["folio"], kernel), list[Any](), list[Any]()
    page = host.memory[0]
    while len(results) < vector["operation"]["times"] and 0 not in results:
        host.meanwhile("visit", page)
        results.append(code_of("split()", own["split"](page, pieces, host)))
    rows: list[Row] = [("results", expect["results"], results)]
    if results == [None]:
        return [("result", expect["results"][0], None)]
    if "subpages" in expect:
        kinds = Counter((piece.refcount, piece.mapcount) for piece in pieces)
        found = [{"count": n, "ref": ref, "mapcount": m} for (ref, m), n in kinds.items()]
        rows.append(("pieces", expect["subpages"], found))
        rows.append(("pages in host.memory", sum(p.pages for p in pieces), len(host.memory)))
    return rows + seen(host, expect)


def run_migrate(vector: Vector, expect: dict[str, Any], own: Functions, kernel: Any) -> list[Row]:
    """One call on a list of isolated pages."""
    host = Host(vector, own["folio"], kernel)
    for page in host.memory:
        page.refcount += 1
    todo, reason = list(host.memory), vector["operation"]["reason"]
    rc = code_of("migrate_pages()", own["migrate_pages"](todo, reason, host))
    if rc is None:
        return [("rc", expect["rc"], None)]
    rows: list[Row] = [
        ("passes", expect["passes"], host.passes()),
        ("rc", expect["rc"], rc),
        ("left", expect["left"], len(todo)),
    ]
    return rows + seen(host, expect)


def run_pin(vector: Vector, expect: dict[str, Any], own: Functions, kernel: Any) -> list[Row]:
    """Identical pins of the whole memory, until one succeeds."""
    host, results = Host(vector, own["folio"], kernel), list[Any]()
    while len(results) < vector["operation"].get("max_calls", 1):
        results.append(code_of("pin()", own["pin"](host)))
        host.again()
        if results[-1] is None or (type(results[-1]) is int and results[-1] > 0):
            break
    if results == [None]:
        return [("result", expect["calls"][0]["result"], None)]
    in_cma = sum(page.pages for page in host.memory if page.in_cma)
    rows: list[Row] = [
        ("results", [call["result"] for call in expect["calls"]], results),
        ("pages_in_cma_after", expect["pages_in_cma_after"], in_cma),
    ]
    return rows + seen(host, expect)


RUNNERS = {"refcount": run_refcount, "split": run_split, "migrate_pages": run_migrate,
           "gup": run_pin}  # fmt: skip


@cache
def vectors(group: str) -> dict[str, Vector]:
    """The vectors of a group that the small model can run, by their ids."""
    text = datafiles.path(f"conformance/{group}.json").read_text(encoding="utf-8")
    return {vector["id"]: vector for vector in json.loads(text)["vectors"] if fitting(vector)}


def fitting(vector: Vector) -> bool:
    """Does a vector need nothing that the small model leaves out?"""
    setup, script, operation = vector["setup"], vector.get("script", {}), vector["operation"]
    plain = {"name", "order", "count", "in_cma", "pmd_maps", "pte_maps", "isolated", "dirty"}
    steps = {step["do"] for step in operation.get("steps", ())}
    used = {field for entry in setup.get("folios", ()) for field in entry}
    targets = [entry["folio"] for entry in script.get("targets", ())]
    return (
        vector["id"] != "A1a"  # a page that waits in a batch
        and not setup.get("options")
        and used <= plain | {"pins"}
        and {*script} <= {"strangers", "targets", "order9_targets", "events"}
        and not any("[" in name for name in targets)
        and operation.get("reason") != "numa_misplaced"
        and not steps & {"split", "putback", "unpin", "put", "restore_mappings"}
    )


def expectation(vector: Vector, version: str) -> dict[str, Any] | None:
    """What a vector expects of a version."""
    for expect in vector["expect"]:
        if expect["versions"] == "all" or version in expect["versions"]:
            return cast("dict[str, Any]", expect)
    return None


class Case(NamedTuple):
    """A vector that was run for a version, and what came of it."""

    vector: Vector
    version: str
    rows: list[Row]

    @property
    def wrong(self) -> list[Row]:
        """What differs."""
        return [row for row in self.rows if row[1] != row[2]]

    @property
    def untouched(self) -> bool:
        """Did the first thing that was asked for return nothing?"""
        return self.rows[0][2] is None


def run_case(
    group: str,
    vector: Vector,
    version: str,
    own: Functions,
    kernel: Any,
    fields: Sequence[str] = (),
) -> Case | None:
    """Run a vector; None if it says nothing of this version.  Raises Odd for odd values.

    `fields`: what is to be looked at, if not everything."""
    expect = expectation(vector, version)
    if expect is None:
        return None
    rows = RUNNERS[group](vector, expect, own, kernel)
    shown = [row for row in rows if not fields or row[0] in (*fields, "folio")]
    return Case(vector, version, shown)


# -- the page as a step finds it, for pictures


def before(vector: Vector, names: Functions) -> Folio:
    """A page of a vector as the step finds it, with everybody who refers to it."""
    operation = vector["operation"]
    if "steps" in operation:
        page = stepped(vector, names)
        isolated = any(step["do"] == "isolate" for step in operation["steps"])
    else:
        host = Host(vector, names["folio"], names["base"])
        page = max(host.memory, key=lambda page: page.refcount)
        isolated = vector["setup"]["folios"][0].get("isolated", False)
    others = page.refcount - page.cache - page.mapcount - isolated
    isolated = isolated or "reason" in operation
    held = tuple(pair for pair in ((ISOLATION, int(isolated)), ("holder", others)) if pair[1])
    maps = {"pmd_maps" if page.pages > 1 else "pte_maps": page.mapcount}
    refs = page.cache + page.mapcount + sum(n for _, n in held)
    order = page.pages.bit_length() - 1
    whole = Folio(page.name, page.name, 0, order, cached=bool(page.cache), refcount=refs, held=held)
    return whole._replace(**maps)


def alone(world: World, folio: Folio) -> World:
    """A world in which there is this folio."""
    world.add(CMA_PFN, folio)
    return world
