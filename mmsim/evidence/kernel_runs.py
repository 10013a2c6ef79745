"""Measured rows against the model, number by number.

A row of data/kernel-runs says what was set up and what a real kernel did.  What follows from the
set-up is predicted by the model; what depends on timing is read off the row, and said.  A function
for each kind of table does that; the functions are listed at the end.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from mmsim import datafiles, errno
from mmsim.constants import (
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    MIGRATE_CMA,
    MIGRATE_COUNTERS,
    MIGRATE_PASSES,
    PAGE_SIZE,
)
from mmsim.errno import EBUSY, ENOMEM
from mmsim.errors import UserError, nearest
from mmsim.evidence.measured import VARIANTS, VERSION_OF, measured_version
from mmsim.evidence.vectors import run_drop_caches, run_gup
from mmsim.mm.boot import boot
from mmsim.mm.cma import ALLOC_CONTIG_TRIES
from mmsim.mm.fragmentation import extfrag_index, parse_index, unusable_index
from mmsim.mm.page_alloc import get_page_from_freelist, request, take_block
from mmsim.mm.seams import Version
from mmsim.mm.versions import BASE, VERSIONS
from mmsim.mm.world import AVAILABLE, NONE
from mmsim.mm.zone import Zone
from mmsim.scenarios import cma_alloc
from mmsim.scenarios.observed import migrate_returns

Found = TypeVar("Found")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
EVERY_VERSION = "every version"
VERDICTS = ("agree", "explained", "disagree", "skipped")
ROWS_TOLD_MAX = 20
"""So many rows of a file are told one by one."""


# -- rows, and what is said of them


class TableRow(dict[str, str]):
    """A row of a table, column -> text, and its line in the file.

    `seen`, which all rows of a table share, is told which columns were read."""

    def __init__(self, line: int, cells: Mapping[str, str], seen: set[str]) -> None:
        super().__init__(cells)
        self.line, self.seen = line, seen

    def __getitem__(self, column: str) -> str:
        if column not in self:
            raise UserError(f"no column {column}")
        self.seen.add(column)
        return super().__getitem__(column)

    def whole(self, column: str, least: int | None = None, most: int | None = None) -> int:
        """The whole number in a column; UserError if it is none, or out of range."""
        text = self[column]
        if not _WHOLE.fullmatch(text):
            raise UserError(f"column {column} is {text!r}, not a whole number")
        value = int(text)
        if least is not None and value < least:
            raise UserError(f"column {column} is {value}; the least is {least}")
        if most is not None and value > most:
            raise UserError(f"column {column} is {value}; the most is {most}")
        return value

    def one_of(self, column: str, known: Collection[str]) -> str:
        """The word in a column; UserError if it is none of the `known` ones."""
        text = self[column]
        if text not in known:
            raise UserError(f"column {column} is {text!r}{nearest(text, known)}")
        return text

    def flag(self, column: str) -> bool:
        """Whether a column has 1 and not 0; UserError for anything else."""
        return self.one_of(column, ("0", "1")) == "1"


def rows_of(file: Path) -> list[TableRow]:
    """The rows of a table, at least one."""
    seen: set[str] = set()
    rows = [TableRow(line, row, seen) for line, row in enumerate(datafiles.read_csv(file), start=2)]
    if not rows:  # line 1 is the header
        raise UserError(f"{file} has a header but no row")
    return rows


def _each(rows: list[TableRow], read: Callable[[TableRow], Found]) -> list[Found]:
    """What `read` makes of each row; UserError with the line of a bad one."""
    found: list[Found] = []
    for row in rows:
        try:
            found.append(read(row))
        except ValueError as error:
            raise UserError(f"line {row.line}: can't be read: {error}") from None
    return found


class RowComparison(NamedTuple):
    """One row.  `verdict`: agree, explained, disagree or skipped; `why` explains it."""

    number: int
    version: str
    verdict: str
    read_off: dict[str, int]
    predicted: dict[str, int]
    measured: dict[str, int]
    why: str

    @property
    def differing(self) -> list[str]:
        """Columns whose numbers are not the same."""
        return [name for name, value in self.predicted.items() if self.measured[name] != value]

    @classmethod
    def skipped(cls, row: TableRow, version: str, why: str) -> RowComparison:
        """A row that is not compared."""
        return cls(row.line, version, "skipped", {}, {}, {}, why)

    def surplus(self, *columns: str) -> bool:
        """Does nothing else differ, and was more measured than predicted?"""
        return set(self.differing) <= set(columns) and all(
            self.measured[name] > self.predicted[name] for name in self.differing
        )

    def judged(self, why: str) -> RowComparison:
        """With its verdict; `why` the numbers differ, if they do and that is known."""
        if not self.differing:
            return self._replace(verdict="agree")
        return self._replace(verdict="explained" if why else "disagree", why=why)

    def __str__(self) -> str:
        numbers = ", ".join(
            f"{name} predicted {self.predicted[name]}, measured {self.measured[name]}"
            for name in self.differing
        )
        why = f"; {self.why}" if self.why else ""
        return f"  line {self.number} ({self.version}): {self.verdict}: {numbers}{why}"


class FileComparison(NamedTuple):
    """All rows of one file.  `notes`: what can be said of them together.  `not_used`: the columns
    that nothing was predicted from and that were not predicted."""

    file: str
    rows: list[RowComparison]
    notes: tuple[str, ...] = ()
    not_used: tuple[str, ...] = ()

    def having(self, verdict: str) -> list[RowComparison]:
        """The rows with this verdict."""
        return [row for row in self.rows if row.verdict == verdict]

    @property
    def numbers(self) -> int:
        """How many single numbers were compared."""
        return sum(len(row.predicted) for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "file": self.file,
            "numbers": self.numbers,
            **{verdict: len(self.having(verdict)) for verdict in VERDICTS},
            "notes": self.notes,
            "not_used": self.not_used,
            "rows": [{**row._asdict(), "differing": row.differing} for row in self.rows],
        }

    def __str__(self) -> str:
        agree, explained, disagree, skipped = map(self.having, VERDICTS)
        read_off = sorted({name for row in self.rows for name in row.read_off})
        predicted = dict.fromkeys(name for row in agree for name in row.predicted)
        not_used = [name if name.isprintable() else repr(name) for name in self.not_used]
        lines = [
            f"{self.file}: {len(self.rows)} rows; {len(agree)} agree, {len(explained)} explained, "
            f"{len(disagree)} disagree ({self.numbers} numbers)",
            f"  read off the row: {', '.join(read_off) or 'nothing'}",
            f"  predicted: {', '.join(predicted)}",
            f"  not used: {', '.join(not_used) or 'nothing'}",
            *_by_reason("not compared", skipped),
            *(f"  {note}" for note in self.notes),
        ]
        if len(explained) > ROWS_TOLD_MAX:  # what is alike is told once
            lines += _by_reason("explained", explained)
            explained = []
        return "\n".join([*lines, *map(str, (explained + disagree)[:ROWS_TOLD_MAX])])


def _by_reason(what: str, rows: list[RowComparison]) -> list[str]:
    reasons = sorted(Counter(row.why for row in rows).items())
    return [f"  {what}: {number} rows; {why}" for why, number in reasons]


def _compared(
    row: TableRow,
    version: str,
    predicted: Mapping[str, int],
    read_off: dict[str, int] | None = None,
) -> RowComparison:
    """The numbers that the row has.

    What was read off is predicted as well, and told only if the model can't come to it."""
    read_off = read_off or {}
    told = {n: v for n, v in predicted.items() if n in row and read_off.get(n) != v}
    measured = {name: row.whole(name) for name in told}
    return RowComparison(row.line, version, "", read_off, told, measured, "")


