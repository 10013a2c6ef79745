"""Measured requests of a CMA area's owner against the model.

Interface: NEEDED, compare_contig_row, AREA_PAGES

The area has 256 MiB; one or two huge pages lie in it, and somebody may refer to the first.  What
happens in one range follows from the set-up.  A kernel slides from one range to the next page by
page: if every range fails, their number follows from the sizes; if one succeeds in the end, how
many failed before depends on where the huge page lies, which the table does not say: that number
is read off the row.  In each of them the huge page that can't be moved takes five calls of
migrate_pages(), as does every lot of up to 32 single pages."""

from __future__ import annotations

import functools
from typing import NamedTuple

from mmsim.compare.pins import COUNTERS, measured_version, version_of_row
from mmsim.compare.rows import Row, RowComparison, one_of, whole
from mmsim.constants import HPAGE_PMD_NR
from mmsim.errno import EBUSY, ENOMEM
from mmsim.mm.cma import ALLOC_CONTIG_TRIES
from mmsim.mm.versions import Version
from mmsim.mm.world import AVAILABLE, NONE
from mmsim.probe import migrate_returns
from mmsim.scenarios import cma_alloc

AREA_PAGES = 65_536
OTHERS_MOVED = "vmstat counts the whole machine: probably a page of somebody else lay in the range"


NEEDED = (
    "code",
    "variant",
    "alloc_mode",
    "held_ref",
    "cma_alloc_pages",
    "n_thp",
    "write_errno",
    "d_thp_migration_fail",
)
THPS_MAX = 2
"""As many huge pages as were ever in the measured area."""


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
    """Compare one row; ValueError if it can't be read."""
    _, why_not = version_of_row(row)
    version = measured_version(row["code"], row["variant"], row.get("retfix", "1"))
    targets = NONE if one_of(row, "alloc_mode", ("inject", "order9_ok")) == "inject" else AVAILABLE
    thps = whole(row, "n_thp", 1, THPS_MAX)
    held = one_of(row, "held_ref", ("0", "1")) == "1"
    asked = whole(row, "cma_alloc_pages", thps * HPAGE_PMD_NR, AREA_PAGES)
    write_errno = whole(row, "write_errno")
    if version is None:
        return RowComparison(number, "", "skipped", {}, {}, {}, why_not)
    one = _range(version, thps, held, targets)
    read_off: dict[str, int] = {}
    failed, taken = int(one.contig < 0), one.contig == 0
    if one.contig == -EBUSY and write_errno == 0:
        read_off = {
            "d_thp_migration_fail": whole(row, "d_thp_migration_fail", 0),
            "write_errno": write_errno,
        }
        failed, taken = read_off["d_thp_migration_fail"] // ALLOC_CONTIG_TRIES, True
    elif one.contig == -EBUSY:
        failed = AREA_PAGES - asked + 1
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
    measured = {name: whole(row, name) for name in predicted}
    result = RowComparison(number, version.name, "agree", read_off, predicted, measured, "")
    if not result.differing:
        return result
    moved = "d_pgmigrate_success"
    if read_off and result.differing == [moved] and measured[moved] > predicted[moved]:
        return result._replace(verdict="explained", why=OTHERS_MOVED)
    return result._replace(verdict="disagree")
