"""The sentences of everyone else who touches a page: drop_caches, VFIO, other holders.

Interface: OTHERS
"""

from __future__ import annotations

from collections.abc import Callable

from mmsim import errno
from mmsim.views import steps
from mmsim.views.names import folio_name, plural
from mmsim.views.steps import Step

WALK: dict[str, Callable[[Step], str]] = {
    "mapping_empty": lambda s: steps.yes(
        s,
        "whether a file has no page in the page cache",
        "mapping_empty() says yes, so the file is passed over",
        "mapping_empty() says no",
    ),
    "find_get_entry": steps.found,
    "mapping_get_entry": steps.found,
    "folio_test_dirty": lambda s: steps.yes(
        s,
        f"whether {s.it()} was written to",
        "folio_test_dirty() says yes",
        "folio_test_dirty() says no",
    ),
    "folio_mark_dirty": lambda s: f"{s.who} marks {s.it()} as written to with folio_mark_dirty()",
    "folio_ref_unfreeze": lambda s: (
        f"{s.who} gives the claimed count of {s.it()} back with folio_ref_unfreeze()"
    ),
    "filemap_remove_folio": lambda s: (
        f"{s.who} takes {s.it()} out of its file with remove_mapping(): it is freed with the last "
        "reference"
    ),
    "folio_batch_add": lambda s: (
        f"{s.who} queues {s.it(1)} in a batch of its own CPU with folio_batch_add_and_move(): "
        + ("the batch has to be emptied now" if s.answer else "the batch keeps a reference")
    ),
    "folio_test_clear_lru": lambda s: steps.yes(
        s,
        f"for {s.it()}, to move it to another list",
        "folio_test_clear_lru() gives it, and nobody can isolate it meanwhile",
        "folio_test_clear_lru() says it is on none",
    ),
    "lru_deactivate_file_fn": lambda s: (
        f"{s.who} moves {s.it()} to the inactive list with lru_deactivate_file_fn(), "
        "unless it is mapped"
    ),
    "folios_put": lambda s: f"{s.who} drops the references of the batch with folios_put()",
    "cond_resched": lambda s: f"{s.who} offers its CPU to others with cond_resched()",
}

MAP: dict[str, Callable[[Step], str]] = {
    "iommu_mutex_lock": lambda s: f"{s.who} takes VFIO's lock with mutex_lock()",
    "iommu_mutex_unlock": lambda s: f"{s.who} gives VFIO's lock back with mutex_unlock()",
    "vfio_find_dma": lambda s: steps.yes(
        s,
        "whether a part of the range is mapped already",
        "vfio_find_dma() says yes",
        "vfio_find_dma() says no",
    ),
    "vfio_dma_avail": lambda s: steps.yes(
        s, "whether one more mapping is allowed", "dma_avail says yes", "dma_avail says no"
    ),
    "vfio_iommu_iova_dma_valid": lambda s: steps.yes(
        s,
        "whether the IOMMU can translate the range",
        "vfio_iommu_iova_dma_valid() says yes",
        "vfio_iommu_iova_dma_valid() says no",
    ),
    "vfio_link_dma": lambda s: steps.yes(
        s,
        "for a new mapping, still empty",
        "vfio_link_dma() puts it on the list",
        "there is no memory for it",
    ),
    "vfio_dma_grow": lambda s: f"{s.who} notes that its mapping has {plural(s.a[1], 'page')} more",
    "vfio_unlink_dma": lambda s: (
        f"{s.who} takes its mapping off the list with vfio_unlink_dma(): nothing is left of it"
    ),
    "vfio_batch_init": lambda s: (
        f"{s.who} prepares a batch with vfio_batch_init(): room for {plural(s.answer, 'page')}"
    ),
    "memlock_allows": lambda s: steps.yes(
        s,
        f"whether it may lock {plural(s.a[0], 'page')} more",
        "RLIMIT_MEMLOCK allows it",
        "RLIMIT_MEMLOCK does not allow it",
    ),
    "vfio_lock_acct": lambda s: (
        f"{s.who} accounts {s.a[0]:+d} locked pages with vfio_lock_acct()"
        + (f", which fails with {errno.name(s.answer)}" if s.answer else "")
    ),
    "iommu_map": lambda s: (
        f"{s.who} maps {plural(s.a[2], 'page')} for the device with iommu_map()"
        + (f", which fails with {errno.name(s.answer)}" if s.answer else "")
    ),
    "iommu_unmap": lambda s: (
        f"{s.who} takes {plural(s.answer.pages, 'page')} from the device with iommu_unmap()"
    ),
    "pfn_to_folios": lambda s: (
        f"{s.who} looks up whose pages these are: {plural(len(s.answer), 'folio')}"
    ),
}

