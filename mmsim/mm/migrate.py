"""Moving folios to other pages.

Mirrors mm/migrate.c, 6.1-rc1.

`migrate_pages` goes over its list up to ten times.  A folio that could not be moved *now* (-EAGAIN)
stays for the next pass; one without a destination (-ENOMEM) ends the call, except that a huge page
is split first and its pieces are moved in a second round, which has one pass only."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mmsim import errno
from mmsim.constants import (
    FORCE_LOCK_FROM_PASS,
    MIGRATE_ASYNC,
    MIGRATE_COUNTERS,
    MIGRATE_SYNC,
    MR_LONGTERM_PIN,
    MR_NUMA_MISPLACED,
    REASONS,
)
from mmsim.engine.op import Notes, Op, atomic, choice
from mmsim.errno import EAGAIN, EBUSY, ENOMEM, ENOSYS
from mmsim.mm.filemap import (
    folio_lock,
    folio_test_writeback,
    folio_trylock,
    folio_unlock,
    folio_wait_writeback,
)
from mmsim.mm.folio import ISOLATION, NEW_PAGE, Page, expected_refs, new_folio, replace
from mmsim.mm.huge_memory import split_huge_page_to_list
from mmsim.mm.page_ref import folio_put, folio_ref_count, folio_ref_freeze
from mmsim.mm.policies import policy_on_busy, policy_says
from mmsim.mm.rmap import folio_mapped, remove_migration_ptes, try_to_migrate
from mmsim.mm.seams import Version
from mmsim.mm.swap import folio_add_lru, lru_add_drain, putback_lru_page
from mmsim.mm.vmstat import count_vm_events, trace_mm_migrate_pages, trace_mm_migrate_pages_start
from mmsim.mm.world import EITHER, NONE, ZONE, World, may_fail


def _targets(world: World, pfn: int) -> str:
    return world.env.targets_huge if world.folio(pfn).is_thp else world.env.targets_base


def _target_choices(world: World, me: str, pfn: int, reason: str) -> tuple[str, ...]:
    return {NONE: ("fail",), EITHER: ("ok", "fail")}.get(_targets(world, pfn), ("ok",))


@choice(_target_choices)
def alloc_migration_target(world: World, me: str, choice: str, pfn: int, reason: str) -> int | None:
    """Ask for a folio as large as the one at `pfn`; answers the pfn of a new one, or None.

    `reason`: one of REASONS; a long-term pin asks in pin scope."""
    target = _new_target(world, pfn, reason) if choice == "ok" else None
    if target is not None:
        world.add(target, new_folio(world.folio(pfn).order, world.folio(pfn).kind, me))
    if world.folio(pfn).is_thp:
        world.update(pfn, had_target=target is not None)
    return target


def _new_target(world: World, pfn: int, reason: str) -> int | None:
    source = world.folio(pfn)
    if _targets(world, pfn) == ZONE:
        return world.from_zone(source.order, pin_scope=reason == REASONS[MR_LONGTERM_PIN])
    known = dict(world.env.target_pfns)
    return known[source.name] if source.name in known else world.from_elsewhere(source.order)


@choice(may_fail("folio_expected_refs", "ok", *errno.NUMBERS))
def folio_expected_refs(world: World, me: str, choice: str, pfn: int) -> int:
    """The references that a move expects, or a negative errno if the file's callback fails.

    Kernel: the callback, a_ops->migrate_folio(), as far as folio_expected_refs(), which returns no
    errno.  shmem's callback never fails by itself; a failure is injected."""
    if choice != "ok":
        return -errno.NUMBERS[choice]
    return expected_refs(world.folio(pfn))


COPIED = ("dirty", "referenced", "active", "pages_inside_file")
"""What folio_migrate_flags() hands over, and where the file ends."""


@atomic
def folio_migrate_mapping(world: World, me: str, src: int, dst: int) -> None:
    """The destination takes over: place in the file, cache references, flags, contents.

    Kernel: folio_migrate_mapping() after the freeze, and folio_migrate_copy().  The source is left
    with the isolation reference alone.  Its place on the deferred split queue ends with it; in 6.12
    the destination gets one and is counted for it."""
    old, new = world.detach(src), world.folios.pop(dst)
    requeue = world.env.defers_only_partly and old.deferred_split
    world.count("thp_deferred_split_page", int(requeue))
    nowhere = {"name": "", "region": "", "index": 0, "mapping": False, "cached": False}
    world.folios[src] = replace(old, **nowhere, refcount=1, pincount=0)
    known = {field: getattr(old, field) for field in (*nowhere, *COPIED)}
    moved = replace(new, **known, refcount=expected_refs(old), deferred_split=requeue)
    world.add(dst, moved)
    if not old.mapping:
        world.where.pop((old.region, old.index), None)