# -- which version stands for the kernel of a row

KNOWN_CODES = {code for code, _, _ in VERSION_OF}
UNMODIFIED_CODES = {code for code, variant, _ in VERSION_OF if variant == "unmodified"}
"""Kernels that nobody patched: their tables have no columns for what was patched."""
OTHER_LOOP = "the later loop without the patch or its return-value rule: no version of the model"


def kernel_of_row(row: TableRow) -> tuple[str, str, str]:
    """The kernel of a row, as VERSION_OF names those that it knows.

    A table without the column retfix is of kernels that have the return-value fix."""
    retfix = row.one_of("retfix", ("0", "1")) if "retfix" in row else "1"
    return row["code"], row["variant"], retfix


def version_of_row(row: TableRow) -> tuple[str, str]:
    """The version that behaves like the kernel of a row, or "" and why there is none."""
    code, variant, _ = kernel = kernel_of_row(row)
    if version := VERSION_OF.get(kernel):
        return version, ""
    if code in KNOWN_CODES - UNMODIFIED_CODES and variant in VARIANTS:
        return "", OTHER_LOOP
    return "", (
        f"no version of the model stands for kernel {code!r}, variant {variant!r}; "
        f"there are: {', '.join(VERSIONS)}"
    )


# -- long-term pins
#
# The set-up becomes a conformance vector, the model runs it, and every number that the row measured
# is predicted.  Two things depend on timing and are read off the row instead: how many splits were
# refused before a timed reference went away, and, where no split is tried, whether it was still
# there.
#
# The column gup_rule is not used.  It says which pages a pin drained from the batches of all CPUs:
# those that are on no LRU, or also those with a reference too many.  The model puts no page of
# these ranges into a batch, so both rules give the same.

