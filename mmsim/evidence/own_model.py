"""Conformance vectors run on a small model that somebody else wrote, as plain functions.

Interface: Row, Unwritten, answered, run_vector, vectors, before

The functions and what they may ask of their host are described in the text of lesson 12: `folio`,
`unmap`, `can_split`, `freeze`, `split` and `migrate_pages`.  A page is an object with
ATTRIBUTES.  Of the counters only those in COUNTERS are compared.

Left out: pages that others than the page cache and mappings refer to when they are made,
destinations that are there at some requests only, and rounds of a pin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from operator import itemgetter
from typing import Any

from mmsim import datafiles, errno
from mmsim.constants import ANON
from mmsim.errors import shown
from mmsim.evidence.vectors import Vector, position
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.scenarios.policy import PolicyError
from mmsim.scenarios.script import SITES

PLACES = {"visit": "visit", "check": "split.check", "freeze": "split.freeze"}
COUNTERS = ("thp_migration_fail", "thp_split_page", "thp_split_page_failed")
ATTRIBUTES = ("name", "pages", "cache", "mapcount", "refcount", "in_cma")

Functions = Mapping[str, Any]


class Odd(PolicyError):
    """A function returned what it should not; the message says what."""


class Unwritten(Odd):
    """A function is as it was given to the learner."""


def arrivals(script: dict[str, Any]) -> list[tuple[tuple[int, ...], str, int | None]]:
    """All that others do, the earliest first: when, to which page, how many references more.

    None: the page is truncated."""
    found: list[tuple[tuple[int, ...], str, int | None]] = []
    for one in script.get("strangers", ()):
        name, refs = one["folio"], one.get("refs", 1)
        found.append((position(one["from"]) if "from" in one else (), name, refs))
        if "to" in one:
            found.append((position(one["to"]), name, -refs))
    found += [(position(one["at"]), one["folio"], None) for one in script.get("events", ())]
    return sorted(found, key=itemgetter(0))


class Host:
    """Everything but the learner's code, as the script of a vector wants it."""

    def __init__(self, vector: Vector, make: Callable[..., Any], kernel: Any) -> None:
        script, entries = vector.get("script", {}), vector["setup"]["folios"]
        self.kernel, self.vmstat, self.memory = kernel, Counter[str](), list[Any]()
        self.visits, self.last = Counter[str](), ""
        self.pending = arrivals(script)
        # The pages that find no destination.
        self.stay = {entry["folio"] for entry in script.get("targets", ())}
        if script.get("order9_targets") == "none":
            self.stay = {entry["name"] for entry in entries if entry["order"]}
        for entry in entries:
            page = made(make, entry["name"], 1 << entry["order"], entry.get("pmd_maps", 1))
            page.refcount += entry.get("isolated", False)
            self.memory.append(page)
            self._arrive(page, ())

    def meanwhile(self, place: str, page: Any) -> None:
        """Others act here, if the script says so."""
        if place not in PLACES:
            raise ValueError(f"no place {place!r}; there are {', '.join(PLACES)}")
        self.visits[page.name] += place == "visit"
        of_a_move = place == "freeze" and self.last != "check"
        site = "move.freeze" if of_a_move else PLACES[place]
        self.last = place
        pass_ = max(self.visits[page.name] - 1, 0)
        self._arrive(page, (0, 1 + _is_piece(page.name), pass_, SITES.index(site)))

    def _arrive(self, page: Any, now: tuple[int, ...]) -> None:
        for event in list(self.pending):
            at, name, refs = event
            if name != page.name or at > now:
                continue
            if refs is None:
                page.refcount -= page.cache + page.mapcount
                page.cache = page.mapcount = 0
            elif page.refcount:
                page.refcount += refs
            else:  # it is frozen
                continue
            self.pending.remove(event)

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


def made(make: Callable[..., Any], name: str, pages: int, maps: int) -> Any:
    """A page made by the learner's `folio`, with all that the others need to know of it."""
    page = make(name, pages, maps)
    if page is None:
        raise Unwritten("folio() returns nothing")
    if getattr(page, "refcount", 0) is ...:
        raise Unwritten("folio() has dots in it")
    for attribute in ATTRIBUTES:
        if not hasattr(page, attribute):
            raise Odd(f"the page that folio() returns has no {attribute}")
    return page