def move_to_new_folio(dst: int, src: int) -> Generator[Op, Any, int]:
    """Move an unmapped folio if nobody else has a reference.  Returns 0, -EAGAIN or another errno.

    Kernel: also migrate_folio() and folio_migrate_mapping().  Left out: folios without a page cache
    are compared instead of frozen; here both are frozen."""
    expected_count = yield folio_expected_refs(src)
    if expected_count < 0:
        return int(expected_count)
    frozen = yield folio_ref_freeze(src, expected_count, site="move.freeze")
    if not frozen:
        return -EAGAIN
    yield folio_migrate_mapping(src, dst)
    return 0


def __unmap_and_move(src: int, dst: int, force: bool, mode: int) -> Generator[Op, Any, int]:
    """Lock, unmap, move, map again.  Returns 0 or a negative errno.

    Left out: PF_MEMALLOC, the anon_vma, buffers of a truncated folio.  The destination is locked
    until the reference of its allocation goes."""
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
        yield try_to_migrate(src, site="move.unmap")
    rc = yield from move_to_new_folio(dst, src)
    if rc == 0:
        yield folio_add_lru(dst)
        if page_was_mapped:
            yield lru_add_drain()
    if page_was_mapped:
        # After a failure the source is mapped again; a file's page is not, after a failed split.
        yield remove_migration_ptes(src, src if rc else dst)
    yield folio_unlock(src)
    return rc


def unmap_and_move(
    page: Page,
    from_: list[Page],
    ret_pages: list[Page],
    force: bool,
    mode: int,
    reason: int,
    notes: Notes,
) -> Generator[Op, Any, int]:
    """Move one folio and take it off the list if that is the end of it.

    A folio without a destination stays on `from_`, like one that is busy.  Any other failure, also
    an -ENOMEM of the file's callback, puts it on `ret_pages`: no later pass sees it.

    Left out: -ENOSYS for huge pages that can't migrate (never on x86-64), NR_ISOLATED counters, and
    memory_failure, for which the kernel keeps the isolation's reference."""
    count = yield folio_ref_count(page.pfn, site="visit", huge=page.is_thp, **notes)
    if count == 1:  # freed under us: only the isolation's reference is left
        rc = 0
    else:
        newpage = yield alloc_migration_target(page.pfn, REASONS[reason], site="move.target")
        if newpage is None:
            return -ENOMEM
        rc = yield from __unmap_and_move(page.pfn, newpage, force, mode)
        yield folio_put(newpage, NEW_PAGE, 1, site="move.done", rc=rc)

    if rc == 0:
        from_.remove(page)
        yield folio_put(page.pfn, ISOLATION, 1, site="move.freed", huge=page.is_thp)
    elif rc != -EAGAIN:
        from_.remove(page)
        ret_pages.append(page)
    return rc


def try_split_thp(
    page: Page, from_: list[Page], ret_pages: list[Page], split_pages: list[Page], version: Version
) -> Generator[Op, Any, int]:
    """Split a huge page, sleeping for its lock; on success its pieces replace it, on another list.

    It stands on `from_`, or on `ret_pages` if its callback failed."""
    yield folio_lock(page.pfn, site="split.lock")
    ret = yield from split_huge_page_to_list(page, split_pages, version)
    yield folio_unlock(page.pfn, site="split.unlock", ret=ret)
    if ret == 0:
        (from_ if page in from_ else ret_pages).remove(page)
    return ret