NOT_IN_CMA = "the range was not entirely in CMA at the start"
NOT_WHOLE = "the range did not consist of huge pages alone, or of single pages alone, at the start"
COMPACTION = "whether compaction finds a huge page is not modelled"
DROP_CACHES = "depends on when drop_caches meets the pin; not deterministic"
PIECES_TRIED_AGAIN = "the kernel tried pieces of huge pages again, which no version does"
OTHERS_COMPACTED = "compaction ran meanwhile and moved pages of others, which vmstat counts too"

PIN_ROW_COUNTERS = (*MIGRATE_COUNTERS, "thp_split_page", "thp_split_page_failed")
REFUSALS = "d_thp_split_page_failed"

BACKINGS = ("thp", "base")
REF_NONE, REF_HELD, REF_TIMED = "none", "held", "timed"
REF_OF_DROP_CACHES = ("dropcaches", "dropcaches_once")
WITH_TARGETS = ("order9_ok", "order0")
WITHOUT_TARGETS = ("inject", "frag_pinned")
FRAG_MOVABLE = "frag_movable"
UNITS_MAX = 256
"""The largest measured CMA area has 512 MiB."""
REFS_MAX = 100_000


class Case(NamedTuple):
    """What a run depends on: enough to predict every number of a row."""

    version: str
    huge: bool
    units: int
    targets: bool
    held_until: int = 0
    """The pass before which the reference goes away; -1: never, 0: there is none."""
    refs: int = 1
    unit: int = 0
    """Which stretch of 2 MiB the reference is in."""
    page: int = 0
    """Which single page of that stretch it is to; of a huge page every page is alike."""
    dirty: bool = True


@functools.lru_cache(maxsize=1024)
def predict(case: Case) -> Mapping[str, int]:
    """Run the model for this case; answers the columns of a row with their numbers."""
    pages = case.units * HPAGE_PMD_NR
    entry = {
        "name": "U",
        "order": 9 if case.huge else 0,
        "count": case.units if case.huge else pages,
        "dirty": case.dirty,
    }
    at = case.unit if case.huge else case.unit * HPAGE_PMD_NR + case.page
    script: dict[str, Any] = {} if case.targets else {"order9_targets": "none"}
    if case.held_until:
        holder: dict[str, Any] = {"folio": f"U#{at}", "refs": case.refs}
        if case.held_until > 0:
            holder["to"] = {"pass": case.held_until, "site": "alloc"}
        script["strangers"] = [holder]
    vector = {
        "setup": {"folios": [entry]},
        "script": script,
        "operation": {"op": "pin_longterm", "range": ["U"], "write": True},
    }
    names = [f"U#{i}" for i in range(case.units)] if case.huge else []
    version = VERSIONS[case.version]
    found = run_gup(vector, version, {"folios": {name: {"split": True} for name in names}})
    result = found["calls"][0]["result"]
    return {
        "pin_errno": -errno.NUMBERS.get(result, 0),
        "thp_after": sum(not folio["split"] for folio in found["folios"].values()),
        "cma_pages_after": found["pages_in_cma_after"],
        **{f"d_{name}": found["counters"][name] for name in PIN_ROW_COUNTERS},
        "split_fail_at_check": found["refused"]["split at the check"],
        "split_fail_at_freeze": found["refused"]["split at the freeze"],
        "base_page_eagain_at_refcount": found["refused"]["move of a page"],
        "bytes_pinned": result * PAGE_SIZE if isinstance(result, int) else 0,
    }


