"""Moving folios to other pages, as Linux 6.12 does it.

Mirrors mm/migrate.c, 6.12.117.  What it shares with 6.1 stands in migrate.py.

Folios are worked on in batches of at most 512 pages.  A batch is tried three times without ever
sleeping (asynchronously), and then folio by folio up to seven times more.  All folios of a batch
are unmapped first, and moved afterwards.  The pieces of a split huge page are moved right after
their batch, in one asynchronous try.

A policy is asked before each next try, but there are no fewer or more tries for it: what differs
from `usual` there drains or waits, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any, NamedTuple

from mmsim.constants import (
    MIGRATE_ASYNC,
    MIGRATE_COUNTERS,
    MIGRATE_PASSES,
    MIGRATE_SYNC,
    MR_NUMA_MISPLACED,
    REASONS,
)
from mmsim.engine.op import Notes, Op
from mmsim.errno import EAGAIN, EBUSY, ENOMEM
from mmsim.mm.filemap import (
    folio_lock,
    folio_test_writeback,
    folio_trylock,
    folio_unlock,
    folio_wait_writeback,
)
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Page
from mmsim.mm.huge_memory import folio_test_partially_mapped, split_huge_page_to_list
from mmsim.mm.migrate import (
    alloc_migration_target,
    folio_expected_refs,
    folio_migrate_mapping,
)
from mmsim.mm.page_ref import folio_expected_ref_count, folio_put, folio_ref_count, folio_ref_freeze
from mmsim.mm.policies import policy_says
from mmsim.mm.rmap import folio_mapped, remove_migration_ptes, try_to_migrate
from mmsim.mm.seams import PIECES_ONCE, PIECES_SYNC, Version
from mmsim.mm.swap import folio_add_lru
from mmsim.mm.vmstat import count_vm_events, trace_mm_migrate_pages, trace_mm_migrate_pages_start

NR_MAX_BATCHED_MIGRATION = 512
NR_MAX_MIGRATE_ASYNC_RETRY = 3
MIGRATEPAGE_SUCCESS, MIGRATEPAGE_UNMAP = 0, 1


@dataclasses.dataclass
class MigratePagesStats:
    """struct migrate_pages_stats.  `nr_*_pages` are base pages, the others are units."""

    nr_succeeded: int = 0
    nr_failed_pages: int = 0
    nr_thp_succeeded: int = 0
    nr_thp_failed: int = 0
    nr_thp_split: int = 0


class Tries(NamedTuple):
    """How a batch is tried, and for whom; the kernel passes these on one by one.

    `first_pass`, `last_pass`: numbers of the first of these tries, and of the last that a folio of
    the batch gets.  `pieces`: the folios are pieces of split huge pages."""

    mode: int
    reason: int
    nr_pass: int
    first_pass: int
    last_pass: int
    pieces: bool
    version: Version

    def notes(self, pass_: int, batch: tuple[int, ...], half: str) -> Notes:
        """Which try this is, for the readers of a run."""
        return Notes(round_=1 + self.pieces, pass_=self.first_pass + pass_, batch=batch, half=half)

    def before_the_next(self, folio: Page, rc: int, pass_: int) -> Generator[Op, Any, None]:
        """The seam of a policy, which may drain or wait."""
        number = self.first_pass + pass_
        usual = number < self.last_pass
        policy = self.version.policy
        yield from policy_says(policy, folio, rc, usual, self.pieces, number, self.reason)


class Unmapped(NamedTuple):
    """A folio between its two halves: locked, mapped nowhere, and its destination waits."""

    src: Page
    dst: int
    page_was_mapped: bool


def migrate_folio_undo(
    src: Page, dst: int, page_was_mapped: bool, locked: bool, rc: int
) -> Generator[Op, Any, None]:
    """Map and unlock the source again, give the destination back.

    Kernel: migrate_folio_undo_src(), migrate_folio_undo_dst()."""
    if page_was_mapped:
        yield remove_migration_ptes(src.pfn, src.pfn)
    if locked:
        yield folio_unlock(src.pfn)
    yield folio_put(dst, NEW_PAGE, 1, site="move.done", rc=rc)


def migrate_folio_unmap(
    src: Page,
    from_: list[Page],
    ret: list[Page],
    unmap_folios: list[Unmapped],
    tries: Tries,
    notes: Notes,
) -> Generator[Op, Any, int]:
    """Find a destination, lock the folio, and unmap it.

    MIGRATEPAGE_UNMAP: it is on `unmap_folios`.  MIGRATEPAGE_SUCCESS: it had been freed.  -EAGAIN
    and -ENOMEM leave it on `from_`; any other error puts it on `ret`.  Left out: PF_MEMALLOC, the
    anon_vma, mappings that come back while they are removed."""
    count = yield folio_ref_count(src.pfn, site="visit", huge=src.is_thp, **notes)
    if count == 1:  # freed under us: only the isolation's reference is left
        from_.remove(src)
        yield folio_put(src.pfn, ISOLATION, 1, site="move.freed", huge=src.is_thp)
        return MIGRATEPAGE_SUCCESS
    dst = yield alloc_migration_target(src.pfn, REASONS[tries.reason], site="move.target")
    if dst is None:
        return -ENOMEM
    locked = yield folio_trylock(src.pfn)
    if not locked:
        if tries.mode == MIGRATE_ASYNC:
            yield from migrate_folio_undo(src, dst, False, False, -EAGAIN)
            return -EAGAIN
        yield folio_lock(src.pfn)
    writeback = yield folio_test_writeback(src.pfn)
    if writeback:
        if tries.mode != MIGRATE_SYNC:
            from_.remove(src)
            ret.append(src)
            yield from migrate_folio_undo(src, dst, False, True, -EBUSY)
            return -EBUSY
        yield folio_wait_writeback(src.pfn)
    page_was_mapped = yield folio_mapped(src.pfn)
    if page_was_mapped:
        yield try_to_migrate(src.pfn, site="move.unmap")
    from_.remove(src)
    unmap_folios.append(Unmapped(src, dst, page_was_mapped))
    return MIGRATEPAGE_UNMAP


def migrate_folio(dst: int, src: int, notes: Notes) -> Generator[Op, Any, int]:
    """Move an unmapped folio if nobody else has a reference.  Returns 0, -EAGAIN or another errno.

    Kernel: move_to_new_folio(), migrate_folio(), __folio_migrate_mapping().  The count is compared
    before the contents are copied, and claimed afterwards: whoever came during the copy is seen."""
    expected_count = yield folio_expected_refs(src, site="move.expect", **notes)
    if expected_count < 0:
        return int(expected_count)
    explained = yield folio_expected_ref_count(src, 1, site="move.check")
    if not explained:
        return -EAGAIN
    frozen = yield folio_ref_freeze(src, expected_count, site="move.freeze")
    if not frozen:
        return -EAGAIN
    yield folio_migrate_mapping(src, dst)
    return 0


def migrate_folio_move(
    each: Unmapped, ret: list[Page], unmap_folios: list[Unmapped], notes: Notes
) -> Generator[Op, Any, int]:
    """The second half.  After -EAGAIN the folio stays on `unmap_folios`, locked.  So does its
    destination.

    Left out: the drain that follows if the folio was mlocked; memory_failure, for which the kernel
    keeps the isolation's reference."""
    notes = Notes(notes, huge=each.src.is_thp)
    rc = yield from migrate_folio(each.dst, each.src.pfn, notes)
    if rc == -EAGAIN:
        return rc
    unmap_folios.remove(each)
    if rc:
        ret.append(each.src)
        yield from migrate_folio_undo(each.src, each.dst, each.page_was_mapped, True, rc)
        return rc
    yield folio_add_lru(each.dst)
    if each.page_was_mapped:
        yield remove_migration_ptes(each.src.pfn, each.dst)
    yield folio_put(each.dst, NEW_PAGE, 1, site="move.done", rc=0)
    yield folio_unlock(each.src.pfn)
    yield folio_put(each.src.pfn, ISOLATION, 1, site="move.freed", huge=each.src.is_thp)
    return MIGRATEPAGE_SUCCESS


