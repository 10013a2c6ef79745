"""What an actor is about to do, in plain words: the label of a button.

Interface: intent, answer_words, INTENTS

`{it}` stands for the page that the step is about.  The past of a step, with its answer, is told by
`views.sentences`; a test fails when a step has no entry in either."""

from __future__ import annotations

from mmsim.engine.op import Op
from mmsim.mm.world import World
from mmsim.views.fold import arguments
from mmsim.views.names import folio_name, plural

INTENTS: dict[str, str] = {
    # references
    "folio_get": "take {refs} to {it}",
    "folio_put": "drop {refs} to {it}",
    "folio_ref_count": "read the reference count of {it}",
    "folio_ref_freeze": "freeze {it}: claim all {expected} references at once",
    "folio_ref_unfreeze": "give the claimed references of {it} back",
    "folio_try_get": "take a reference to whatever is there now",
    # locks and the page cache
    "folio_trylock": "try to lock {it}",
    "folio_lock": "lock {it}, waiting if need be",
    "folio_unlock": "unlock {it}",
    "folio_lock_by_name": "look {it} up and lock it",
    "folio_test_writeback": "is {it} being written back?",
    "folio_wait_writeback": "wait until {it} has been written back",
    "folio_mapping": "does {it} still belong to its file?",
    "filemap_release_folio": "may the file's private data of {it} go?",
    "filemap_remove_folio": "take {it} out of its file",
    "truncate_inode_folio": "cut {it} off its file",
    "mapping_empty": "has the file any page in memory?",
    "find_get_entry": "find the next page of the file and take a reference",
    "mapping_get_entry": "look {it} up and take a reference",
    "next_uptodate_page": "look {it} up, unless it is locked",
    "folio_test_dirty": "has {it} been written to?",
    "folio_mark_dirty": "mark {it} as written to",
    "xas_load": "is {it} still in the page cache?",
    # splitting
    "folio_kind": "what kind of memory is {it}?",
    "folio_get_anon_vma": "who maps {it}?",
    "xas_split_alloc": "get memory for the pieces' entries in the page cache",
    "can_split_folio": "check: are all references to {it} known?",
    "unmap_folio": "remove the mappings of {it}",
    "remap_page": "give {it} its mappings back",
    "references_explained": "look once more: are all references to {it} known?",
    "__split_huge_page": "cut {it} into pieces",
    # moving
    "alloc_migration_target": "find a new place for {it}",
    "folio_mapped": "is {it} mapped?",
    "try_to_migrate": "replace the mappings of {it} by migration entries",
    "folio_expected_refs": "how many references may {it} have?",
    "folio_migrate_mapping": "let the new page take the place of {it}",
    "remove_migration_ptes": "map {it} again",
    "putback_lru_page": "put {it} back on its LRU list",
    "next_migratable": "find the next page to move",
    # LRU lists and batches
    "folio_isolate_lru": "isolate {it}: take it off its LRU list",
    "isolate_by_name": "isolate {it}: take it off its LRU list",
    "folio_test_lru": "is {it} on an LRU list?",
    "folio_test_clear_lru": "take {it} off its list, to move it to another",
    "folio_add_lru": "queue {it} for an LRU list",
    "folio_batch_add": "queue a page in this CPU's batch",
    "folios_put": "drop the references of the batch",
    "lru_add_drain": "empty the batches of this CPU",
    "lru_add_drain_all": "empty the batches of every CPU",
    "lru_cache_disable": "empty the batches of every CPU, and use none for now",
    "lru_cache_enable": "use batches again",
    "lru_deactivate_file_fn": "move {it} to the inactive list",
    "cond_resched": "offer the CPU to others",
    # pinning and mapping
    "follow_page_mask": "pin {it}, if it is mapped",
    "gup_put_folio": "unpin {it}",
    "gup_read_entry": "read the page-table entry of {it}",
    "gup_entry_unchanged": "is the page-table entry still the same?",
    "pin_by_name": "pin {it}",
    "unpin_by_pfn": "unpin {it}",
    "is_longterm_pinnable_page": "may {it} stay where it is?",
    "handle_mm_fault": "map {it} by a page fault",
    "touch": "use {it}",
    "finish_fault": "map {it}",
    "map_in_another_process": "map {it} in one more process",
    "shmem_alloc_and_acct_folio": "allocate a page for the file",
    "shmem_add_to_page_cache": "put {it} into its file",
    "do_anonymous_page": "allocate and map a page of no file",
    "populate_range": "fill a stretch of the guest's memory",
    "io_in_flight": "wait for the device",
    "pfn_to_folios": "find the pages behind the pins",
    # counters
    "count_vm_events": "count what happened",
    "trace_mm_migrate_pages_start": "start to move the pages of the list",
    "trace_mm_migrate_pages": "report how the move went",
    # taking CMA memory back
    "start_isolate_page_range": "close the range to new allocations",
    "undo_isolate_page_range": "open the range again",
    "test_pages_isolated": "is the range empty?",
    "isolate_freepages_range": "take the free pages of the range",
    # VFIO
    "iommu_mutex_lock": "take VFIO's lock",
    "iommu_mutex_unlock": "give VFIO's lock back",
    "vfio_find_dma": "is the range mapped already?",
    "vfio_dma_avail": "is one more mapping allowed?",
    "vfio_iommu_iova_dma_valid": "can the device use these addresses?",
    "vfio_link_dma": "note the mapping in VFIO's list",
    "vfio_unlink_dma": "strike the mapping off VFIO's list",
    "vfio_batch_init": "get room for a batch of pages",
    "vfio_lock_acct": "count the pages as locked memory",
    "vfio_dma_grow": "note how far the mapping has come",
    "memlock_allows": "is so much locked memory allowed?",
    "iommu_map": "let the device reach the pages",
    "iommu_unmap": "take the pages away from the device",
}

# What the environment may answer, where it has a say.
ANSWERS = {
    ("alloc_migration_target", "ok"): "there is one",
    ("alloc_migration_target", "fail"): "there is none",
    ("xas_split_alloc", "ok"): "there is memory",
    ("xas_split_alloc", "nomem"): "there is none",
    ("folio_expected_refs", "ok"): "the file agrees",
}


def _page(world: World, given: dict[str, object]) -> str:
    region, index = given.get("region"), given.get("index")
    if isinstance(region, str) and isinstance(index, int):
        pfn = world.find(region, index)
        return f"page {index} of {region}" if pfn is None else folio_name(world, pfn)
    for name in ("pfn", "src", "old", "dst", "new"):
        value = given.get(name)
        if isinstance(value, int):
            return folio_name(world, value)
    return "the page"


def intent(world: World, op: Op) -> str:
    """What this step is about to do, in a few words without the kernel's name."""
    words = INTENTS.get(op.kind.name, op.kind.name)
    if "{" not in words:
        return words
    given = arguments(op)
    refs = given.get("refs")
    return words.format(
        it=_page(world, given),
        refs=plural(refs, "reference") if isinstance(refs, int) and refs > 1 else "a reference",
        expected=given.get("expected", ""),
    )


def answer_words(op: Op, outcome: str) -> str:
    """What the environment answers, for a button."""
    return ANSWERS.get((op.kind.name, outcome), outcome)
