"""What a real kernel said of its memory while it was taken to pieces, and the pins tried on it.

Interface: fragmented, fragmented_pins, STAGES

Everything is counted from the measured rows of s10; nothing here is the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.constants import HPAGE_PMD_ORDER, MIGRATE_CMA
from mmsim.datafiles import load_csv
from mmsim.mm.fragmentation import PIN_SCOPE_TYPES, printed, read_printed, suitable, summed
from mmsim.views.figures import HATCHES, STYLE, Chart, legend, panelled
from mmsim.views.svg import BLUE, FILLS, INK, VERMILION

if TYPE_CHECKING:
    import pandas as pd

LISTS, INDICES = "kernel-runs/s10_pagetypeinfo.csv", "kernel-runs/s10_extfrag.csv"
COUNTS, PINS = "kernel-runs/s10_snapshots.csv", "kernel-runs/s10_s2_real_fragmentation_pins.csv"
PINNED, MOVABLE = "b8_s10_pinned", ("b9_s10_movable_second", "b9_s10_movable_third")
# snapshot -> what had been done by then
STAGES = {
    "0_start": "just\nbooted",
    "1_filled_with_4k_anon": "filled with\n4 KiB pages",
    "2_cma_given_back": "CMA\nfreed",
    "3_odd_pfns_freed_even_held": "every other\npage freed",
    "4_order9_outside_cma_used_up": "order 9\nused up",
}
BLOCKS = "2 MiB "
OUTSIDE, INSIDE = f"{BLOCKS}outside CMA", f"{BLOCKS}in CMA"
UNUSABLE, EXTFRAG = "unusable_index", "extfrag_index"


class Stage(NamedTuple):
    """A moment: blocks of 2 MiB to be had, the kernel's indices in thousandths, free pages."""

    outside: int
    inside: int
    unusable: int
    extfrag: int
    free: int
    free_cma: int


def _lists(snapshot: str) -> Mapping[str, list[int]]:
    """Migratetype, in upper case -> free blocks of each order."""
    found: dict[str, list[int]] = {}
    for row in load_csv(LISTS):
        if (row["boot"], row["snapshot"]) == (PINNED, snapshot):
            blocks = found.setdefault(row["migratetype"].upper(), [])
            assert int(row["order"]) == len(blocks)
            blocks.append(int(row["free_blocks"]))
    return found


def _index(snapshot: str, name: str) -> int:
    """What the kernel printed for order 9, in thousandths."""
    wanted = {"boot": PINNED, "snapshot": snapshot, "index": name, "order": str(HPAGE_PMD_ORDER)}
    (row,) = (row for row in load_csv(INDICES) if wanted.items() <= row.items())
    return read_printed(row["value"])


def _stage(snapshot: str) -> Stage:
    lists = _lists(snapshot)
    wanted = {"boot": PINNED, "snapshot": snapshot}
    (count,) = (row for row in load_csv(COUNTS) if wanted.items() <= row.items())
    return Stage(
        outside=suitable(summed(lists, PIN_SCOPE_TYPES), HPAGE_PMD_ORDER),
        inside=suitable(lists[MIGRATE_CMA], HPAGE_PMD_ORDER),
        unusable=_index(snapshot, UNUSABLE),
        extfrag=_index(snapshot, EXTFRAG),
        free=int(count["nr_free_pages_4k"]),
        free_cma=int(count["nr_free_cma_4k"]),
    )


def fragmented() -> Chart:
    """Blocks of 2 MiB to be had, and the kernel's indices, while memory falls to pieces."""
    import matplotlib
    import pandas as pd

    stages = {snapshot: _stage(snapshot) for snapshot in STAGES}
    table = pd.DataFrame(
        [
            (s.free, s.free_cma, s.outside, s.inside, printed(s.unusable), printed(s.extfrag))
            for s in stages.values()
        ],
        index=pd.Index([words.replace("\n", " ") for words in STAGES.values()], name="moment"),
        columns=["free pages", "free in CMA", OUTSIDE, INSIDE, UNUSABLE, EXTFRAG],
        dtype=object,
    )
    first, last = stages[next(iter(STAGES))], stages[[*STAGES][-1]]
    share = f"{100 * last.free_cma / last.free:.0f} %"
    sentence = (
        f"Measured: blocks of 2 MiB outside CMA go from {first.outside} to {last.outside}, in CMA "
        f"there are {last.inside} at the end, when CMA is {share} of what is free; unusable_index "
        f"{_moved(first.unusable, last.unusable)}, extfrag_index "
        f"{_moved(first.extfrag, last.extfrag)}."
    )
    title = (
        f"No huge page is left for a pin, and extfrag_index still says {printed(last.extfrag)}"
        if not last.outside
        else f"Huge pages left for a pin: {last.outside}"
    )
    note = f"data/{LISTS} and s10_extfrag.csv: one boot, one zone, order 9, read off once each"
    with matplotlib.rc_context(STYLE):
        figure = _draw(stages, title, note)
    return Chart(figure, sentence, table, f"Bars on the left, points on the right. {sentence}")


