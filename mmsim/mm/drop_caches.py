"""Writing to /proc/sys/vm/drop_caches: a walk that touches every page of every file.

Mirrors fs/drop_caches.c and mm/truncate.c, 6.1-rc1.  find_lock_entries() of mm/filemap.c and
remove_mapping() of mm/vmscan.c stand here as well, as the walk is all that calls them.

A folio that can't be dropped, because it is dirty or mapped, is visited all the same.  Two windows
matter to whoever wants to move it at that time: it is *locked* from find_lock_entries() until its
own turn is over, and *referenced* until the whole batch of 15 folios is through, 31 from 6.9 on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim.engine.op import Op, atomic
from mmsim.errno import EINVAL
from mmsim.mm.filemap import (
    Entry,
    Place,
    __remove_mapping,
    find_get_entry,
    folio_mapping,
    folio_test_dirty,
    folio_test_writeback,
    folio_trylock,
    folio_unlock,
    mapping_empty,
)
from mmsim.mm.folio import Extent, Page
from mmsim.mm.page_ref import ME, folio_put, folio_ref_count, folio_ref_freeze, folio_ref_unfreeze
from mmsim.mm.seams import Version
from mmsim.mm.swap import (
    deactivate_file_folio,
    lru_add_drain,
    lru_add_drain_all,
)
from mmsim.mm.vmstat import count_vm_events
from mmsim.mm.world import World

File = tuple[Extent, ...]

DROP_PAGECACHE, DROP_SLAB, VALUE_MAX = 1, 2, 4


@atomic
def cond_resched(world: World, me: str) -> None:
    """Let others run if they want to; here they may at every step."""


def find_lock_entries(
    file: File, start: Place, batch: list[Entry], version: Version
) -> Generator[Op, Any, None]:
    """Fill `batch` with folios from `start` on, each with a reference and locked.

    Passed over: what somebody else has locked, what has left the file, what is being written back.
    Kernel: mm/filemap.c, find_lock_entries().  Left out: swap entries."""
    at = start
    while len(batch) < version.pagevec_size:
        entry = yield find_get_entry(file, at, site="drop.find")
        if entry is None:
            return
        at = _behind(entry)
        if entry.at < start:  # begins before the range
            yield folio_put(entry.page.pfn, ME, 1, site="drop.find")
            continue
        locked = yield folio_trylock(entry.page.pfn, site="drop.find")
        if not locked:
            yield folio_put(entry.page.pfn, ME, 1, site="drop.find")
            continue
        mapping = yield folio_mapping(entry.page.pfn, site="drop.find")
        writeback = yield folio_test_writeback(entry.page.pfn, site="drop.find")
        if writeback or not mapping:
            yield folio_unlock(entry.page.pfn, site="drop.find")
            yield folio_put(entry.page.pfn, ME, 1, site="drop.find")
            continue
        batch.append(entry)


def _behind(entry: Entry) -> Place:
    return entry.at[0], entry.at[1] + entry.page.nr


def mapping_evict_folio(page: Page) -> Generator[Op, Any, int]:
    """Drop a locked folio from the page cache if nobody needs it.  Returns its pages, or 0.

    Kernel: mm/truncate.c, mapping_evict_folio().  Left out: private data (shmem has none)."""
    dirty = yield folio_test_dirty(page.pfn)
    if dirty:
        return 0
    writeback = yield folio_test_writeback(page.pfn)
    if writeback:
        return 0
    count = yield folio_ref_count(page.pfn)
    if count > page.nr + 1:  # the page cache's and ours; any mapping is one more
        return 0
    ret = yield from remove_mapping(page)
    return ret


def remove_mapping(page: Page) -> Generator[Op, Any, int]:
    """Claim all references and take the folio out of its file.  Returns its pages, or 0.

    Kernel: mm/vmscan.c, remove_mapping(), __remove_mapping()."""
    frozen = yield folio_ref_freeze(page.pfn, page.nr + 1)
    if not frozen:
        return 0
    dirty = yield folio_test_dirty(page.pfn)
    if dirty:  # written to by somebody who has let go of it since
        yield folio_ref_unfreeze(page.pfn)
        return 0
    yield __remove_mapping(page.pfn)
    return page.nr


def invalidate_mapping_pages(file: File, version: Version) -> Generator[Op, Any, int]:
    """Drop what can be dropped of a file.  Returns the number of pages.

    Kernel: mm/truncate.c, invalidate_mapping_pagevec(), folio_batch_release()."""
    start: Place = (0, 0)
    count = 0
    drained = False
    while True:
        batch: list[Entry] = []
        yield from find_lock_entries(file, start, batch, version)
        if not batch:
            return count
        for index, entry in enumerate(batch):
            ret = yield from mapping_evict_folio(entry.page)
            yield folio_unlock(entry.page.pfn)
            if ret == 0:
                yield from deactivate_file_folio(entry.page.pfn, version.deactivate_checks_lru)
            count += ret
        start = _behind(batch[-1])
        if not drained:  # once for each file, at its first release
            yield lru_add_drain()
            drained = True
        for index, entry in enumerate(batch):
            yield folio_put(entry.page.pfn, ME, 1)
        yield cond_resched()


def drop_pagecache_sb(files: tuple[File, ...], version: Version) -> Generator[Op, Any, int]:
    """Visit every file.  Returns the number of pages dropped.

    Kernel: fs/drop_caches.c, drop_pagecache_sb() for every superblock, the one of memfds included.
    Left out: the reference on the inode, inodes that come or go."""
    count = 0
    for index, file in enumerate(files):
        empty = yield mapping_empty(file)
        if not empty:
            pages = yield from invalidate_mapping_pages(file, version)
            count += pages
    return count


def drop_caches(
    files: tuple[File, ...], version: Version, value: int = DROP_PAGECACHE
) -> Generator[Op, Any, int]:
    """One write of `value`: 1 page cache, 2 slab, 3 both, 4 only be quiet about it from now on.

    Returns the number of pages dropped, or -EINVAL for another value.  Kernel:
    drop_caches_sysctl_handler().  Left out: what becomes of slab objects, the line in the log."""
    if not 1 <= value <= VALUE_MAX:
        return -EINVAL
    count = 0
    if value & DROP_PAGECACHE:
        if version.drop_drains:
            yield lru_add_drain_all()
        count = yield from drop_pagecache_sb(files, version)
        yield count_vm_events(("drop_pagecache", 1))
    if value & DROP_SLAB:
        yield count_vm_events(("drop_slab", 1))
    return count
