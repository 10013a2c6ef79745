"""The smallest race, on mmsim's own path: the same as split_race.pml, by the same names."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from small import NR, PFN, isolated, memory

from mmsim.constants import ANON, SHMEM
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.scenario import Scenario, State
from mmsim.mm.actors import holder
from mmsim.mm.folio import ISOLATION, Page
from mmsim.mm.huge_memory import split_huge_page_to_list
from mmsim.mm.seams import Version
from mmsim.mm.versions import get


def attempts(passes: int, version: Version) -> Generator[Op, Any, int]:
    """Split, and try again after a refusal, up to `passes` times; returns 0 or the last errno."""
    ret = -1
    for _pass in range(passes):
        if ret:
            ret = yield from split_huge_page_to_list(Page(PFN, NR), [], version)
    return ret


def split_race(*, passes: int, holders: int, anon: int, merge: bool = True) -> Scenario:
    """One splitter with an isolated, locked huge page of NR pages, mapped once, and holders."""
    folio = isolated(kind=ANON if anon else SHMEM, cached=not anon, locked_by="splitter")
    splitter = Actor("splitter", lambda: attempts(passes, get("v2")))
    others = (holder(f"holder {i}", "A", 0) for i in range(holders))
    return Scenario("split race", memory(folio), (splitter, *others), merge=merge)


def seen(state: State) -> dict[str, int]:
    """A state in the variables of split_race.pml."""
    head, events = state.world.folio(PFN), state.world.vmstat
    pmd_entries, pte_entries = head.migration_entries
    return {
        "pmd_maps": head.pmd_maps,
        "pte_maps": head.pte_maps,
        "pmd_entries": pmd_entries,
        "pte_entries": pte_entries,
        "holders": sum(refs for who, refs in head.held if who != ISOLATION),
        "frozen": head.refcount == 0,
        "whole": head.is_thp,
        "split_pmd": events["thp_split_pmd"],
        "failed": events["thp_split_page_failed"],
        "split": events["thp_split_page"],
        "returned": state.locals[0].finished,
    }


# The `ltl` properties of split_race.pml: what is true in every state.
ALWAYS: dict[str, Callable[[dict[str, int]], bool]] = {
    "cut_up_alone": lambda s: not (s["frozen"] and s["holders"]),
    "one_pmd_split": lambda s: s["split_pmd"] <= 1,
    "nothing_left_over": lambda s: not s["returned"] or s["pmd_entries"] + s["pte_entries"] == 0,
    "never_refused": lambda s: s["failed"] == 0,
    "never_split": lambda s: s["split"] == 0,
    "never_rescued": lambda s: not (s["split"] and s["failed"]),
    "always_split": lambda s: not s["returned"] or s["split"] > 0,
}
