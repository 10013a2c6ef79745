"""What each atomic step is called: one table with a row for each operation.

A row of OPS says what a step will do (the label of a button), what it did (a sentence that names
the kernel's function once), and how its answers read.  A test fails when a step has no row.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from mmsim import errno
from mmsim.amounts import plural
from mmsim.constants import REASONS
from mmsim.engine.op import Op
from mmsim.engine.scenario import Event
from mmsim.engine.trace import Moment
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Folio, extra_pins_of
from mmsim.mm.page_ref import ME
from mmsim.mm.world import World, page_name
from mmsim.views.words import page_words, place, result_words, short_name, subject

_YES_NO = {True: "yes", False: "no"}

_PFNS = ("pfn", "src", "new", "dst", "old")
# A whole file and a place in it: the answer says what was found.  The others are for the reader
# of the model, who sees them where the step is yielded.
_NOT_SHOWN = ("file", "start", "skips_pte_mapped", "own")


@cache
def _parameters(run: Any) -> tuple[str, ...]:
    names = [p.name for p in inspect.signature(run).parameters.values()]
    return tuple(name for name in names[2:] if name != "choice")


def arguments(op: Op) -> dict[str, Any]:
    """The named arguments of a step, without the world, the actor and the choice."""
    return dict(zip(_parameters(op.kind.run), op.args, strict=False))


class Step:
    """One step with the worlds on both sides of it; a row of OPS may name its attributes."""

    def __init__(self, op: Op, before: World, after: World, answer: Any = None, choice: str = ""):
        self.a, self.given, self.answer, self.choice = op.args, arguments(op), answer, choice
        self.before, self.after = before, after
        entry = getattr(answer, "page", answer)
        self.found: Any = getattr(entry, "pfn", entry)  # the page frame that an answer names
        self.page, region = "the page", self.given.get("region")
        if region is not None:
            index = self.given["index"]
            self.pfn = before.find(region, index) or after.find(region, index)
            self.page = f"page {index} of {region}"
        else:
            self.pfn = next((self.given[name] for name in _PFNS if name in self.given), self.found)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def folio(self) -> Folio:
        """The folio that the step is about, before it."""
        return self.before.folios[self.pfn or 0]

    @property
    def it(self) -> str:
        """What people call that folio; a page that is not there yet has only a place."""
        if self.pfn in self.before.folios:
            return page_words(self.folio())
        return self.page if "region" in self.given else self._now(self.pfn)

    @property
    def got(self) -> str:
        """The folio that the step found or allocated."""
        return self._now(self.found)

    def _now(self, pfn: int | None) -> str:
        folio = self.after.folios.get(pfn or 0)
        return page_words(folio) if folio is not None else "a freed page"

    @property
    def count(self) -> str:
        """How the count of the folio moved, if it did."""
        old, new = (world.folios.get(self.pfn or 0) for world in (self.before, self.after))
        if old is None or new is None or old.refcount == new.refcount:
            return ""
        return f"its count goes from {old.refcount} to {new.refcount}"

    @property
    def pages(self) -> str:
        """So many pages as the step deals with."""
        told = self.given
        n: int = told.get("pages") or told.get("pins") or told["end"] - told["start"]
        return plural(n, "page")

    @property
    def some(self) -> str:
        """The references that the step takes or drops."""
        named = {
            ISOLATION: "the isolation's reference",
            NEW_PAGE: "the reference of its allocation",
        }
        who, refs = self.given.get("who", ""), self.given.get("refs", 1)
        return named.get(who) or ("a reference" if refs == 1 else plural(refs, "reference"))

    @property
    def area(self) -> str:
        """The memory that the folio lies in, or its new place does."""
        return place(self.after, self.given.get("dst", self.pfn or 0))


Telling = str | Callable[[Step], str]


class Wording(NamedTuple):
    """What a step does, as a command or as a question; the sentence about it is made from that.

    `then`: what came of it, if that is not how the count moved; `no`: the same if the answer is no,
    nothing or 0.  `function`: the
    kernel's, where the step has another name; None if there is none.  `reads`: how the answer
    reads in a table, where that is not plain.  `may`: what the environment may answer."""

    does: str
    then: Telling = ""
    no: Telling = ""
    function: str | None = ""
    reads: Callable[[Step], str] | None = None
    may: Mapping[str, str] = MappingProxyType({})


def _none(s: Step) -> str:
    return "none" if s.answer is None else _reads(s)


def _waited(s: Step) -> str:
    folio = s.folio()
    known = f"{folio.cache_refs + folio.mapcount + s.a[1]} are explained"
    found = "all are explained, so it goes on" if s.answer else known
    return f"there are {plural(folio.refcount, 'reference')}, {found}"


def _refused(s: Step) -> str:
    """How far the count is off."""
    folio = s.folio()
    extra = folio.refcount - extra_pins_of(folio) - 1 - folio.mapcount
    off = "too many" if extra > 0 else "too few"
    return f", {plural(abs(extra), 'reference')} {off}, so the split is refused"


def _fails(s: Step) -> str:
    return f"it fails with {errno.name(s.answer)}" if s.answer else ""


def _drained(s: Step) -> str:
    n = sum(map(len, s.before.batches.values())) - sum(map(len, s.after.batches.values()))
    return f"{plural(n, 'page')} left a batch"


def _mapped_where(s: Step) -> str:
    elsewhere = s.pfn is not None and s.after.folio(s.pfn).mapcount > 0
    return f"it is mapped {'only in other processes' if elsewhere else 'nowhere'}"


def _populated(s: Step) -> str:
    """How many pages, how large, and where."""
    region, first, pages = s.a[:3]
    found = (s.after.where.get((region, i)) for i in range(first, first + pages))
    kinds: dict[tuple[str, str], int] = {}
    for pfn in (pfn for pfn in found if pfn is not None):
        key = ("huge" if s.after.folio(pfn).is_thp else "single", place(s.after, pfn))
        kinds[key] = kinds.get(key, 0) + 1
    said = "; ".join(
        f"{plural(n, f'{size} page')}, in {where}" for (size, where), n in kinds.items()
    )
    short = "" if s.answer > 0 else "; then there is no free page any more"
    return f"{said or 'none of them can be had'}{short}"


def _batched(s: Step) -> str:
    names = ", ".join(short_name(s.after, pfn) for pfn in s.answer)
    return f"moves {names}" if names else "queued"


ENDS = ", so the split ends here"
OPS: dict[str, Wording] = {
    # references
    "folio_get": Wording("take {some} to {it}"),
    "folio_put": Wording(
        "drop {some} to {it}", lambda s: s.count or "that was the last one, and the page is freed"
    ),
    "folio_ref_count": Wording(
        "read the reference count of {it}",
        lambda s: f"it is {s.answer}" + ", the isolation alone: it was freed" * (s.answer == 1),
        reads=lambda s: str(s.answer),
    ),
    "folio_ref_freeze": Wording(
        "try to freeze the {a[1]} references to {it}",
        "there are exactly so many, and the count is 0 now",
        lambda s: f"there are {s.folio().refcount}, so the page stays as it is",
    ),
    "folio_ref_unfreeze": Wording("give the frozen references to {it} back"),
    # locks and the page cache
    "folio_trylock": Wording(
        "try to lock {it}",
        "nobody else has it",
        lambda s: f"{subject(s.folio().locked_by)} has it" if s.folio().locked_by else "no",
    ),
    "folio_lock": Wording("lock {it} as soon as it is free", "nobody else has the lock"),
    "folio_unlock": Wording("unlock {it}"),
    "folio_lock_by_name": Wording("look {it} up and lock it", function="filemap_lock_folio"),
    "folio_test_writeback": Wording("is {it} being written back?"),
    "folio_wait_writeback": Wording("wait until {it} has been written back"),
    "folio_mapping": Wording("does {it} still belong to its file?", no=", so it is not split"),
    "filemap_release_folio": Wording("may the file's private data of {it} go?", no=ENDS),
    "__remove_mapping": Wording(
        "take {it} out of its file",
        "it is freed with the last reference",
    ),
    "truncate_inode_folio": Wording("cut {it} off its file", "the page cache lets go of it"),
    "mapping_empty": Wording("is the page cache of the file empty?"),
    "find_get_entry": Wording(
        "ask for a reference to the next page of the file",
        "it is {got}, {count}",
        "there is no more",
        reads=_none,
    ),
    "folio_test_dirty": Wording("has {it} been written to?"),
    "folio_mark_dirty": Wording("mark {it} as written to"),
    "xas_load": Wording("is {it} still in the page cache?", no=ENDS),
    # splitting
    "folio_kind": Wording(
        "ask what kind of memory {it} is",
        lambda s: f"it is {s.answer.replace('_', ' ')} memory",
        function="folio_test_anon",
    ),
    "folio_get_anon_vma": Wording(
        "ask for the anon_vma of {it}", "there is one", "there is none, because nothing maps it"
    ),
    "xas_split_alloc": Wording(
        "ask for page-cache nodes for the pieces of {it}",
        "they are there",
        "there is no memory" + ENDS,
        may={"ok": "there is memory", "nomem": "there is none"},
    ),
    "can_split_folio": Wording(
        "are all references to {it} known?",
        ", so the split goes on",
        _refused,
        reads=lambda s: "no" if s.answer is None else "yes",
    ),
    "folio_test_partially_mapped": Wording(
        "is {it} queued to be split, because a part was unmapped?"
    ),
    "unmap_folio": Wording("remove the mappings of {it}"),
    "remap_page": Wording(
        "give {it} its mappings back",
        lambda s: s.count or "nothing to do, mappings of a file stay away",
    ),
    "folio_expected_ref_count": Wording("look at the count of {it}", _waited, _waited, None),
    "__split_huge_page": Wording(
        "cut {it} into pieces",
        lambda s: f"each of {plural(len(s.answer), 'single page')} has a count of its own now",
        reads=lambda s: f"{len(s.answer)} pieces",
    ),
    # moving
    "alloc_migration_target": Wording(
        "ask for a new place for {it}",
        lambda s: f"it gets {s.got} in {place(s.after, s.answer)}",
        "none is free",
        may={"ok": "there is one", "fail": "there is none"},
    ),
    "folio_mapped": Wording("is {it} mapped?"),
    "try_to_migrate": Wording("replace the mappings of {it} by migration entries"),
    "folio_expected_refs": Wording(
        "ask how many references {it} may have",
        lambda s: _fails(s) if s.answer < 0 else f"it will accept exactly {s.answer}",
        function="move_to_new_folio",
        reads=lambda s: errno.name(s.answer) if s.answer < 0 else f"expect {s.answer}",
        may={"ok": "the file agrees"},
    ),
    "folio_migrate_mapping": Wording(
        "let the new page take the place of {it}",
        "it lies in {area} and has the name, the page-cache references and the contents now",
    ),
    "remove_migration_ptes": Wording("map {it} again"),
    "putback_lru_page": Wording("put {it} back on its LRU list", "the isolation ends"),
    "next_migratable": Wording(
        "look for the next page to move",
        "it is {got}",
        "there is none any more",
        "isolate_migratepages_range",
    ),
    # LRU lists and batches
    "folio_isolate_lru": Wording("isolate {it} from its LRU list", "", "it was on none"),
    "isolate_by_name": Wording(
        "isolate {it} from its LRU list", "", "it was on none", "folio_isolate_lru"
    ),
    "folio_test_lru": Wording("is {it} on an LRU list?"),
    "folio_test_clear_lru": Wording(
        "take {it} off its list for another one",
        "nobody can isolate it meanwhile",
        "it was on none",
    ),
    "folio_add_lru": Wording(
        "queue {it} for an LRU list",
        lambda s: (
            "it goes straight there"
            if s.after.folios[s.a[0]].lru
            else "a batch may hold it for a while"
        ),
    ),
    "folio_batch_add": Wording(
        "queue {it} in this CPU's batch",
        "the batch has to be emptied now",
        "the batch keeps a reference",
        "folio_batch_add_and_move",
        _batched,
    ),
    "folios_put": Wording("drop the references of the batch"),
    "lru_add_drain": Wording("empty the batches of this CPU", _drained),
    "lru_add_drain_all": Wording("empty the batches of every CPU", _drained),
    "lru_cache_disable": Wording("empty the batches of every CPU and use none for now", _drained),
    "lru_cache_enable": Wording("use batches again"),
    "lru_deactivate_file_fn": Wording("move {it} to the inactive list", "unless it is mapped"),
    "cond_resched": Wording("offer the CPU to others"),
    # pinning and mapping
    "follow_page_mask": Wording(
        "try to pin {it}",
        lambda s: f"it pins {plural(s.answer.pins, 'page')}, {s.count}",
        _mapped_where,
        reads=_none,
    ),
    "gup_put_folio": Wording("unpin {pages} of {it}"),
    "pin_by_name": Wording("pin {it}", "", "there is no such page", "pin_user_pages"),
    "unpin_by_pfn": Wording("unpin {it}", "", function="unpin_user_page"),
    "is_longterm_pinnable_page": Wording("may {it} stay where it is?", no=", it lies in {area}"),
    "handle_mm_fault": Wording(
        "map {it} by a page fault",
        lambda s: f"{_fails(s)}, because the file has no such page",
        "that takes one reference",
    ),
    "touch": Wording(
        "use {page}", "it is mapped, no fault", "it is not mapped: a page fault", None
    ),
    "finish_fault": Wording(
        "map {it}", "its reference is the mapping's now", "it need not be mapped, or is gone"
    ),
    "map_in_another_process": Wording("map {it} in one more process", "", function="do_read_fault"),
    "shmem_alloc_and_acct_folio": Wording(
        "allocate a page for the file", "{got}, with one reference", "there is no memory for it"
    ),
    "shmem_add_to_page_cache": Wording("put {it} into its file"),
    "do_anonymous_page": Wording(
        "allocate and map a page of no file", "{got}; the one reference is the mapping's"
    ),
    "populate_range": Wording(
        "touch {pages} of the guest's memory", _populated, _populated, "populate_vma_page_range"
    ),
    "io_in_flight": Wording("wait for the device", "nothing changes", function=None),
    "pfn_to_folios": Wording(
        "look up whose pages are pinned",
        lambda s: f"there are {plural(len(s.answer), 'folio')}",
        function=None,
    ),
    # counters
    "count_vm_events": Wording(
        "count what happened",
        lambda s: ", ".join(f"{n:+d} {name}" for name, n in s.a if n) or "nothing to add",
    ),
    "trace_mm_migrate_pages_start": Wording(
        "report that the move starts", lambda s: f"reason {REASONS[s.a[1]].replace('_', ' ')}"
    ),
    "trace_mm_migrate_pages": Wording(
        "report how the move went",
        "of the pages {a[0]} moved, {a[1]} not; of the huge pages {a[2]} moved, {a[3]} failed, "
        "{a[4]} split",
    ),
    # taking CMA memory back
    "start_isolate_page_range": Wording("close {pages} from {a[0]:#x} on to new allocations"),
    "undo_isolate_page_range": Wording("open the range from {a[0]:#x} on again"),
    "test_pages_isolated": Wording("is the range empty?", no=", so the owner can't have it"),
    "isolate_freepages_range": Wording("take the {pages} of the range"),
    # VFIO
    "iommu_mutex_lock": Wording("take VFIO's lock", function="mutex_lock"),
    "iommu_mutex_unlock": Wording("give VFIO's lock back", function="mutex_unlock"),
    "vfio_find_dma": Wording("is a part of the range mapped already?"),
    "vfio_dma_avail": Wording("is one more mapping allowed?", function=None),
    "vfio_iommu_iova_dma_valid": Wording("can the device use these addresses?"),
    "vfio_link_dma": Wording("put a new mapping on VFIO's list", "", "there is no memory for it"),
    "vfio_unlink_dma": Wording("take its mapping off VFIO's list", "nothing is left of it"),
    "vfio_batch_init": Wording(
        "get room for a batch of pages", "{answer} pages", reads=lambda s: str(s.answer)
    ),
    "vfio_lock_acct": Wording("count {a[0]:+d} pages as locked memory", _fails),
    "vfio_dma_grow": Wording("note that its mapping has {pages} more", function=None),
    "memlock_allows": Wording("may it lock {pages} more?", function=None),
    "iommu_map": Wording("let the device reach {pages}", _fails),
    "iommu_unmap": Wording(
        "take the pages away from the device", lambda s: plural(s.answer.pages, "page")
    ),
}


# -- a step in words


def _row(op: Op) -> Wording:
    """Only steps of a test have no row."""
    return OPS.get(op.kind.name) or Wording(f"take the step {op.kind.name}()", function=None)


def intent(world: World, op: Op, choice: str = "") -> str:
    """What this step is about to do, in a few words without the kernel's name, for a button.

    `choice`: what the environment answers."""
    row = _row(op)
    answer = f": {row.may.get(choice, choice)}" if choice else ""
    return row.does.format_map(Step(op, world, world)) + answer


def _step(event: Event, moment: Moment) -> Step:
    return Step(event.op, moment.before.world, moment.world, event.answer, event.choice)


def sentence(moment: Moment) -> str:
    """What the step that led here did, in one sentence."""
    event = moment.event
    if event is None:
        return _opening(moment.world)
    who = subject(event.actor)
    said = _did(event.op, _step(event, moment))
    local = moment.local(event.actor)
    if local.finished and local.result is not None:
        result = result_words(moment.scenario, moment.after, event.actor)
        said += f"; with that it returns {result}"
    return f"{who[0].upper()}{who[1:]} {said}."


def _did(op: Op, s: Step) -> str:
    row = _row(op)
    does = row.does.format_map(s)
    function = None if row.function is None else f"{row.function or op.kind.name}()"
    asks = does.endswith("?")
    answer = row.reads(s) if asks and row.reads else _YES_NO[bool(s.answer)]
    refused = answer == "no" if asks else not s.answer
    told = row.no if row.no and refused else row.then
    then = (told(s) if callable(told) else told.format_map(s)) or ("" if asks else s.count)
    if asks:
        return f"asks: {does} {function + ' says ' if function else 'The answer is '}{answer}{then}"
    # The verbs of a command stand first, and after its "and".
    does = re.sub(r"^\w+|(?<= and )\w+", lambda verb: _third_person(verb[0]), does)
    return f"{does}{f' with {function}' if function else ''}{': ' if then else ''}{then}"


def _third_person(verb: str) -> str:
    if verb.endswith("y"):
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("ch", "sh", "s", "x")) else "s")


def _opening(world: World) -> str:
    huge = [folio for folio in world.folios.values() if folio.is_thp and folio.name]
    if not huge:
        return "Before the first step: nobody has moved yet."
    counts = f"{huge[0].refcount} references"
    has = f"have {counts} each" if len(huge) > 1 else f"has {counts}"
    names = ", ".join(map(page_words, huge))
    return f"Before the first step: {names} {has}, and nobody has moved yet."


def call(moment: Moment) -> str:
    """The step as a call and its answer, with names instead of page frame numbers."""
    event = moment.event
    assert event is not None
    step = _step(event, moment)
    answer = (_row(event.op).reads or _reads)(step)
    return _called(event.op, event.actor, step) + (f" = {answer}" if answer else "")


def _called(op: Op, actor: str, s: Step) -> str:
    name, given = op.kind.name, s.given
    if name == "count_vm_events":
        return f"{name}({', '.join(f'{what} {n:+d}' for what, n in op.args if n)})"
    if name.startswith("trace_"):
        return name
    if "region" in given and "index" in given:
        region, index = given["region"], given["index"]
        folio = s.before.folios.get(s.before.find(region, index) or 0)
        if folio is not None and not folio.is_thp:
            return f"{name}({folio.name})"
        return f"{name}({page_name(region, index) if index else region})"
    shown = [
        short_name(s.before if value in s.before.folios else s.after, value)
        if what in _PFNS
        else (hex if what == "end" else str)(value)
        for what, value in given.items()
        if what not in _NOT_SHOWN
        and (what, value) != ("refs", 1)
        and not (what == "who" and value in (ME, actor))
    ]
    return f"{name}({', '.join(shown)})"


def _reads(s: Step) -> str:
    """How an answer reads if its row says nothing else."""
    answer = s.answer
    if answer is None:
        return "none" if s.choice else ""
    if isinstance(answer, bool):
        return _YES_NO[answer]
    if isinstance(answer, int):
        if answer in s.after.folios:
            return "" if "region" in s.given else short_name(s.after, answer).removesuffix(" page")
        return errno.name(answer) if answer < 0 else str(answer)
    if hasattr(answer, "pins"):
        return f"{answer.pins} pinned"
    if hasattr(answer, "page"):
        return short_name(s.after, answer.page.pfn)
    return str(answer)