HOLDERS: dict[str, Callable[[Step], str]] = {
    "io_in_flight": lambda s: f"{s.who} waits for its I/O: nothing changes",
    "gup_read_entry": lambda s: steps.yes(
        s._replace(answer=s.answer is not None),
        f"what maps page {s.a[1]} of {s.a[0]}",
        "the page-table entry names a page",
        "there is no page-table entry",
    ),
    "folio_try_get": lambda s: (
        f"{s.who} wants a reference on the page it read of: folio_try_get() "
        + (
            "fails, because the count is 0"
            if s.answer is None
            else f"takes one on {folio_name(s.after, s.answer)}: {s.refs(s.answer)}"
        )
    ),
    "gup_entry_unchanged": lambda s: steps.yes(
        s,
        f"whether page {s.a[1]} of {s.a[0]} is still mapped as before",
        "the page-table entry is the same",
        "the page-table entry has changed, so the reference was wrong",
    ),
    "touch": lambda s: steps.yes(
        s,
        f"for page {s.a[1]} of {s.a[0]}",
        "it is mapped, no fault",
        "it is not mapped: a page fault",
    ),
    "finish_fault": lambda s: (
        f"{s.who} maps {s.it()} with finish_fault(): its reference is the mapping's now"
        if s.answer
        else f"{s.who} need not map {s.it()} in finish_fault(): it is mapped, or gone"
    ),
    "next_uptodate_page": lambda s: (
        f"{s.who} passes over page {s.a[1]} of {s.a[0]}: next_uptodate_page() finds it locked"
        if s.answer is None
        else f"{s.who} takes {folio_name(s.after, s.answer)} along with next_uptodate_page(): "
        f"{s.refs(s.answer)}"
    ),
}

FIRST_TOUCH: dict[str, Callable[[Step], str]] = {"populate_range": steps.populated}

OWNER: dict[str, Callable[[Step], str]] = {
    "start_isolate_page_range": lambda s: (
        f"{s.who} wants {plural(s.a[1] - s.a[0], 'page')} from {s.a[0]:#x} on: "
        "start_isolate_page_range() sees to it that nobody gets memory there any more"
    ),
    "undo_isolate_page_range": lambda s: (
        f"{s.who} makes the pageblocks from {s.a[0]:#x} on CMA again: undo_isolate_page_range()"
    ),
    "next_migratable": lambda s: (
        f"{s.who} finds nothing more to move in isolate_migratepages_range()"
        if s.answer is None
        else f"{s.who} comes to {folio_name(s.after, s.answer.pfn)}, which has to move: "
        "isolate_migratepages_range()"
    ),
    "test_pages_isolated": lambda s: steps.yes(
        s,
        "whether the range is free now",
        "test_pages_isolated() says yes",
        "test_pages_isolated() says no, so the owner can't have it",
    ),
    "isolate_freepages_range": lambda s: (
        f"{s.who} takes {plural(s.a[1] - s.a[0], 'page')} with isolate_freepages_range()"
    ),
}

OTHERS = {**WALK, **MAP, **HOLDERS, **FIRST_TOUCH, **OWNER}