def migrate_pages(
    from_: list[Page], mode: int, reason: int, version: Version
) -> Generator[Op, Any, int]:
    """Move every page of the list; what could not be moved is on it afterwards.

    Returns 0, a negative errno, or the number of pages and huge pages that failed (> 0).  Counters
    named `nr_*_pages` are base pages; the others are units, and a huge page is one.

    Left out: hugetlb, NUMA nodes, device memory, demotion."""
    retry = thp_retry = 1
    nr_failed = nr_failed_pages = nr_retry_pages = 0
    nr_succeeded = nr_thp_succeeded = nr_thp_failed = nr_thp_split = 0
    ret_pages: list[Page] = []
    thp_split_pages: list[Page] = []
    nosplit = reason == MR_NUMA_MISPLACED
    no_subpage_counting = out = again = False
    notes = Notes()
    yield trace_mm_migrate_pages_start(mode, reason, site="migrate.start")

    while True:  # thp_subpage_migration:
        pass_ = 0
        while pass_ < version.passes and (retry or thp_retry) and not out:
            retry = thp_retry = nr_retry_pages = 0
            notes = Notes(notes, round_=1 + no_subpage_counting, pass_=pass_)
            todo = tuple(from_)
            for index, page in enumerate(todo):
                rc = yield from unmap_and_move(
                    page, from_, ret_pages, pass_ >= FORCE_LOCK_FROM_PASS, mode, reason, notes
                )
                # Without a policy `rc` stays, and `again` is true of all but a busy piece.
                rc, again = yield from policy_on_busy(
                    version.policy, page, rc, from_, ret_pages, no_subpage_counting, pass_, reason
                )
                if rc == -ENOSYS:
                    if page.is_thp:
                        nr_thp_failed += 1
                        ret = yield from try_split_thp(
                            page, from_, ret_pages, thp_split_pages, version
                        )
                        if ret == 0:
                            nr_thp_split += 1
                            continue
                    elif not no_subpage_counting:
                        nr_failed += 1
                    nr_failed_pages += page.nr
                elif rc == -ENOMEM:
                    # No destination: the place that the patch changes.
                    if page.is_thp:
                        nr_thp_failed += 1
                        if not nosplit:
                            ret = yield from try_split_thp(
                                page, from_, ret_pages, thp_split_pages, version
                            )
                            rc = version.rc_after_split(rc, ret)
                            if ret == 0:
                                nr_thp_split += 1
                                continue
                            usual = version.retry_split(reason, ret)
                            again = yield from policy_says(
                                version.policy, page, ret, usual, no_subpage_counting, pass_, reason
                            )
                            if again:
                                # Counted above and once more after the last pass: ten are 11.
                                thp_retry += 1
                                nr_retry_pages += page.nr
                                nr_thp_failed -= version.undo_count
                                continue
                    elif not no_subpage_counting:
                        nr_failed += 1
                    nr_failed_pages += page.nr + nr_retry_pages
                    # Pieces that wait for their round go back untried.
                    from_[:0] = thp_split_pages
                    thp_split_pages.clear()
                    nr_thp_failed += thp_retry
                    out = True  # goto out
                    break
                elif rc == -EAGAIN:
                    if page.is_thp:
                        thp_retry += 1
                    elif again:
                        retry += 1
                    nr_retry_pages += page.nr
                elif rc == 0:
                    nr_succeeded += page.nr
                    nr_thp_succeeded += page.is_thp
                else:
                    # -EBUSY and its like: never tried again, and on ret_pages already.
                    if page.is_thp:
                        nr_thp_failed += 1
                    elif not no_subpage_counting:
                        nr_failed += 1
                    nr_failed_pages += page.nr
            notes = Notes(
                ended=None if out else (1 + no_subpage_counting, pass_),
                retry=retry, thp_retry=thp_retry, nr_retry_pages=nr_retry_pages,
                nr_succeeded=nr_succeeded, nr_thp_failed=nr_thp_failed,
                nr_failed_pages=nr_failed_pages, nr_thp_split=nr_thp_split,
            )  # fmt: skip
            pass_ += 1
        if out:
            break
        nr_failed += retry
        nr_thp_failed += thp_retry
        nr_failed_pages += nr_retry_pages
        if not thp_split_pages:
            rc = nr_failed + nr_thp_failed
            break
        # Whatever is left of the first round waits on ret_pages, and the pieces get their round.
        ret_pages[:0] = from_
        from_[:] = thp_split_pages
        thp_split_pages.clear()
        no_subpage_counting = True
        retry, thp_retry = 1, 0

    # out:
    from_[:0] = ret_pages
    rc = version.final_rc(rc, nr_thp_split, not from_)
    counts = (nr_succeeded, nr_failed_pages, nr_thp_succeeded, nr_thp_failed, nr_thp_split)
    events = tuple(zip(MIGRATE_COUNTERS, counts, strict=True))
    yield count_vm_events(*events, site="migrate.out", rc=rc, **notes)
    yield trace_mm_migrate_pages(*counts, mode, reason, site="migrate.end", rc=rc)
    return rc


def putback_movable_pages(pages: list[Page]) -> Generator[Op, Any, None]:
    """Return isolated pages to the LRU."""
    todo = tuple(pages)
    for index, page in enumerate(todo):
        yield putback_lru_page(page.pfn)
    pages.clear()