def try_split_folio(
    folio: Page, from_: list[Page], split_folios: list[Page], tries: Tries, notes: Notes
) -> Generator[Op, Any, int]:
    """Split a huge page; asynchronously its lock is not waited for."""
    if tries.mode == MIGRATE_ASYNC:
        locked = yield folio_trylock(folio.pfn, site="split.lock", **notes)
        if not locked:
            return -EAGAIN
    else:
        yield folio_lock(folio.pfn, site="split.lock", **notes)
    rc = yield from split_huge_page_to_list(folio, split_folios, tries.version)
    yield folio_unlock(folio.pfn, site="split.unlock", ret=rc)
    if rc == 0:
        from_.remove(folio)
    return rc


def migrate_pages_batch(
    from_: list[Page],
    ret_folios: list[Page],
    split_folios: list[Page],
    stats: MigratePagesStats,
    tries: Tries,
) -> Generator[Op, Any, int]:
    """Up to `nr_pass` tries to unmap every folio of `from_`, then as many to move the unmapped.

    Returns how many folios failed, or -ENOMEM; what stays on `from_` was never unmapped."""
    version = tries.version
    nosplit = tries.reason == MR_NUMA_MISPLACED
    nr_failed = rc_saved = 0
    nr_retry_pages = thp_retry = 0
    retry = 1
    pass_ = 0
    unmap_folios: list[Unmapped] = []
    batch = tuple(page.pfn for page in from_)
    notes = Notes()
    while pass_ < tries.nr_pass and retry and not rc_saved:
        retry = thp_retry = nr_retry_pages = 0
        notes = tries.notes(pass_, batch, "unmap")
        todo = tuple(from_)
        for index, folio in enumerate(todo):
            if folio.is_thp:
                queued = yield folio_test_partially_mapped(folio.pfn)
                if queued:
                    rc = yield from try_split_folio(folio, from_, split_folios, tries, notes)
                    if rc == 0:
                        nr_failed += 1
                        stats.nr_thp_failed += 1
                        stats.nr_thp_split += 1
                        continue
            rc = yield from migrate_folio_unmap(
                folio, from_, ret_folios, unmap_folios, tries, notes
            )
            if rc == -ENOMEM:
                nr_failed += 1
                stats.nr_thp_failed += folio.is_thp
                if folio.is_thp and not nosplit:
                    ret = yield from try_split_folio(folio, from_, split_folios, tries, notes)
                    rc = version.rc_after_split(rc, ret)
                    if ret == 0:
                        stats.nr_thp_split += 1
                        continue
                    if version.retry_split(tries.reason, ret):
                        # Counted above, and once more after the last try: taken back here.
                        retry += 1
                        thp_retry += 1
                        nr_retry_pages += folio.nr
                        nr_failed -= version.undo_count
                        stats.nr_thp_failed -= version.undo_count
                        yield from tries.before_the_next(folio, ret, pass_)
                        continue
                stats.nr_failed_pages += folio.nr + nr_retry_pages
                stats.nr_thp_failed += thp_retry
                rc_saved = rc
                if not unmap_folios:
                    return rc_saved
                break
            if rc == -EAGAIN:
                retry += 1
                thp_retry += folio.is_thp
                nr_retry_pages += folio.nr
                yield from tries.before_the_next(folio, rc, pass_)
            elif rc == MIGRATEPAGE_SUCCESS:
                stats.nr_succeeded += folio.nr
                stats.nr_thp_succeeded += folio.is_thp
            elif rc != MIGRATEPAGE_UNMAP:
                nr_failed += 1
                stats.nr_thp_failed += folio.is_thp
                stats.nr_failed_pages += folio.nr
        pass_ += 1
    if not rc_saved:
        nr_failed += retry
        stats.nr_thp_failed += thp_retry
        stats.nr_failed_pages += nr_retry_pages

    # move:
    retry, pass_ = 1, 0
    while pass_ < tries.nr_pass and retry:
        retry = thp_retry = nr_retry_pages = 0
        notes = Notes(tries.notes(pass_, batch, "move"), again=pass_ > 0)
        waiting = tuple(unmap_folios)
        for index, each in enumerate(waiting):
            rc = yield from migrate_folio_move(each, ret_folios, unmap_folios, notes)
            if rc == -EAGAIN:
                retry += 1
                thp_retry += each.src.is_thp
                nr_retry_pages += each.src.nr
                yield from tries.before_the_next(each.src, rc, pass_)
            elif rc == MIGRATEPAGE_SUCCESS:
                stats.nr_succeeded += each.src.nr
                stats.nr_thp_succeeded += each.src.is_thp
            else:
                nr_failed += 1
                stats.nr_thp_failed += each.src.is_thp
                stats.nr_failed_pages += each.src.nr
        pass_ += 1
    nr_failed += retry
    stats.nr_thp_failed += thp_retry
    stats.nr_failed_pages += nr_retry_pages
    # out: what could not be moved gets its mappings and its lock back.
    waiting = tuple(unmap_folios)
    for index, each in enumerate(waiting):
        ret_folios.append(each.src)
        yield from migrate_folio_undo(each.src, each.dst, each.page_was_mapped, True, -EAGAIN)
    return rc_saved or nr_failed


