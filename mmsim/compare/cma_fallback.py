"""Measured steps of a guest that is populated, against the allocator's rule about CMA.

Interface: compare_steps, populate, Steps, curves, Curve, NEEDED, PAGEBLOCK_ORDER, BATCH

A row says how many free pages the zone had after a step of 4 MiB, how many of them were CMA, and
how many pages of the step came from there.  Read off the row before: the two counts.  Predicted:
does the rule hold, and how many of the next pages come from CMA?

What is left over is the doing of the per-CPU lists, which the model has not got: single pages leave
the free lists BATCH at a time and are handed out later.  That is never assumed: `why` is given only
if the difference is smaller than one batch, or than one batch and the pages that did not come from
the free lists in this step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mmsim.compare.rows import FileComparison, Row, RowComparison, one_of, whole
from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_CMA
from mmsim.mm.page_alloc import alloc_pages, request, take
from mmsim.mm.zone import Zone, boot

RULE, FROM_CMA = "rule_cma_over_half_before_step", "pages_from_cma_in_step"
FREE, FREE_CMA = "nr_free_pages", "nr_free_cma"
NEEDED = ("boot", "kind", "step", "pages_in_step", FREE, FREE_CMA, RULE, FROM_CMA)
KINDS = ("anon_4k", "shmem_4k", "shmem_thp")
# Of a host with 1 TiB, and of a step of 256 MiB: more is a slip of the pen.
FREE_MAX, STEP_MAX = 1 << 28, 1 << 16
# The measured kernel has no hugetlb pages, so its pageblocks are as large as the largest block.
PAGEBLOCK_ORDER = 10
BATCH = 63
START = "the state before the first step"


def zone_with(nr_free: int, nr_free_cma: int) -> Zone:
    """A zone with so many free pages, so many of them CMA, in as large blocks as possible."""
    size = 1 << PAGEBLOCK_ORDER
    ordinary, area = nr_free - nr_free_cma, nr_free_cma
    blocks, area_blocks = -(-ordinary // size), -(-area // size)
    zone = boot((blocks + area_blocks) * size, area_blocks * size, pageblock_order=PAGEBLOCK_ORDER)
    border = blocks * size
    for first, surplus in ((0, border - ordinary), (border, area_blocks * size - area)):
        for order in range(PAGEBLOCK_ORDER):
            if surplus >> order & 1:
                take(zone, first + (surplus >> order + 1 << order + 1), order)
    return zone


def populate(zone: Zone, pages: int, *, huge: bool) -> int:
    """Take so many movable pages out of the zone, in huge pages or single ones; answers how many
    came from CMA."""
    order = HPAGE_PMD_ORDER if huge else 0
    want, found = request(order), 0
    for _ in range(pages >> order):
        pfn = alloc_pages(zone, want)
        if pfn is not None and zone.pageblock_type(pfn) == MIGRATE_CMA:
            found += 1 << order
    return found


class Steps(NamedTuple):
    """A measured curve: what the zone had before the first step, and the row of each step."""

    boot: str
    huge: bool
    line: int
    """Where the file has the state before the first step."""
    start: Row
    rows: list[tuple[int, Row]]
    """(line, row)."""


def curves(rows: list[Row]) -> dict[str, Steps]:
    """The curves of a table, by name; ValueError with the line of a row that can't be read."""
    found: dict[str, Steps] = {}
    for line, row in enumerate(rows, start=2):  # line 1 is the header
        try:
            whole(row, FREE_CMA, 0, whole(row, FREE, 0, FREE_MAX))
            whole(row, FROM_CMA)
            whole(row, RULE)
            whole(row, "pages_in_step", 0, STEP_MAX)
            huge = "thp" in one_of(row, "kind", KINDS)
            if whole(row, "step", 0) == 0:
                found[row["boot"]] = Steps(row["boot"], huge, line, row, [])
            elif row["boot"] in found:
                found[row["boot"]].rows.append((line, row))
            else:
                raise ValueError(f"column boot is {row['boot']!r}, of which no step 0 came before")
        except ValueError as error:
            raise ValueError(f"line {line}: can't be read as a step: {error}") from None
    return found


def compare_steps(file: str, rows: list[Row]) -> FileComparison:
    """Every step of every curve, and a line for each curve that says how well it is met."""
    compared: list[RowComparison] = []
    notes: list[str] = []
    for curve in curves(rows).values():
        compared.append(RowComparison(curve.line, "every version", "skipped", {}, {}, {}, START))
        steps = list(_steps(curve))
        compared += steps
        notes.append(str(Curve.of(curve, steps)))
    return FileComparison(file, compared, tuple(notes))


def _steps(curve: Steps) -> Iterator[RowComparison]:
    before = curve.start
    for line, row in curve.rows:
        read_off = {name: int(before[name]) for name in (FREE, FREE_CMA)}
        pages = int(row["pages_in_step"])
        zone = zone_with(read_off[FREE], read_off[FREE_CMA])
        predicted = {RULE: int(zone.nr_free_cma > zone.nr_free // 2)}
        predicted[FROM_CMA] = populate(zone, pages, huge=curve.huge)
        measured = {name: int(row[name]) for name in predicted}
        verdict, why = "agree", ""
        if predicted != measured:
            why = _why(predicted, measured, pages, read_off[FREE] - int(row[FREE]))
            verdict = "explained" if why else "disagree"
        yield RowComparison(line, "every version", verdict, read_off, predicted, measured, why)
        before = row


def _why(predicted: dict[str, int], measured: dict[str, int], pages: int, drop: int) -> str:
    """`drop`: how many pages left the free lists meanwhile."""
    off = abs(predicted[FROM_CMA] - measured[FROM_CMA])
    if predicted[RULE] != measured[RULE]:
        return ""
    if off < BATCH:
        return f"per-CPU lists: less than the {BATCH} pages that such a list is filled with"
    if off < BATCH + pages - drop:
        return "per-CPU lists: pages were handed out that had left the free lists before"
    return ""


class Curve(NamedTuple):
    """How well a curve is met: in how many of its steps pages come from CMA or not as predicted,
    and by how many pages the steps are off."""

    boot: str
    steps: int
    agreeing: int
    largest: int
    off: int
    differing: int
    from_cma: int

    @classmethod
    def of(cls, curve: Steps, steps: list[RowComparison]) -> Curve:
        """Sum up the steps of a curve."""
        pairs = [(row.predicted[FROM_CMA], row.measured[FROM_CMA]) for row in steps]
        off = [abs(predicted - measured) for predicted, measured in pairs]
        return cls(
            curve.boot,
            len(pairs),
            sum((predicted > 0) == (measured > 0) for predicted, measured in pairs),
            max(off, default=0),
            sum(off),
            sum(n > 0 for n in off),
            sum(measured for _, measured in pairs),
        )

    def __str__(self) -> str:
        said = f"{self.boot}: CMA or not as predicted in {self.agreeing} of {self.steps} steps"
        if not self.off:
            return f"{said}, no page differs"
        share = 100 * self.off / max(self.from_cma, 1)
        return (
            f"{said}; {self.differing} differ, the most by {self.largest} pages, all together by "
            f"{self.off:,} ({share:.1f} % of the {self.from_cma:,} from CMA)"
        )