def _moved(before: int, after: int) -> str:
    if before == after:
        return f"stays at {printed(after)}"
    return f"goes from {printed(before)} to {printed(after)}"


def _draw(stages: Mapping[str, Stage], title: str, note: str) -> Any:
    figure, (left, right) = panelled(2, title, note, same_y=False)
    figure.subplots_adjust(wspace=0.22)
    places = range(len(stages))
    handles: list[Any] = []
    for shift, name, fill in ((-0.2, OUTSIDE, FILLS["MOVABLE"]), (0.2, INSIDE, FILLS["CMA"])):
        values = [s.outside if name == OUTSIDE else s.inside for s in stages.values()]
        bars = left.bar(
            [at + shift for at in places], values, 0.38, facecolor=fill.ground,
            edgecolor=fill.mark, hatch=HATCHES[fill.pattern], label=name.removeprefix(BLOCKS),
        )  # fmt: skip
        left.bar_label(bars, fontsize=8.5, padding=1)
        handles.append(bars)
    left.set_ylabel("blocks of 2 MiB to be had")
    left.set_ylim(0, max(max(s.outside, s.inside) for s in stages.values()) * 1.12)
    for name, sign, colour, below in ((UNUSABLE, "D", VERMILION, 8), (EXTFRAG, "s", BLUE, 8)):
        values = [s.unusable if name == UNUSABLE else s.extfrag for s in stages.values()]
        (points,) = right.plot(
            places, [value / 1000 for value in values], sign, color=colour, markersize=8,
            markeredgecolor=INK, label=name,
        )  # fmt: skip
        for at, value in zip(places, values, strict=True):
            where = {"xytext": (0, below), "textcoords": "offset points", "ha": "center"}
            right.annotate(printed(value), (at, value / 1000), fontsize=8.5, **where)
        handles.append(points)
    right.set_ylim(-1.15, 1.15)
    right.set_ylabel("as the kernel prints it")
    right.axhline(0, color=INK, linewidth=0.8)
    for panel in (left, right):
        panel.set_xticks(places, STAGES.values(), fontsize=8)
        panel.set_xlim(-0.6, len(stages) - 0.4)
    legend(figure, handles)
    return figure


# -- pins on such a machine

_KINDS = {
    "can't be moved": ((PINNED,), "S2_real"),
    "can't be moved; a foreign reference on the huge page": ((PINNED,), "S3_real_held"),
    "can be moved": (MOVABLE, "S2_real"),
}


def fragmented_pins() -> pd.DataFrame:
    """Pins of huge pages on machines in pieces: where they lay, what became of them."""
    import pandas as pd

    rows = []
    for boots, scenario in _KINDS.values():
        pins = [r for r in load_csv(PINS) if r["boot"] in boots and r["scenario"] == scenario]
        huge = sum(int(r["thp_before"]) for r in pins)
        inside = sum(int(r["cma_pages_before"]) for r in pins) >> HPAGE_PMD_ORDER
        whole = sum(int(r["d_thp_migration_success"]) for r in pins)
        split = sum(int(r["d_thp_split_page"]) for r in pins)
        failed = sum(r["pin_errno"] != "0" for r in pins)
        rows.append((len(pins), huge, inside, whole, split, failed))
    columns = ["pins", "huge pages", "of them in CMA", "moved whole", "split", "failed pins"]
    index = pd.Index(list(_KINDS), name="the pages in between", dtype=object)
    return pd.DataFrame(rows, index=index, columns=columns, dtype=object)
