"""Splitting a huge page into single pages.

Mirrors mm/huge_memory.c, 6.1-rc1.

The caller has isolated the folio (one reference) and locked it.  Whoever else has a reference makes
the split impossible, because nobody could tell which of the pieces that reference is for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.constants import ANON, HUGE_ZERO
from mmsim.engine.op import ModelError, Op, atomic, choice
from mmsim.errno import EBUSY, ENOMEM
from mmsim.mm.filemap import filemap_release_folio, folio_mapping, folio_test_writeback
from mmsim.mm.folio import ISOLATION, Page, extra_pins_of, replace
from mmsim.mm.page_ref import folio_ref_freeze
from mmsim.mm.rmap import set_migration_entries
from mmsim.mm.seams import Version
from mmsim.mm.vmstat import count_vm_events
from mmsim.mm.world import World, may_fail, page_name


@atomic
def folio_kind(world: World, me: str, pfn: int) -> str:
    """shmem, anon or huge_zero: it never changes.  Kernel: folio_test_anon() etc."""
    return world.folio(pfn).kind


@atomic
def folio_get_anon_vma(world: World, me: str, pfn: int) -> bool:
    """Is there an anon_vma to hold on to?  Not if nothing maps the folio.  Kernel: mm/rmap.c."""
    return world.folio(pfn).mapcount > 0


@choice(may_fail("xas_split_alloc", "ok", "nomem"))
def xas_split_alloc(world: World, me: str, choice: str, pfn: int) -> bool:
    """Memory for the page-cache nodes that the pieces will need.  Kernel: lib/xarray.c."""
    return choice == "ok"


@atomic
def folio_test_partially_mapped(world: World, me: str, pfn: int) -> bool:
    """Is this huge page queued for a later split, because a part of it was unmapped?

    Kernel: folio_test_partially_mapped() of 6.12, and a look at the queue itself."""
    return world.folio(pfn).deferred_split


@atomic
def can_split_folio(world: World, me: str, pfn: int) -> int | None:
    """The check: are there any references but the cache's, the mappings' and the caller's?

    Answers the number of cache references that the freeze has to expect, None if the folio can't be
    split.  It is a look without any lock, and may be out of date at once."""
    folio = world.folio(pfn)
    pins = extra_pins_of(folio)
    # The caller's own reference is the "- 1": forget it and an idle folio looks busy.
    return pins if folio.mapcount == folio.refcount - pins - 1 else None


@atomic
def unmap_folio(world: World, me: str, pfn: int) -> None:
    """Remove every mapping of a huge page that is about to be split.

    Anonymous mappings become migration entries; those of
    a file are gone, to be faulted in again.  Each PMD that had to be split counts.  Its pieces are
    unmapped one after the other in 6.1, and at once in 6.12."""
    folio = world.folio(pfn)
    world.count("thp_split_pmd", folio.pmd_maps)
    defers = folio.pte_maps > 1 if world.env.defers_only_partly else folio.mapcount > 0
    set_migration_entries(world, pfn, defers)
    if folio.kind != ANON:
        world.update(pfn, migration_entries=(0, 0))


@atomic
def remap_page(world: World, me: str, pfn: int) -> None:
    """Put the mappings of an anonymous huge page back that could not be split, as PTEs."""
    folio = world.folio(pfn)
    pmd, pte = folio.migration_entries
    maps = pmd * folio.nr_pages + pte
    world.update(
        pfn,
        refcount=folio.refcount + maps,
        pte_maps=folio.pte_maps + maps,
        migration_entries=(0, 0),
    )


@atomic
def xas_load(world: World, me: str, pfn: int) -> bool:
    """Is the folio still what the page cache has at this place?  Kernel: xas_load() == folio."""
    return world.folio(pfn).mapping


@atomic
def __split_huge_page(world: World, me: str, pfn: int) -> tuple[Page, ...]:
    """Cut a frozen folio into order-0 folios; answers them in the order of the list they go to.

    Kernel: __split_huge_page() and remap_page(), and before them the end of the folio's time on
    the deferred split queue.  Each piece has the caller's reference, the cache's, and for anonymous
    memory its mappings.  Pieces beyond the end of the file leave the cache."""
    whole = world.folio(pfn)
    if whole.refcount or dict(whole.held) != {ISOLATION: 1}:
        held = " and ".join(name for name, n in whole.held if n and name != ISOLATION)
        raise ModelError(f"{whole.name} is cut, but is referred to by {held or 'nobody'}")
    world.detach(pfn)
    world.cut(pfn)
    pmd, pte = whole.migration_entries
    maps_each, maps_more = divmod(pte, whole.nr_pages)
    end = whole.pages_inside_file or whole.nr_pages
    for index in range(whole.nr_pages):
        inside = index < end
        maps = pmd + maps_each + (index < maps_more)
        piece = replace(
            whole,
            name=page_name(whole.region, whole.index + index),
            index=whole.index + index,
            order=0,
            refcount=1 + (whole.cached and inside) + maps,
            mapping=inside,
            cached=whole.cached and inside,
            pte_maps=maps,
            migration_entries=(0, 0),
            deferred_split=False,
            locked_by=whole.locked_by if index == 0 else "",
            pages_inside_file=0,
        )
        world.add(pfn + index, piece)
    return tuple(Page(pfn + index, 1) for index in range(whole.nr_pages - 1, -1, -1))


def split_huge_page_to_list(
    page: Page, list_: list[Page], version: Version
) -> Generator[Op, Any, int]:
    """Split a huge page and append the pieces to `list_`.  Returns 0 or a negative errno.

    Left out: the i_mmap and anon_vma locks, which nothing here contends for."""
    kind = yield folio_kind(page.pfn)
    if kind == HUGE_ZERO:
        return -EBUSY
    if kind != ANON and not version.truncated_is_refused:
        mapping = yield folio_mapping(page.pfn, site="split.prepare")
        if not mapping:
            return -EBUSY
    writeback = yield folio_test_writeback(page.pfn)
    if writeback:
        return -EBUSY

    ret = 0
    extra_pins: int | None = None
    same = frozen = False
    if kind == ANON:
        anon_vma = yield folio_get_anon_vma(page.pfn)
        ret = 0 if anon_vma else -EBUSY
    else:
        mapping = yield folio_mapping(page.pfn, site="split.prepare")
        ret = 0 if mapping else -EBUSY
        if ret == 0:
            released = yield filemap_release_folio(page.pfn, site="split.prepare")
            ret = 0 if released else -EBUSY
        if ret == 0:
            nodes = yield xas_split_alloc(page.pfn, site="split.prepare")
            ret = 0 if nodes else -ENOMEM

    if ret == 0:
        extra_pins = yield can_split_folio(page.pfn, site="split.check")
        ret = version.ref_errno if extra_pins is None else 0
    if ret == 0:
        yield unmap_folio(page.pfn, site="split.unmap")
        # Interrupts are off and the page cache is locked from here to the end of the freeze.
        same = True
        if kind != ANON:
            same = yield xas_load(page.pfn, site="split.entry")
        if same:
            assert extra_pins is not None  # or `ret` would be an errno
            frozen = yield folio_ref_freeze(page.pfn, 1 + extra_pins, site="split.freeze")
        if frozen:
            pieces = yield __split_huge_page(page.pfn, site="split.cut")
            list_ += pieces
        else:
            ret = version.ref_errno
            yield remap_page(page.pfn)
    # From here on only `ret` matters: places that differ in nothing else are one for the search.
    extra_pins, same, frozen = None, False, False
    event = "thp_split_page_failed" if ret else "thp_split_page"
    yield count_vm_events((event, 1), site="split.end", ret=ret)
    return ret
