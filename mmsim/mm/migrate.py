"""Moving folios to other pages.

Floor 3: kernel paths and the two atomic steps that belong to them.  Mirrors mm/migrate.c, 6.1-rc1.

Interface: migrate_pages, unmap_and_move, try_split_thp, putback_movable_pages

`migrate_pages` goes over its list up to ten times.  A folio that could not be moved *now* (-EAGAIN)
stays for the next pass; one without a destination (-ENOMEM) ends the call, except that a huge page
is split first and its pieces are moved in a second round, which has one pass only."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

from mmsim import errno
from mmsim.engine.op import Op, atomic, choice
from mmsim.errno import EAGAIN, EBUSY, ENOMEM, ENOSYS
from mmsim.flags import MIGRATE_ASYNC, MIGRATE_COUNTERS, MIGRATE_SYNC, MR_NUMA_MISPLACED, REASONS
from mmsim.mm.filemap import (
    folio_lock,
    folio_test_writeback,
    folio_trylock,
    folio_unlock,
    folio_wait_writeback,
)
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Page, expected_refs, replace
from mmsim.mm.huge_memory import split_huge_page_to_list
from mmsim.mm.migration_target import alloc_migration_target
from mmsim.mm.page_ref import (
    folio_put,
    folio_ref_count,
    folio_ref_freeze,
    references_explained,
)
from mmsim.mm.rmap import folio_mapped, remove_migration_ptes, try_to_migrate
from mmsim.mm.swap import folio_add_lru, lru_add_drain, lru_add_drain_all, putback_lru_page
from mmsim.mm.versions import (
    DRAIN,
    GIVE_UP,
    HUGE_PAGE,
    PIECE,
    SINGLE_PAGE,
    TRY_AGAIN,
    WAIT,
    WAIT_LOOKS,
    Attempt,
    Version,
)
from mmsim.mm.vmstat import (
    count_vm_events,
    trace_mm_migrate_pages,
    trace_mm_migrate_pages_start,
)
from mmsim.mm.world import World
from mmsim.units import FORCE_LOCK_FROM_PASS


def _callback_outcomes(world: World, me: str, pfn: int) -> tuple[str, ...]:
    return ("ok", *errno.NUMBERS) if world.env.faults else ("ok",)


@choice(_callback_outcomes)
def begin_move(world: World, me: str, outcome: str, pfn: int) -> tuple[int, int]:
    """Ask the file for its migrate callback; answers (0 or a negative errno, references to expect).

    The reference count has to be exactly the second number, or somebody else looks at the folio.
    Kernel: move_to_new_folio(), folio_expected_refs().  shmem's callback never fails by itself; a
    failure is injected.
    """
    rc = 0 if outcome == "ok" else -errno.NUMBERS[outcome]
    return rc, expected_refs(world.folio(pfn))


@atomic
def folio_migrate_mapping(world: World, me: str, src: int, dst: int) -> None:
    """The destination takes over: place in the file, cache references, flags, contents.

    Kernel: the part of folio_migrate_mapping() that follows the freeze, and folio_migrate_copy().
    The source is left with the isolation reference alone.  Its place on the deferred split queue
    ends with it; the destination is on none."""
    old, new = world.folio(src), world.folio(dst)
    world.detach(src)
    world.folios[src] = replace(
        old, name="", region="", index=0, refcount=1, mapping=False, cached=False, pincount=0
    )
    world.folios.pop(dst)
    world.add(
        dst,
        replace(
            new,
            name=old.name,
            region=old.region,
            index=old.index,
            refcount=1 + old.cache_refs,
            mapping=old.mapping,
            cached=old.cached,
            dirty=old.dirty,
            referenced=old.referenced,
            active=old.active,
            pages_inside_file=old.pages_inside_file,
        ),
    )
    if not old.mapping:
        world.where.pop((old.region, old.index), None)


def move_to_new_folio(dst: int, src: int) -> Generator[Op, Any, int]:
    """Move an unmapped folio if nobody else holds a reference.  Returns 0, -EAGAIN or another
    errno.

    Kernel: mm/migrate.c, move_to_new_folio(), migrate_folio(), folio_migrate_mapping().
    Left out: folios without a page cache are compared instead of frozen; here both are frozen.
    """
    rc, expected = yield begin_move(src)
    if rc:
        return int(rc)
    frozen = yield folio_ref_freeze(src, expected)
    if not frozen:
        return -EAGAIN
    yield folio_migrate_mapping(src, dst)
    return 0


def __unmap_and_move(src: int, dst: int, force: bool, mode: int) -> Generator[Op, Any, int]:
    """Lock, unmap, move, map again.  Returns 0 or a negative errno.

    Kernel: mm/migrate.c, __unmap_and_move().  Left out: PF_MEMALLOC, the anon_vma, the lock of the
    destination (nobody else can see it yet), buffers of a truncated folio.
    """
    locked = yield folio_trylock(src)
    if not locked:
        if not force or mode == MIGRATE_ASYNC:
            return -EAGAIN
        yield folio_lock(src)
    writeback = yield folio_test_writeback(src)
    if writeback and mode != MIGRATE_SYNC:
        yield folio_unlock(src)
        return -EBUSY
    if writeback and not force:
        yield folio_unlock(src)
        return -EAGAIN
    if writeback:
        yield folio_wait_writeback(src)

    page_was_mapped = yield folio_mapped(src)
    if page_was_mapped:
        yield try_to_migrate(src)
    rc = yield from move_to_new_folio(dst, src)
    if rc == 0:
        yield folio_add_lru(dst)
        if page_was_mapped:
            yield lru_add_drain()
    if page_was_mapped:
        # After a failure the source gets its mappings back, unlike after a failed split.
        yield remove_migration_ptes(src, src if rc else dst)
    yield folio_unlock(src)
    return rc


def unmap_and_move(
    page: Page, from_: list[Page], ret_pages: list[Page], force: bool, mode: int, reason: int
) -> Generator[Op, Any, int]:
    """Move one folio and take it off the list if that is the end of it.

    A folio without a destination stays on `from_`, like one that is busy.  Any other failure, also
    an -ENOMEM of the file's callback, puts it on `ret_pages`: no later pass sees it.

    Kernel: mm/migrate.c, unmap_and_move().  Left out: -ENOSYS for huge pages that can't migrate
    (never on x86-64), NR_ISOLATED counters."""
    count = yield folio_ref_count(page.pfn)
    if count == 1:  # freed under us: only the isolation's reference is left
        rc = 0
    else:
        newpage = yield alloc_migration_target(page.pfn, REASONS[reason])
        if newpage is None:
            return -ENOMEM
        rc = yield from __unmap_and_move(page.pfn, newpage, force, mode)
        yield folio_put(newpage, NEW_PAGE, 1)

    if rc == 0:
        from_.remove(page)
        yield folio_put(page.pfn, ISOLATION, 1)
    elif rc != -EAGAIN:
        from_.remove(page)
        ret_pages.append(page)
    return rc


def try_split_thp(
    page: Page,
    from_: list[Page],
    ret_pages: list[Page],
    split_pages: list[Page],
    version: Version,
) -> Generator[Op, Any, int]:
    """Split a huge page, sleeping for its lock; on success its pieces replace it, on another list.

    It stands on `from_`, or on `ret_pages` if its callback failed.  Kernel: mm/migrate.c,
    try_split_thp()."""
    yield folio_lock(page.pfn)
    ret = yield from split_huge_page_to_list(page, split_pages, version)
    yield folio_unlock(page.pfn)
    if ret == 0:
        (from_ if page in from_ else ret_pages).remove(page)
    return ret


@dataclasses.dataclass
class MigrateStats:
    """The counters of one migrate_pages() call; `nr_*_pages` are base pages, the others units."""

    nr_failed: int = 0
    nr_failed_pages: int = 0
    nr_succeeded: int = 0
    nr_thp_succeeded: int = 0
    nr_thp_failed: int = 0
    nr_thp_split: int = 0
    retry: int = 1
    thp_retry: int = 1
    nr_retry_pages: int = 0

    def count_retries_as_failed(self) -> None:
        """After the last pass, what still waits for a retry has failed."""
        self.nr_failed += self.retry
        self.nr_thp_failed += self.thp_retry
        self.nr_failed_pages += self.nr_retry_pages

    def count_failed(self, page: Page, round_: int) -> None:
        """One unit failed.  Pieces of a split huge page (round 2) are no units."""
        if page.is_thp:
            self.nr_thp_failed += 1
        elif round_ == 1:
            self.nr_failed += 1


def migrate_pages(
    from_: list[Page], mode: int, reason: int, version: Version
) -> Generator[Op, Any, int]:
    """Move every page of the list; what could not be moved is on it afterwards.

    Returns 0, a negative errno, or the number of pages and huge pages that failed (> 0).

    Kernel: mm/migrate.c, migrate_pages().  Left out: hugetlb, NUMA nodes, device memory, demotion.
    """
    stats = MigrateStats()
    ret_pages: list[Page] = []
    split_pages: list[Page] = []
    yield trace_mm_migrate_pages_start(mode, reason)
    round_ = 1
    while True:
        pass_ = 0
        while pass_ < version.passes and (stats.retry or stats.thp_retry):
            stats.retry = stats.thp_retry = stats.nr_retry_pages = 0
            todo = tuple(from_)
            for index, page in enumerate(todo):
                force = pass_ >= FORCE_LOCK_FROM_PASS
                rc = yield from unmap_and_move(page, from_, ret_pages, force, mode, reason)
                if rc == -ENOMEM:
                    rc = yield from _no_destination(
                        page,
                        from_,
                        ret_pages,
                        split_pages,
                        stats,
                        round_,
                        pass_,
                        reason,
                        version,
                    )
                    if rc:
                        # Give up at once.  Pieces that wait for round 2 go back untried.
                        from_[:0] = split_pages
                        rc = yield from _leave(rc, from_, ret_pages, stats, mode, reason, version)
                        return rc
                elif rc == -ENOSYS:
                    yield from _no_migration(
                        page, from_, ret_pages, split_pages, stats, round_, version
                    )
                elif rc == -EAGAIN:
                    yield from _busy(page, from_, ret_pages, stats, round_, pass_, reason, version)
                elif rc == 0:
                    stats.nr_succeeded += page.nr
                    stats.nr_thp_succeeded += page.is_thp
                else:
                    stats.count_failed(page, round_)
                    stats.nr_failed_pages += page.nr
            pass_ += 1
        stats.count_retries_as_failed()
        if not split_pages:
            break
        ret_pages[:0] = from_
        from_[:] = split_pages
        split_pages.clear()
        stats.retry, stats.thp_retry, round_ = 1, 0, 2
    rc = stats.nr_failed + stats.nr_thp_failed
    rc = yield from _leave(rc, from_, ret_pages, stats, mode, reason, version)
    return rc


def _try_again(
    page: Page, rc: int, usual: bool, round_: int, pass_: int, reason: int, version: Version
) -> Generator[Op, Any, bool]:
    """Does this folio ask for another pass?  Whatever a policy wants done before it is done here.

    Kernel: no such function.  Without a policy the answer is `usual`, and nothing is done."""
    what = HUGE_PAGE if page.is_thp else PIECE if round_ > 1 else SINGLE_PAGE
    said = TRY_AGAIN if usual else GIVE_UP
    decision = version.policy(Attempt(what, errno.name(rc), REASONS[reason], pass_ + 1, said))
    if decision == DRAIN:
        yield lru_add_drain_all()
    if decision == WAIT:
        for look in range(WAIT_LOOKS):
            explained = yield references_explained(page.pfn)
            if explained:
                break
    return decision != GIVE_UP


def _busy(
    page: Page,
    from_: list[Page],
    ret_pages: list[Page],
    stats: MigrateStats,
    round_: int,
    pass_: int,
    reason: int,
    version: Version,
) -> Generator[Op, Any, None]:
    """Somebody has the lock of this folio or a reference on it.

    Kernel: mm/migrate.c, migrate_pages(), case -EAGAIN; giving up is a policy's own.
    """
    # A busy piece (round 2) does not ask for another pass: it has only this one.
    usual = page.is_thp or round_ == 1
    again = yield from _try_again(page, -EAGAIN, usual, round_, pass_, reason, version)
    if usual and not again:
        stats.count_failed(page, round_)
        stats.nr_failed_pages += page.nr
        from_.remove(page)
        ret_pages.append(page)
        return
    if page.is_thp:
        stats.thp_retry += again
    else:
        stats.retry += again
    stats.nr_retry_pages += page.nr


def _no_destination(
    page: Page,
    from_: list[Page],
    ret_pages: list[Page],
    split_pages: list[Page],
    stats: MigrateStats,
    round_: int,
    pass_: int,
    reason: int,
    version: Version,
) -> Generator[Op, Any, int]:
    """No destination for this page, or its callback says -ENOMEM.  Returns 0 to go on, or the errno
    to leave with.

    Kernel: mm/migrate.c, migrate_pages(), case -ENOMEM: the place that the patch changes.
    """
    rc = -ENOMEM
    stats.count_failed(page, round_)
    if page.is_thp and reason != MR_NUMA_MISPLACED:
        ret = yield from try_split_thp(page, from_, ret_pages, split_pages, version)
        rc = version.rc_after_split(rc, ret)
        if ret == 0:
            stats.nr_thp_split += 1
            return 0
        usual = version.retry_split(reason, ret)
        again = yield from _try_again(page, ret, usual, round_, pass_, reason, version)
        if again:
            # Counted above, and again after the last pass: that is how ten refusals become 11.
            stats.thp_retry += 1
            stats.nr_retry_pages += page.nr
            stats.nr_thp_failed -= version.taken_back
            return 0
    stats.nr_failed_pages += page.nr + stats.nr_retry_pages
    stats.nr_thp_failed += stats.thp_retry
    return rc


def _no_migration(
    page: Page,
    from_: list[Page],
    ret_pages: list[Page],
    split_pages: list[Page],
    stats: MigrateStats,
    round_: int,
    version: Version,
) -> Generator[Op, Any, None]:
    """This kind of page can't be migrated whole: split it, or fail it without another try.  It stands
    on `ret_pages` already.

    Kernel: mm/migrate.c, migrate_pages(), case -ENOSYS.
    """
    stats.count_failed(page, round_)
    if page.is_thp:
        ret = yield from try_split_thp(page, from_, ret_pages, split_pages, version)
        if ret == 0:
            stats.nr_thp_split += 1
            return
    stats.nr_failed_pages += page.nr


def _leave(
    rc: int,
    from_: list[Page],
    ret_pages: list[Page],
    stats: MigrateStats,
    mode: int,
    reason: int,
    version: Version,
) -> Generator[Op, Any, int]:
    """The end of migrate_pages(), from its label `out`: lists, counters, return value."""
    from_[:0] = ret_pages
    counts = (
        stats.nr_succeeded,
        stats.nr_failed_pages,
        stats.nr_thp_succeeded,
        stats.nr_thp_failed,
        stats.nr_thp_split,
    )
    yield count_vm_events(*zip(MIGRATE_COUNTERS, counts, strict=True))
    yield trace_mm_migrate_pages(*counts, mode, reason)
    return version.final_rc(rc, stats.nr_thp_split, not from_)


def putback_movable_pages(pages: list[Page]) -> Generator[Op, Any, None]:
    """Return isolated pages to the LRU.  Kernel: mm/migrate.c, putback_movable_pages()."""
    todo = tuple(pages)
    for index, page in enumerate(todo):
        yield putback_lru_page(page.pfn)
    pages.clear()