def compare_pin_row(row: TableRow) -> RowComparison:
    """Compare one row; UserError if it can't be read."""
    version, why_not = version_of_row(row)
    huge = row.one_of("backing", BACKINGS) == "thp"
    units = row.whole("n_units_2mib", 1, UNITS_MAX)
    alloc_mode = row.one_of("alloc_mode", (*WITH_TARGETS, *WITHOUT_TARGETS, FRAG_MOVABLE))
    kind = row.one_of("ref_kind", (REF_NONE, REF_HELD, REF_TIMED, *REF_OF_DROP_CACHES))
    referred = kind in (REF_HELD, REF_TIMED)
    unit = row.whole("ref_unit", *((0, units - 1) if referred else ()))
    page = row.whole("ref_subpage", 0, HPAGE_PMD_NR - 1) if referred and not huge else 0
    refs = row.whole("n_refs", *((1, REFS_MAX) if referred else ()))
    if huge and alloc_mode == "order0":
        raise UserError("column alloc_mode is 'order0', but column backing is 'thp'")
    reasons = {
        DROP_CACHES: kind in REF_OF_DROP_CACHES,
        PIECES_TRIED_AGAIN: "subpage_retry_knob" in row and row.flag("subpage_retry_knob"),
        COMPACTION: alloc_mode == FRAG_MOVABLE,
        NOT_IN_CMA: row.whole("cma_pages_before") != units * HPAGE_PMD_NR,
        NOT_WHOLE: "thp_before" in row and row.whole("thp_before") != units * huge,
    }
    why_not = why_not or next((why for why, so in reasons.items() if so), "")
    dirty = "dirty" not in row or row.flag("dirty")
    targets = not huge or alloc_mode in WITH_TARGETS
    held_until, read_off = _held_until(row, kind, targets=targets)
    if why_not:
        return RowComparison.skipped(row, version, why_not)
    case = Case(version, huge, units, targets, dirty=dirty)
    if held_until:
        case = case._replace(held_until=held_until, refs=refs, unit=unit, page=page)
    predicted = dict(predict(case))
    if kind == REF_TIMED and targets:
        # How many passes a page was refused in before it was released is timing as well.
        del predicted["base_page_eagain_at_refcount"]
    found = _compared(row, version, predicted, read_off)
    others = "d_compact_stall" in row and found.surplus("d_pgmigrate_success", "d_pgmigrate_fail")
    return found.judged(OTHERS_COMPACTED if others and row.whole("d_compact_stall") > 0 else "")


def _held_until(row: TableRow, kind: str, *, targets: bool) -> tuple[int, dict[str, int]]:
    """The pass before which the reference goes away, as in a Case, and the columns that tell it."""
    if kind != REF_TIMED:
        return -1 if kind == REF_HELD else 0, {}
    if targets:  # no split is tried, so the result tells whether the reference was still there
        pin_errno = row.whole("pin_errno")
        return -1 if pin_errno else 0, {"pin_errno": pin_errno}
    refused = row.whole(REFUSALS, 0)
    return refused if refused < MIGRATE_PASSES else -1, {REFUSALS: refused}


