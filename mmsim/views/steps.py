"""What the longer sentences about a step say.

Interface: Step, and one function for each step whose sentence depends on how it went
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mmsim import errno
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Folio
from mmsim.mm.world import World
from mmsim.views.names import folio_name, place, plural, subject


class Step(NamedTuple):
    """One step with the worlds on both sides of it."""

    who: str
    a: tuple[Any, ...]
    answer: Any
    outcome: str
    before: World
    after: World

    def it(self, i: int = 0) -> str:
        """The folio that argument `i` names by its pfn."""
        world = self.before if self.a[i] in self.before.folios else self.after
        return folio_name(world, self.a[i])

    def old(self, pfn: int | None = None) -> Folio:
        """The folio before the step."""
        return self.before.folios[self.a[0] if pfn is None else pfn]

    def refs(self, pfn: int | None = None) -> str:
        """How the reference count of a folio moved."""
        pfn = self.a[0] if pfn is None else pfn
        old, new = self.before.folios.get(pfn), self.after.folios.get(pfn)
        if old is None or new is None:
            return ""
        return f"its count goes from {old.refcount} to {new.refcount}"

    def named(self) -> str:
        """The folio of page (region, index), which are arguments 0 and 1."""
        pfn = self.before.find(self.a[0], self.a[1])
        return f"page {self.a[1]} of {self.a[0]}" if pfn is None else folio_name(self.before, pfn)


def yes(s: Step, question: str, yes: str, no: str) -> str:
    """A question with two answers."""
    return f"{s.who} asks {question}: {yes if s.answer else no}"


def ref_count(s: Step) -> str:
    """folio_ref_count."""
    only = ", which is the isolation alone: the page was freed meanwhile" if s.answer == 1 else ""
    return (
        f"{s.who} reads the reference count of {s.it()}: folio_ref_count() answers {s.answer}{only}"
    )


def explained(s: Step) -> str:
    """references_explained: one look of a policy that waits."""
    folio = s.old()
    known = folio.cache_refs + folio.mapcount + 1
    found = "they are all explained, so it goes on" if s.answer else f"{known} are explained"
    return f"{s.who} waits and looks at {s.it()}: {plural(folio.refcount, 'reference')}, {found}"


def freeze(s: Step) -> str:
    """folio_ref_freeze: both sides of the comparison."""
    found, expected = s.old().refcount, s.a[1]
    start = f"{s.who} tries to claim all references of {s.it()} at once: folio_ref_freeze()"
    if s.answer:
        return f"{start} found exactly the {expected} it expected and set the count to 0"
    return f"{start} expected {expected} and found {found}, so the page stays as it is"


def put(s: Step) -> str:
    """folio_put: in whose name."""
    _, holder, refs = s.a
    what = {ISOLATION: "the isolation's reference", NEW_PAGE: "the reference of its allocation"}
    words = what.get(holder, plural(refs, "reference"))
    end = s.refs() or "that was the last one, and the page is freed"
    return f"{s.who} drops {words} on {s.it()} with folio_put(): {end}"


def found(s: Step) -> str:
    """find_get_entry, mapping_get_entry: a look-up that takes a reference, or finds nothing."""
    name = "find_get_entry()" if isinstance(s.a[0], tuple) else "mapping_get_entry()"
    if s.answer is None:
        return f"{s.who} looks for a page in the page cache: {name} finds no more"
    pfn = s.answer if isinstance(s.answer, int) else s.answer.page.pfn
    return f"{s.who} finds {folio_name(s.after, pfn)} with {name}: {s.refs(pfn)}"


def get(s: Step) -> str:
    """folio_get."""
    name = folio_name(s.before, s.answer)
    refs = plural(s.a[2], "reference")
    return f"{s.who} takes {refs} on {name} with folio_get(): {s.refs(s.answer)}"


def can_split(s: Step) -> str:
    """can_split_folio: how far the count is off."""
    folio = s.old()
    ask = f"{s.who} asks whether {s.it()} can be split: can_split_folio()"
    if s.answer is not None:
        return f"{ask} finds no reference that it can't explain, so the split goes on"
    extra = folio.refcount - folio.nr_pages - 1 - folio.mapcount
    if extra > 0:
        return f"{ask} finds {plural(extra, 'reference')} too many, so the split is refused"
    return f"{ask} finds {plural(-extra, 'reference')} too few, so the split is refused"


def target(s: Step) -> str:
    """alloc_migration_target."""
    kind = "huge page" if s.old().is_thp else "page"
    ask = f"{s.who} asks for a new {kind} to move {s.it()} to: alloc_migration_target()"
    if s.answer is None:
        return f"{ask} finds none that is free"
    return f"{ask} gives one in {place(s.after, s.answer)}"


def begin(s: Step) -> str:
    """folio_expected_refs."""
    expected = s.answer
    if expected < 0:
        failed = f"move_to_new_folio() fails with {errno.name(expected)}"
        return f"{s.who} asks the file how to move {s.it()}: {failed}"
    return (
        f"{s.who} works out how many references {s.it()} may have: move_to_new_folio() will accept "
        f"exactly {expected}"
    )


def moved(s: Step) -> str:
    """folio_migrate_mapping."""
    return (
        f"{s.who} hands {s.it()} over to its new place in {place(s.after, s.a[1])}: "
        "folio_migrate_mapping() gives it the name, the page-cache references and the contents"
    )


def follow(s: Step) -> str:
    """follow_page_mask."""
    if s.answer is None:
        page = f"page {s.a[1]} of {s.a[0]}"
        pfn = s.after.find(*s.a[:2])
        elsewhere = pfn is not None and s.after.folio(pfn).mapcount > 0
        where = "only in other processes" if elsewhere else "nowhere"
        return f"{s.who} looks for {page}: follow_page_mask() finds it mapped {where}"
    name = folio_name(s.after, s.answer.page.pfn)
    return (
        f"{s.who} pins {plural(s.answer.pins, 'page')} of {name} with follow_page_mask(): "
        f"{s.refs(s.answer.page.pfn)}"
    )


def fault(s: Step) -> str:
    """handle_mm_fault."""
    if s.answer:
        return (
            f"{s.who} touches page {s.a[1]} of {s.a[0]}: handle_mm_fault() answers "
            f"{errno.name(s.answer)}, because the file has no such page"
        )
    return (
        f"{s.who} faults {s.named()} in again: handle_mm_fault() maps it, which takes one reference"
    )


def mapped_too(s: Step) -> str:
    """map_in_another_process."""
    return f"{s.who} maps {s.named()} too with do_read_fault(): {s.refs(s.after.find(*s.a))}"


def allocated(s: Step) -> str:
    """shmem_alloc_and_acct_folio."""
    if s.answer is None:
        return f"{s.who} touches {s.a[0]}: shmem_alloc_and_acct_folio() finds no memory for it"
    return (
        f"{s.who} touches {s.a[0]} first: shmem_alloc_and_acct_folio() allocates "
        f"{folio_name(s.after, s.answer)}, with one reference"
    )


def anonymous(s: Step) -> str:
    """do_anonymous_page."""
    return (
        f"{s.who} touches {s.a[0]} for the first time: do_anonymous_page() allocates and maps "
        f"{folio_name(s.after, s.answer)}; the one reference is the mapping's"
    )


def counted(s: Step) -> str:
    """count_vm_events."""
    moved = [f"{n:+d} {name}" for name, n in s.a if n]
    counted = ", ".join(moved) or "nothing to add"
    return f"{s.who} counts what happened with count_vm_events(): {counted}"


def split(s: Step) -> str:
    """__split_huge_page."""
    return (
        f"{s.who} cuts {s.it()} into {plural(len(s.answer), 'single page')} with "
        "__split_huge_page(): from now on each piece has a count of its own"
    )


def unmap(s: Step) -> str:
    """unmap_folio."""
    return f"{s.who} removes every mapping of {s.it()} with unmap_folio(): {s.refs()}"


def isolate(s: Step) -> str:
    """folio_isolate_lru."""
    start = f"{s.who} takes {s.it()} off its LRU list with folio_isolate_lru()"
    return f"{start}: {s.refs()}" if s.answer else f"{start}, but it was on none"


def isolate_by_name(s: Step) -> str:
    """isolate_by_name."""
    start = f"{s.who} takes {s.named()} off its LRU list with folio_isolate_lru()"
    return (
        f"{start}: {s.refs(s.answer)}" if s.answer is not None else f"{start}, but it was on none"
    )


def tracepoint(s: Step) -> str:
    """trace_mm_migrate_pages."""
    return (
        f"{s.who} reports through the tracepoint trace_mm_migrate_pages(): "
        f"{plural(s.a[0], 'page')} moved, {s.a[1]} not; "
        f"of the huge pages {s.a[2]} moved, {s.a[3]} failed, {s.a[4]} split"
    )


def remap_after_move(s: Step) -> str:
    """remove_migration_ptes: of the same folio, or of its destination."""
    if s.a[0] == s.a[1]:
        return f"{s.who} gives {s.it()} its mappings back with remove_migration_ptes(): {s.refs()}"
    return f"{s.who} maps {s.it(1)} at its new place with remove_migration_ptes(): {s.refs(s.a[1])}"


def remap(s: Step) -> str:
    """remap_page: nothing to do for files."""
    if s.old().refcount != s.after.folios[s.a[0]].refcount:
        return f"{s.who} gives {s.it()} its mappings back with remap_page(): {s.refs()}"
    return f"{s.who} calls remap_page() for {s.it()}: nothing to do, mappings of a file stay away"


def truncate(s: Step) -> str:
    """truncate_inode_folio."""
    start = f"{s.who} takes {s.named()} out of its file with truncate_inode_folio()"
    return f"{start}: the page cache lets go of it"


def pin_by_name(s: Step) -> str:
    """pin_by_name."""
    if s.answer is None:
        return f"{s.who} wants to pin {s.named()} with pin_user_pages(), but there is no such page"
    return f"{s.who} pins {s.named()} with pin_user_pages(): {s.refs(s.answer)}"


def drained(s: Step, where: str, function: str) -> str:
    """Both kinds of drain."""
    n = sum(map(len, s.before.batches.values())) - sum(map(len, s.after.batches.values()))
    return f"{s.who} empties {where} with {function}(): {plural(n, 'page')} left a batch"


def trylock(s: Step) -> str:
    """folio_trylock."""
    no = f"no, {subject(s.old().locked_by)} has it" if s.old().locked_by else "no"
    answer = "yes" if s.answer else no
    return f"{s.who} tries to take the lock of {s.it()}: folio_trylock() says {answer}"


def populated(s: Step) -> str:
    """populate_range: how many pages, how large, and where."""
    region, first, pages = s.a[:3]
    new = [
        (pfn, s.after.folio(pfn))
        for pfn in (s.after.where.get((region, i)) for i in range(first, first + pages))
        if pfn is not None
    ]
    places = dict.fromkeys((folio.is_thp, place(s.after, pfn)) for pfn, folio in new)
    count = {
        key: sum((folio.is_thp, place(s.after, pfn)) == key for pfn, folio in new) for key in places
    }
    said = [
        f"{plural(n, 'huge page' if huge else 'single page')}, in {where}"
        for (huge, where), n in count.items()
    ]
    short = "" if s.answer > 0 else "; then there is no free page any more"
    return (
        f"{s.who} touches {plural(pages, 'page')} of its memory for the first time with "
        f"populate_vma_page_range(): {'; '.join(said) or 'none of them can be had'}{short}"
    )
