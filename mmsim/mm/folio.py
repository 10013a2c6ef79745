"""A folio: one page, or one huge page, with everything that can keep it from moving.

Mirrors struct folio (include/linux/mm_types.h).  `refcount` is the number the kernel sees.  `held`
is what the kernel does not keep: who has each reference that is neither the page cache's nor a
mapping's. `World.check` holds the two against each other after every step."""

from __future__ import annotations

from typing import Any, NamedTuple

from mmsim.constants import ANON, SHMEM

ISOLATION = "isolation"
NEW_PAGE = "new page"


class Page(NamedTuple):
    """A folio as an entry of a list of pages: where it starts, and how many base pages it has."""

    pfn: int
    nr: int

    @property
    def is_thp(self) -> bool:
        """A transparent huge page."""
        return self.nr > 1

    def __str__(self) -> str:
        return f"{self.pfn:#x}+{self.nr}"


class Extent(NamedTuple):
    """A stretch of user memory, or of a file: `pages` pages of a region, from `first` on."""

    region: str
    pages: int
    first: int = 0


class Folio(NamedTuple):
    """One folio of `1 << order` base pages.

    `name` is what a person calls the data in it: "A", or "A[17]" for a piece of the huge page A.
    `region` and `index` say the same to the page tables.  A folio that moves hands on all three."""

    name: str
    region: str
    index: int  # type: ignore[assignment]  # the kernel's name; it hides tuple.index
    order: int
    kind: str = SHMEM
    refcount: int = 1
    held: tuple[tuple[str, int], ...] = ()
    mapping: bool = True
    """Belongs to a file or an anon_vma; False once truncated."""
    cached: bool = True
    """In the page cache or swap cache: one reference per base page."""
    pmd_maps: int = 0
    pte_maps: int = 0
    migration_entries: tuple[int, int] = (0, 0)
    """PMD and PTE entries that wait for the end of a migration."""
    deferred_split: bool = False
    """On the deferred split queue.  Kernel: page_deferred_list is not empty."""
    pincount: int = 0
    """FOLL_PINs.  The kernel keeps this number for large folios only."""
    lru: bool = True
    active: bool = False
    referenced: bool = False
    dirty: bool = True
    writeback: bool = False
    locked_by: str = ""
    pages_inside_file: int = 0
    """Where the file ends inside this folio; 0: beyond it."""
    had_target: bool = False
    """A huge page whose last request for a destination found one.  The kernel keeps no such flag;
    it tells a page that could not be moved from one that could not be split."""

    @property
    def nr_pages(self) -> int:
        """Base pages."""
        return 1 << self.order

    @property
    def is_thp(self) -> bool:
        """A transparent huge page."""
        return self.order > 0

    @property
    def mapcount(self) -> int:
        """Mappings; a PMD counts one, like a PTE (folio_mapcount() of a file THP)."""
        return self.pmd_maps + self.pte_maps

    @property
    def cache_refs(self) -> int:
        """References of the page cache or swap cache."""
        return self.nr_pages if self.cached else 0

    @property
    def owned(self) -> int:
        """References that have an owner: what `refcount` is while it is not frozen at 0."""
        return self.cache_refs + self.mapcount + sum(n for _, n in self.held)


def new_folio(
    order: int, kind: str, locked_by: str, name: str = "", region: str = "", index: int = 0
) -> Folio:
    """A folio just allocated: on no list, in no file, with the one reference of its allocation.

    Whoever allocates it locks it, and unlocks it when that reference goes (`World.drop`)."""
    made = Folio(name, region, index, order, kind, held=((NEW_PAGE, 1),), locked_by=locked_by)
    return replace(made, mapping=False, cached=False, lru=False, dirty=False)


_FIELD = {name: number for number, name in enumerate(Folio._fields)}


def replace(folio: Folio, **changes: Any) -> Folio:
    """Like `folio._replace(**changes)`, several times faster: most steps of a run end here."""
    values = list(folio)
    for name, value in changes.items():
        values[_FIELD[name]] = value
    return tuple.__new__(Folio, values)


def expected_refs(folio: Folio) -> int:
    """What migration expects of an unmapped folio: the value behind folio_expected_refs()."""
    return 1 + folio.cache_refs


def extra_pins_of(folio: Folio) -> int:
    """Cache references that a split allows for: the value behind can_split_folio()."""
    if folio.kind == ANON:
        return folio.nr_pages if folio.cached else 0
    return folio.nr_pages