def answered(what: str, kind: type, wanted: str, answer: Any) -> Any:
    """What a function returned, if it is of this kind; raises Odd."""
    if answer is None:
        raise Unwritten(f"{what}() returns nothing")
    if type(answer) is not kind:
        raise Odd(f"{what}() returned {shown(answer, 40, quoted=True)}; it should return {wanted}")
    return answer


def _code(what: str, rc: Any) -> Any:
    """What a function returned, as vectors write it."""
    return errno.code(answered(what, int, "0 or another whole number", rc))


def _yes_no(what: str, own: Functions, page: Any) -> Any:
    return answered(what, bool, "True or False", own[what](page))


# -- the groups of vectors, run with the learner's functions

Row = tuple[str, Any, Any]
"""What is looked at, what the vector expects, and what was found."""


def seen(host: Host, expect: dict[str, Any]) -> list[Row]:
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


def stepped(vector: Vector, own: Functions) -> Any:
    """The page after the steps of a vector."""
    steps: list[dict[str, Any]] = vector["operation"]["steps"]
    page: Any = None
    for step in steps:
        do = step["do"]
        if do == "create":
            more = sum(s.get("times", 1) for s in steps if s["do"].startswith("map_"))
            maps = step.get("pmd_maps", 1) + more
            page = made(own["folio"], step["folio"], 1 << step["order"], maps)
            if step.get("kind") == ANON:
                page.cache, page.refcount = 0, page.refcount - page.pages
        elif do in ("get", "isolate"):
            page.refcount += step.get("times", 1)
        elif do.startswith("unmap"):
            own["unmap"](page)
    return page


def run_refcount(vector: Vector, expect: dict[str, Any], own: Functions, kernel: Any) -> list[Row]:
    """Steps on one page, and then what its count allows."""
    page = stepped(vector, own)
    fields = expect["folios"][page.name]
    rows: list[Row] = [
        ("ref", fields["ref"], page.refcount),
        ("mapcount", fields["mapcount"], page.mapcount),
    ]
    if "can_split" in fields:
        rows.append(("can_split", fields["can_split"], _yes_no("can_split", own, page)))
    free = fields["migration_freeze_ok"]
    # A page that is still mapped, or not isolated, is not asked.
    if free == (fields["ref"] == fields["migration_expects"]):
        rows.append(("freeze", free, _yes_no("freeze", own, page)))
        rows.append(("refcount after freeze", 0 if free else fields["ref"], page.refcount))
    return rows


def run_split(vector: Vector, expect: dict[str, Any], own: Functions, kernel: Any) -> list[Row]:
    """One page, several attempts."""
    host, pieces, results = Host(vector, own["folio"], kernel), list[Any](), list[Any]()
    page = host.memory[0]
    while len(results) < vector["operation"]["times"] and 0 not in results:
        host.meanwhile("visit", page)
        results.append(_code("split", own["split"](page, pieces, host)))
    rows: list[Row] = [("results", expect["results"], results)]
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
    rc = _code("migrate_pages", own["migrate_pages"](todo, reason, host))
    rows: list[Row] = [
        ("passes", expect["passes"], host.passes()),
        ("rc", expect["rc"], rc),
        ("left", expect["left"], len(todo)),
    ]
    return rows + seen(host, expect)


RUNNERS = {"refcount": run_refcount, "split": run_split, "migrate_pages": run_migrate}


@cache
def vectors(group: str) -> dict[str, Vector]:
    """The vectors of a group, by their ids."""
    text = datafiles.path(f"conformance/{group}.json").read_text(encoding="utf-8")
    return {vector["id"]: vector for vector in json.loads(text)["vectors"]}


def run_vector(group: str, vector: Vector, version: str, own: Functions, kernel: Any) -> list[Row]:
    """What comes out otherwise than a vector expects of a version; a found True is no 1.

    Raises Odd for odd values."""
    return [
        row
        for expect in vector["expect"]
        if expect["versions"] == "all" or version in expect["versions"]
        for row in RUNNERS[group](vector, expect, own, kernel)
        if row[1] != row[2] or isinstance(row[2], bool) > isinstance(row[1], bool)
    ]


def before(vector: Vector, own: Functions) -> Folio:
    """A page of a vector as a step finds it, with everybody who refers to it, for its picture."""
    operation = vector["operation"]
    isolated = True
    if "steps" in operation:
        page = stepped(vector, own)
        isolated = any(step["do"] == "isolate" for step in operation["steps"])
    else:
        page = max(Host(vector, own["folio"], None).memory, key=lambda page: page.refcount)
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
