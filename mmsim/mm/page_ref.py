"""References: taking them, dropping them, claiming all of them at once.

Mirrors include/linux/page_ref.h and include/linux/mm.h, 6.1-rc1."""

from __future__ import annotations

from mmsim.engine.op import atomic, blocking
from mmsim.mm.world import World

ME = ""


@atomic
def folio_ref_count(world: World, me: str, pfn: int) -> int:
    """Read the reference count."""
    return world.folio(pfn).refcount


@atomic
def folio_expected_ref_count(world: World, me: str, pfn: int, own: int) -> bool:
    """Has a folio no reference but the expected ones, and `own` ones of the caller?

    Expected are those of the cache and of mappings.  Kernel: include/linux/mm.h of 6.12; whoever
    calls it compares the number with folio_ref_count(), which is one step here."""
    folio = world.folio(pfn)
    return folio.refcount == folio.cache_refs + folio.mapcount + own


@atomic
def folio_ref_freeze(world: World, me: str, pfn: int, expected: int) -> bool:
    """Claim all references at once: if there are exactly `expected`, set the count to 0.

    The next step gives the count back, so `held` keeps the owners' names meanwhile."""
    if world.folio(pfn).refcount != expected:
        return False
    world.update(pfn, refcount=0)
    return True


@atomic
def folio_ref_unfreeze(world: World, me: str, pfn: int) -> None:
    """Give a claimed count back to its owners."""
    world.update(pfn, refcount=world.folio(pfn).owned)


def frozen(world: World, me: str, region: str, index: int, *args: object) -> str | None:
    """Guard: whoever looks a page up has to wait while its folio is frozen."""
    return frozen_at(world, world.find(region, index))


def frozen_at(world: World, pfn: int | None) -> str | None:
    """Why a lookup that finds this folio has to wait; None if it has not."""
    if pfn is not None and world.folio(pfn).refcount == 0:
        return f"{world.folio(pfn).name} is frozen: its count is 0"
    return None


@blocking(frozen)
def folio_get(world: World, me: str, region: str, index: int, refs: int) -> int | None:
    """Find the folio of a page and take references on it; answers its pfn, None if there is none.

    Whoever calls folio_get() in the kernel has found the folio before; here that is one step.
    Kernel: mm/filemap.c, mapping_get_entry(), which tries again while the folio is frozen."""
    pfn = world.find(region, index)
    if pfn is not None:
        world.hold(pfn, me, refs)
    return pfn


@atomic
def folio_put(world: World, me: str, pfn: int, who: str, refs: int) -> None:
    """Drop references in the name of `who`, ME for one's own.  Kernel: folio_put_refs()."""
    world.drop(pfn, who or me, refs)