def migrate_pages_sync(
    from_: list[Page],
    reason: int,
    ret_folios: list[Page],
    split_folios: list[Page],
    stats: MigratePagesStats,
    pieces: bool,
    version: Version,
) -> Generator[Op, Any, int]:
    """Three tries without sleeping for all of `from_`, then up to seven for one folio at a time.

    What failed in the first three is forgotten, unless nothing more is tried: all but the splits
    that were made is tried again."""
    nr_async = max(1, NR_MAX_MIGRATE_ASYNC_RETRY * version.passes // MIGRATE_PASSES)
    nr_sync = max(1, version.passes - nr_async)
    last_pass = nr_async + nr_sync - 1
    tries = Tries(MIGRATE_ASYNC, reason, nr_async, 0, last_pass, pieces, version)
    astats = MigratePagesStats()
    folios: list[Page] = []
    rc = yield from migrate_pages_batch(from_, folios, split_folios, astats, tries)
    stats.nr_succeeded += astats.nr_succeeded
    stats.nr_thp_succeeded += astats.nr_thp_succeeded
    stats.nr_thp_split += astats.nr_thp_split
    if rc < 0:
        stats.nr_failed_pages += astats.nr_failed_pages
        stats.nr_thp_failed += astats.nr_thp_failed
        ret_folios += folios
        return int(rc)
    stats.nr_thp_failed += astats.nr_thp_split
    nr_failed = astats.nr_thp_split
    from_ += folios
    tries = Tries(MIGRATE_SYNC, reason, nr_sync, nr_async, last_pass, pieces, version)
    while from_:
        folios = [from_.pop(0)]
        rc = yield from migrate_pages_batch(folios, ret_folios, split_folios, stats, tries)
        ret_folios += folios
        if rc < 0:
            return int(rc)
        nr_failed += rc
    return nr_failed


def migrate_pages(
    from_: list[Page], mode: int, reason: int, version: Version
) -> Generator[Op, Any, int]:
    """Move every page of the list; what could not be moved is on it afterwards.

    Returns 0 if nothing is left, -ENOMEM, or the number of folios that failed or were split.

    Left out: hugetlb, NUMA nodes, device memory, demotion, large folios smaller than a huge page.
    """
    stats = MigratePagesStats()
    rc_gather = 0
    ret_folios: list[Page] = []
    split_folios: list[Page] = []
    yield trace_mm_migrate_pages_start(mode, reason, site="migrate.start")
    while from_:  # again:
        folios: list[Page] = []
        while from_ and sum(folio.nr for folio in folios) < NR_MAX_BATCHED_MIGRATION:
            folios.append(from_.pop(0))
        if mode == MIGRATE_ASYNC:
            passes = version.passes
            tries = Tries(mode, reason, passes, 0, passes - 1, False, version)
            rc = yield from migrate_pages_batch(folios, ret_folios, split_folios, stats, tries)
        else:
            rc = yield from migrate_pages_sync(
                folios, reason, ret_folios, split_folios, stats, False, version
            )
        ret_folios += folios
        if rc < 0:
            rc_gather = rc
            ret_folios += split_folios
            split_folios = []
            break
        if split_folios:
            # Their failures are no failures of this call: the huge page counts as one already.
            if version.pieces == PIECES_SYNC:
                yield from migrate_pages_sync(
                    split_folios, reason, ret_folios, [], stats, True, version
                )
            else:
                nr_pass = 1 if version.pieces == PIECES_ONCE else version.passes
                tries = Tries(MIGRATE_ASYNC, reason, nr_pass, 0, nr_pass - 1, True, version)
                yield from migrate_pages_batch(split_folios, ret_folios, [], stats, tries)
            ret_folios += split_folios
            split_folios = []
        rc_gather += rc
    # out:
    from_[:0] = ret_folios
    rc = version.final_rc(rc_gather, stats.nr_thp_split, not from_)
    counts = (
        stats.nr_succeeded, stats.nr_failed_pages,
        stats.nr_thp_succeeded, stats.nr_thp_failed, stats.nr_thp_split,
    )  # fmt: skip
    events = tuple(zip(MIGRATE_COUNTERS, counts, strict=True))
    yield count_vm_events(*events, site="migrate.out", rc=rc)
    yield trace_mm_migrate_pages(*counts, mode, reason, site="migrate.end", rc=rc)
    return rc