def compare_probe_row(row: TableRow) -> RowComparison:
    """Compare a row of the cross-check with another pinning program, which pins huge pages while
    none can be allocated; UserError if it can't be read."""
    version, why_not = version_of_row(row)
    size = HPAGE_PMD_NR * PAGE_SIZE
    asked = row.whole("bytes_asked", size, UNITS_MAX * size)
    held = row.one_of("ref", ("no_ref", "held_ref")) == "held_ref"
    if asked % size:
        raise UserError(f"column bytes_asked is {asked}, not a multiple of {size}")
    if "cma_pages_before" in row and row.whole("cma_pages_before") != asked // PAGE_SIZE:
        why_not = why_not or NOT_IN_CMA
    if why_not:
        return RowComparison.skipped(row, version, why_not)
    case = Case(version, True, asked // size, targets=False, held_until=-1 if held else 0)
    return _compared(row, version, predict(case)).judged("")


# -- requests of a CMA area's owner
#
# The area has 256 MiB; one or two huge pages lie in it, and somebody may refer to the first.  What
# happens in one range follows from the set-up.  A kernel slides from one range to the next page by
# page: if every range fails, their number follows from the sizes; if one succeeds in the end, how
# many failed before depends on where the huge page lies, which the table does not say: that number
# is read off the row.  In each of them the huge page that can't be moved takes five calls of
# migrate_pages(), as does every lot of up to 32 single pages.

AREA_PAGES = 65_536
THPS_MAX = 2
"""As many huge pages as were ever in the measured area."""
OTHERS_MOVED = "vmstat counts the whole machine: probably a page of somebody else lay in the range"


@functools.lru_cache(maxsize=64)
def _range(
    version: Version, thps: int, held: bool, targets: str
) -> tuple[int, int, dict[str, int]]:
    """What a request for exactly the memory that the huge pages are in gives in the model: its
    result, what migrate_pages() returned first, and the counters that moved."""
    knobs = {"blocks": thps, "wanted": thps, "thps": thps, "holder": int(held)}
    trace = cma_alloc(version, **knobs, targets=targets).run()
    moved = {name: trace.last.world.vmstat[name] for name in PIN_ROW_COUNTERS}
    return min(trace.results["owner"], 0), migrate_returns(trace)[0], moved


def compare_contig_row(row: TableRow) -> RowComparison:
    """Compare one row; UserError if it can't be read."""
    _, why_not = version_of_row(row)
    version = measured_version(*kernel_of_row(row))
    targets = NONE if row.one_of("alloc_mode", ("inject", "order9_ok")) == "inject" else AVAILABLE
    thps = row.whole("n_thp", 1, THPS_MAX)
    held = row.flag("held_ref")
    asked = row.whole("cma_alloc_pages", thps * HPAGE_PMD_NR, AREA_PAGES)
    write_errno = row.whole("write_errno")
    if version is None:
        return RowComparison.skipped(row, "", why_not)
    contig, first_migrate, moved = _range(version, thps, held, targets)
    read_off: dict[str, int] = {}
    failed, taken = int(contig < 0), contig == 0
    if contig == -EBUSY and write_errno == 0:
        read_off = {
            "d_thp_migration_fail": row.whole("d_thp_migration_fail", 0),
            "write_errno": write_errno,
        }
        failed, taken = read_off["d_thp_migration_fail"] // ALLOC_CONTIG_TRIES, True
    elif contig == -EBUSY:
        failed = AREA_PAGES - asked + 1
    predicted = {
        "write_errno": 0 if taken else -ENOMEM,
        "first_migrate_ret": first_migrate,
        "first_contig_ret": contig,
        "last_contig_ret": 0 if taken else contig,
        **{f"d_{name}": n * max(failed, 1) for name, n in moved.items()},
        "d_cma_alloc_success": int(taken),
        "d_cma_alloc_fail": int(not taken),
    }
    found = _compared(row, version.name, predicted, read_off)
    return found.judged(OTHERS_MOVED if read_off and found.surplus("d_pgmigrate_success") else "")


# -- writes to drop_caches
#
# A row says how a memfd of 1,024 pages was filled and whether it was still mapped or referred to
# when 1 was written to drop_caches.  From that follow PG_dirty, and with the model's run what stays
# in the page cache.

DROP_PAGES = 1024
# A CPU keeps up to so many pages to itself before it adds them to /proc/vmstat (STAT_THRESHOLD).
STAT_THRESHOLD = 125
SHMEM_COUNTED_LATE = (
    "nr_shmem is counted per CPU and added up late; the page cache itself was counted page by page"
)


@functools.lru_cache(maxsize=32)
def predict_drop(*, huge: bool, dirty: bool, mapped: bool, held: bool) -> tuple[int, int]:
    """(pages dropped, writes counted) by the model."""
    order = HPAGE_PMD_ORDER if huge else 0
    entry: dict[str, Any] = {"name": "F", "order": order, "count": DROP_PAGES >> order}
    entry |= {"dirty": dirty, "pmd_maps" if huge else "pte_maps": int(mapped)}
    vector = {
        "setup": {"folios": [entry]},
        "script": {"strangers": [{"folio": "F#0"}]} if held else {},
        "operation": {"op": "drop_caches", "value": 1},
    }
    counters = run_drop_caches(vector, BASE, {})["counters"]
    return counters["nr_free_pages"], counters["drop_pagecache"]


def compare_drop_row(row: TableRow) -> RowComparison:
    """Compare one row; UserError if it can't be read."""
    mapped, written, held = (row.flag(column) for column in ("mapped", "written", "extra_ref"))
    huge = row.one_of("backing", BACKINGS) == "thp"
    allocated = row.one_of("populate", ("mmap_populate", "fallocate")) == "fallocate"
    if row.whole("pages_in_cache_before") != DROP_PAGES:
        why = f"the file did not have {DROP_PAGES} pages in the page cache"
        return RowComparison.skipped(row, "", why)
    # A write through a mapping is noted in the page table until the mapping goes.
    dirty = allocated or (written and not mapped)
    dropped, counted = predict_drop(huge=huge, dirty=dirty, mapped=mapped, held=held)
    predicted = {
        "kpageflags_dirty_before": int(dirty),
        "pages_in_cache_after_drop1": DROP_PAGES - dropped,
        "d_drop_pagecache": counted,
    }
    late = "nr_shmem_after"
    if late in row and "nr_shmem_before" in row:
        predicted[late] = row.whole("nr_shmem_before") - dropped
    found = _compared(row, BASE.name, predicted)
    explained = (
        found.differing == [late]
        and not huge
        and abs(found.measured[late] - found.predicted[late]) <= STAT_THRESHOLD
    )
    return found.judged(SHMEM_COUNTED_LATE if explained else "")


# -- steps of a guest that is populated, against the allocator's rule about CMA
#
# A row says how many free pages the zone had after a step of 4 MiB, how many of them were CMA, and
# how many pages of the step came from there.  Read off the row before: the two counts.  Predicted:
# does the next page come from CMA, as the rule says, and how many of the step's pages do?
#
# What is left over is the doing of the per-CPU lists, which the model has not got: single pages
# leave the free lists BATCH at a time and are handed out later.  That is never assumed: `why` is
# given only if the difference is smaller than one batch, or than one batch and the difference
# between the pages of this step and those that left the free lists.

RULE_COLUMN, FROM_CMA_COLUMN = "rule_cma_over_half_before_step", "pages_from_cma_in_step"
FREE_COLUMN, FREE_CMA_COLUMN = "nr_free_pages", "nr_free_cma"
STEP_KINDS = ("anon_4k", "shmem_4k", "shmem_thp")
# Of a host with 1 TiB, and of a step of 256 MiB: more is a slip of the pen.
FREE_MAX, STEP_PAGES_MAX = 1 << 28, 1 << 16
# The measured kernel has no hugetlb pages, so its pageblocks are as large as the largest block.
BLOCK_ORDER = 10
PCP_BATCH = 63
BEFORE_FIRST_STEP = "the state before the first step"
NOT_NEXT_STEP = "the row before is not the step before, so the state before the step is not known"


def zone_with(nr_free: int, nr_free_cma: int) -> Zone:
    """A zone with so many free pages, so many of them CMA, in as large blocks as possible."""
    size = 1 << BLOCK_ORDER
    ordinary, area = nr_free - nr_free_cma, nr_free_cma
    blocks, area_blocks = -(-ordinary // size), -(-area // size)
    zone = boot((blocks + area_blocks) * size, area_blocks * size, pageblock_order=BLOCK_ORDER)
    border = blocks * size
    for first, surplus in ((0, border - ordinary), (border, area_blocks * size - area)):
        for order in range(BLOCK_ORDER):
            if surplus >> order & 1:
                take_block(zone, first + (surplus >> order + 1 << order + 1), order)
    return zone


def populate(zone: Zone, pages: int, *, huge: bool) -> int:
    """Take so many movable pages out of the zone, in huge pages or single ones; answers how many
    came from CMA."""
    order = HPAGE_PMD_ORDER if huge else 0
    want, found = request(order), 0
    for _ in range(pages >> order):
        pfn = get_page_from_freelist(zone, want)
        if pfn is not None and zone.pageblock_type(pfn) == MIGRATE_CMA:
            found += 1 << order
    return found


class CurveStep(NamedTuple):
    """A row of a measured curve, with the state behind that step; step 0 is the state before."""

    row: TableRow
    number: int
    huge: bool
    pages: int
    free: int
    free_cma: int


def curves(rows: list[TableRow]) -> dict[str, list[CurveStep]]:
    """The curves of a table, by name, from step 0 on; UserError with the line of a bad row."""
    found: dict[str, list[CurveStep]] = {}

    def read(row: TableRow) -> None:
        boot, free = row["boot"], row.whole(FREE_COLUMN, 0, FREE_MAX)
        huge = "thp" in row.one_of("kind", STEP_KINDS)
        pages = row.whole("pages_in_step", 0, STEP_PAGES_MAX)
        if (number := row.whole("step", 0)) == 0:
            found.setdefault(boot, [])
        elif boot not in found:
            raise UserError(f"column boot is {boot!r}, of which no step 0 came before")
        free_cma = row.whole(FREE_CMA_COLUMN, 0, free)
        found[boot].append(CurveStep(row, number, huge, pages, free, free_cma))

    _each(rows, read)
    return found


def compare_steps(path: Path, rows: list[TableRow]) -> FileComparison:
    """Every step of every curve, and a line for each curve that says how well it is met."""
    compared: list[RowComparison] = []
    notes: list[str] = []
    for name, curve in curves(rows).items():
        steps = [_compare_step(*both) for both in pairwise(curve)]
        compared += [RowComparison.skipped(curve[0].row, EVERY_VERSION, BEFORE_FIRST_STEP), *steps]
        notes.append(_how_close(name, steps))
    return FileComparison(path.name, compared, tuple(notes))


def _compare_step(before: CurveStep, step: CurveStep) -> RowComparison:
    if step.number != before.number + 1:
        why = NOT_NEXT_STEP if step.number else BEFORE_FIRST_STEP
        return RowComparison.skipped(step.row, EVERY_VERSION, why)
    next_page = populate(zone_with(before.free, before.free_cma), 1, huge=False)
    of_the_step = populate(zone_with(before.free, before.free_cma), step.pages, huge=step.huge)
    predicted = {RULE_COLUMN: next_page, FROM_CMA_COLUMN: of_the_step}
    read_off = {FREE_COLUMN: before.free, FREE_CMA_COLUMN: before.free_cma}
    found = _compared(step.row, EVERY_VERSION, predicted, read_off)
    left = before.free - step.free  # pages that left the free lists meanwhile
    off = abs(predicted[FROM_CMA_COLUMN] - found.measured[FROM_CMA_COLUMN])
    why = ""
    if off < PCP_BATCH:
        why = f"per-CPU lists: less than the {PCP_BATCH} pages that such a list is filled with"
    elif off < PCP_BATCH + step.pages - left:
        why = "per-CPU lists: pages were handed out that had left the free lists before"
    elif off < PCP_BATCH + left - step.pages:
        why = "per-CPU lists: pages left the free lists that were not handed out in this step"
    return found.judged("" if RULE_COLUMN in found.differing else why)


def _how_close(boot: str, steps: list[RowComparison]) -> str:
    """In how many steps of a curve pages come from CMA or not as predicted, and by how many pages
    the steps are off."""
    known = [row for row in steps if row.predicted]
    pairs = [(row.predicted[FROM_CMA_COLUMN], row.measured[FROM_CMA_COLUMN]) for row in known]
    agreeing = sum((predicted > 0) == (measured > 0) for predicted, measured in pairs)
    off = [abs(predicted - measured) for predicted, measured in pairs if predicted != measured]
    said = f"{boot}: CMA or not as predicted in {agreeing} of {len(pairs)} steps"
    if not off:
        return f"{said}, no page differs"
    from_cma = sum(measured for _, measured in pairs)
    share = 100 * sum(off) / max(from_cma, 1)
    return (
        f"{said}; {len(off)} differ, the most by {max(off)} pages, all together by "
        f"{sum(off):,} ({share:.1f} % of the {from_cma:,} from CMA)"
    )


# -- fragmentation indices, recomputed from the free lists that were printed beside them
#
# A kernel shows its lists (pagetypeinfo), its indices (extfrag) and its counters (vmstat) in files
# of their own, which are read one after the other.  When they were read while pages came and went,
# lists and indices are those of different moments, and differ with good reason.  That is never
# assumed: `why` is given only if the lists do not add up to the counted free pages, and if lists
# that do exist have just the indices printed.

INDICES_FILE = "s10_extfrag.csv"
LISTS_FILE, COUNTERS_FILE = "s10_pagetypeinfo.csv", "s10_snapshots.csv"
HIGHEST_ORDER = 63
INDICES = {"unusable_index": unusable_index, "extfrag_index": extfrag_index}
Snapshot = tuple[str, ...]
"""Boot, snapshot and zone."""


def compare_indices(path: Path, rows: list[TableRow]) -> FileComparison:
    """Every row of a table of indices, in thousandths; no version changes how they are computed.

    Lists and counters of the same form stand in the same folder."""
    prefix = path.name.partition(INDICES_FILE)[0] if INDICES_FILE in path.name else ""
    lists = _lists(path.with_name(prefix + LISTS_FILE))
    pages = dict(_beside(path.with_name(prefix + COUNTERS_FILE), _counted))
    shown: defaultdict[Snapshot, dict[int, int]] = defaultdict(dict)

    def read(row: TableRow) -> tuple[Snapshot, RowComparison]:
        snapshot, order = _snapshot(row), row.whole("order")
        index = row.one_of("index", INDICES)
        if snapshot not in lists:
            raise UserError(f"{LISTS_FILE} has no lists of {' '.join(snapshot)}")
        measured = parse_index(row["value"])
        if index == "unusable_index":
            shown[snapshot][order] = measured
        numbers = {index: INDICES[index](lists[snapshot], order)}, {index: measured}
        return snapshot, RowComparison(row.line, EVERY_VERSION, "", {}, *numbers, "")

    judged = []
    for snapshot, found in _each(rows, read):
        why = ""
        if found.differing == ["unusable_index"]:
            why = _another_moment(lists[snapshot], pages.get(snapshot[:2]), shown[snapshot])
        judged.append(found.judged(why))
    return FileComparison(path.name, judged)


def _snapshot(row: TableRow) -> Snapshot:
    return row["boot"], row["snapshot"], row["zone"]


def _counted(row: TableRow) -> tuple[Snapshot, int]:
    """nr_free_pages of a kernel with one zone, so no zone is named."""
    return (row["boot"], row["snapshot"]), row.whole("nr_free_pages_4k", 0)


def _beside(file: Path, read: Callable[[TableRow], Found]) -> list[Found]:
    """What is read of each row of a table that stands beside; UserError names it and the line."""
    try:
        return _each(rows_of(file), read)
    except UserError as error:
        raise UserError(f"{file.name}, {error}") from None


def _lists(file: Path) -> dict[Snapshot, list[int]]:
    """Free blocks of each order over all migratetypes, for each snapshot."""
    found: defaultdict[Snapshot, Counter[int]] = defaultdict(Counter)

    def read(row: TableRow) -> None:
        order = row.whole("order", 0, HIGHEST_ORDER)
        found[_snapshot(row)][order] += row.whole("free_blocks", 0)

    _beside(file, read)
    return {name: [free[order] for order in range(max(free) + 1)] for name, free in found.items()}


def _another_moment(free: list[int], free_pages: int | None, shown: Mapping[int, int]) -> str:
    pages = sum(blocks << order for order, blocks in enumerate(free))
    if free_pages is None or free_pages == pages or not exist(free_pages, shown):
        return ""
    return (
        f"the lists were read at another moment: they add up to {pages} pages where nr_free_pages "
        f"is {free_pages}, and there are lists of {free_pages} pages with just these indices"
    )


def exist(pages: int, unusable: Mapping[int, int]) -> bool:
    """Whether free lists of `pages` pages exist that have these unusable indices (order -> index).

    From the largest order down: as few pages in blocks of at least that order as the index allows,
    which leaves the most freedom to the orders below.  Of order 0 every free page is usable.
    """
    usable = 0
    for order in sorted(unusable, reverse=True):
        # (pages - usable) * 1000 // pages == index  <=>  least <= usable <= most
        least = pages - ((unusable[order] + 1) * pages - 1) // 1000
        most = min(pages - -(-unusable[order] * pages // 1000), pages)
        usable = max(usable, -(-least >> order) << order) if order else pages
        if not least <= usable <= most:
            return False
    return pages > 0


# -- files

Compare = Callable[[Path, list[TableRow]], FileComparison]

OF_6_12 = "k612_"
"""What the names of the tables of Linux 6.12 begin with; they lie in a folder of their own."""
_COMPARED = (
    "s1_order9_available.csv",
    "s2_order9_alloc_fails.csv",
    "s3_held_reference.csv",
    "s3_guptest_crosscheck.csv",
    "s3_timed_release.csv",
    "s5_order0_pages.csv",
    "s7_pin_clean_dirty.csv",
    "s7_dropcaches_clean_dirty.csv",
    "s9_cma_fallback.csv",
    "s10_s2_real_fragmentation_pins.csv",
    "s11_cma_alloc_return_value.csv",
    INDICES_FILE,
)
_OF_6_1_ALONE = ("s5_order0_pages.csv", "s11_cma_alloc_return_value.csv")
COMPARED = (
    *_COMPARED,
    *(f"{OF_6_12}{name}" for name in _COMPARED if name not in _OF_6_1_ALONE),
)
NOT_COMPARED = {
    "s4_dropcaches_trials.csv": DROP_CACHES,
    "s4_pieces_counterfactual.csv": DROP_CACHES,
    "s4_causes_traced.csv": DROP_CACHES,
    "s10_pagetypeinfo.csv": "what the indices of s10_extfrag.csv are recomputed from",
}


def _by_row(compare: Callable[[TableRow], RowComparison]) -> Compare:
    return lambda path, rows: FileComparison(path.name, _each(rows, compare))


TABLES: dict[str, Compare] = {
    "ref_kind": _by_row(compare_pin_row),
    "bytes_asked": _by_row(compare_probe_row),
    "cma_alloc_pages": _by_row(compare_contig_row),
    "pages_in_cache_after_drop1": _by_row(compare_drop_row),
    FROM_CMA_COLUMN: compare_steps,
    "index": compare_indices,
}
"""The column that only this kind of table has -> how such a table is compared."""


def compare_file(name: str) -> FileComparison:
    """Compare a file of data/kernel-runs, or any of that form; UserError for others."""
    path = Path(name)
    plain = path.name.removeprefix(OF_6_12)
    if plain in NOT_COMPARED:
        raise UserError(f"{name} can't be compared: {NOT_COMPARED[plain]}")
    if not path.exists():
        tables = {file.name: file for file in datafiles.path("kernel-runs").rglob("*.csv")}
        if name not in tables:
            raise UserError(f"no table {name!r}{nearest(path.name, COMPARED)}")
        path = tables[name]
    rows = rows_of(path)
    compare = next((TABLES[column] for column in TABLES if column in rows[0]), None)
    if compare is None:
        raise UserError(f"{name} is no table that is compared: no column {' or '.join(TABLES)}")
    try:
        found = compare(path, rows)
    except UserError as error:
        raise UserError(f"{name}, {error}") from None
    if not found.numbers and len(found.having("skipped")) < len(rows):
        raise UserError(f"{name} has no column that can be predicted")
    return found._replace(
        not_used=tuple(column for column in rows[0] if column not in rows[0].seen)
    )
