"""Measured requests of a CMA area's owner against the model.

Interface: is_contig_row, compare_contig_row, AREA_PAGES

The area has 256 MiB; one or two huge pages lie in it, and somebody may refer to the first.  What
happens in one range follows from the set-up.  A kernel slides from one range to the next page by
page: if every range fails, their number follows from the sizes; if one succeeds in the end, how
many failed before depends on where the huge page lies, which the table does not say: that number
is read off the row.  In each of them the huge page that can't be moved takes five calls of
migrate_pages(), as does every lot of up to 32 single pages."""

from __future__ import annotations

import functools
from collections.abc import Set
from typing import NamedTuple

from mmsim.compare.pins import COUNTERS, OTHER_LOOP, measured_version
from mmsim.compare.rows import Row, RowComparison
from mmsim.errno import EBUSY, ENOMEM
from mmsim.mm.cma import ALLOC_CONTIG_TRIES
from mmsim.mm.migration_target import AVAILABLE, NONE
from mmsim.mm.versions import Version
from mmsim.probe import migrate_returns
from mmsim.scenarios import cma_alloc

AREA_PAGES = 65_536
OTHERS_MOVED = "vmstat counts the whole machine: probably a page of somebody else lay in the range"


def is_contig_row(columns: Set[str]) -> bool:
    """Are these the columns of a table of requests to a CMA area?"""
    return {"code", "variant", "cma_alloc_pages", "write_errno"} <= columns


class Range(NamedTuple):
    """What one range gives: results, and the counters that move."""

    contig: int
    first_migrate: int
    counters: tuple[tuple[str, int], ...]


@functools.lru_cache(maxsize=64)
def _range(version: Version, thps: int, held: bool, targets: str) -> Range:
    """The model's run of a request for exactly the memory that the huge pages are in."""
    knobs = {"blocks": thps, "wanted": thps, "thps": thps, "stranger": int(held)}
    trace = cma_alloc(version, **knobs, targets=targets).run()
    moved = trace.last.world.vmstat
    result = min(trace.results["owner"], 0)
    return Range(result, migrate_returns(trace)[0], tuple((name, moved[name]) for name in COUNTERS))


def compare_contig_row(number: int, row: Row) -> RowComparison:
    """Compare one row; ValueError or KeyError if it can't be read."""
    version = measured_version(row["code"], row["variant"], row.get("retfix", "1"))
    if version is None:
        return RowComparison(number, "", "skipped", {}, {}, {}, OTHER_LOOP)
    targets = NONE if row["alloc_mode"] == "inject" else AVAILABLE
    one = _range(version, int(row["n_thp"]), row["held_ref"] == "1", targets)
    read_off: dict[str, int] = {}
    failed, taken = int(one.contig < 0), one.contig == 0
    if one.contig == -EBUSY and int(row["write_errno"]) == 0:
        read_off = {name: int(row[name]) for name in ("d_thp_migration_fail", "write_errno")}
        failed, taken = read_off["d_thp_migration_fail"] // ALLOC_CONTIG_TRIES, True
    elif one.contig == -EBUSY:
        failed = AREA_PAGES - int(row["cma_alloc_pages"]) + 1
    predicted = {
        "write_errno": 0 if taken else -ENOMEM,
        "first_migrate_ret": one.first_migrate,
        "first_contig_ret": one.contig,
        "last_contig_ret": 0 if taken else one.contig,
        **{f"d_{name}": n * max(failed, 1) for name, n in one.counters},
        "d_cma_alloc_success": int(taken),
        "d_cma_alloc_fail": int(not taken),
    }
    predicted = {name: n for name, n in predicted.items() if name in row and name not in read_off}
    measured = {name: int(row[name]) for name in predicted}
    result = RowComparison(number, version.name, "agree", read_off, predicted, measured, "")
    if not result.differing:
        return result
    surplus = measured["d_pgmigrate_success"] > predicted["d_pgmigrate_success"]
    if read_off and surplus and result.differing == ["d_pgmigrate_success"]:
        return result._replace(verdict="explained", why=OTHERS_MOVED)
    return result._replace(verdict="disagree")
