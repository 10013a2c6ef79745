"""Free memory while a guest is populated: measured curves, the model's, and half of what is free.

Interface: populate_chart, CMA_MIB

One panel for each size of CMA area.  The model starts from the two counts that the kernel had
before the first step, and is told nothing more.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from mmsim.compare.cma_fallback import FREE, FREE_CMA, FROM_CMA, Steps, curves, populate, zone_with
from mmsim.constants import PAGE_SIZE
from mmsim.datafiles import load_csv
from mmsim.views.figures import STYLE, Chart, legend, panelled
from mmsim.views.svg import BLUE, GREEN, INK, VERMILION

FILE = "s9_cma_fallback.csv"
CMA_MIB = (64, 256, 512)
# The kind of a measured curve -> what it is called, and how its points are drawn.
KINDS = {"anon_4k": ("single pages", "o"), "shmem_thp": ("huge pages", "D")}
PER_MIB = (1 << 20) // PAGE_SIZE
EVERY = 32
"""One of so many measured steps is drawn, each kind at other ones."""


class Course(NamedTuple):
    """One curve, measured and in the model; pages, one number for each step from 0 on."""

    kind: str
    mapped_mib: list[int]
    free: list[int]
    free_cma: list[int]
    from_cma: list[int]
    model_free: list[int]
    model_cma: list[int]

    def first(self, counts: list[int]) -> int:
        """MiB populated when the first page comes from CMA."""
        return self.mapped_mib[next(i for i, n in enumerate(counts) if n)]

    @property
    def model_from_cma(self) -> list[int]:
        """Pages from CMA in each step, in the model."""
        fall = [a - b for a, b in zip(self.model_cma, self.model_cma[1:], strict=False)]
        return [0, *fall]

    @property
    def apart(self) -> int:
        """The most by which free CMA differs, in pages."""
        pairs = zip(self.free_cma, self.model_cma, strict=True)
        return max(abs(measured - model) for measured, model in pairs)


def _course(curve: Steps) -> Course:
    rows = [curve.start, *(row for _, row in curve.rows)]
    zone = zone_with(int(curve.start[FREE]), int(curve.start[FREE_CMA]))
    model = [(zone.nr_free, zone.nr_free_cma)]
    for _, row in curve.rows:
        populate(zone, int(row["pages_in_step"]), huge=curve.huge)
        model.append((zone.nr_free, zone.nr_free_cma))

    def column(name: str) -> list[int]:
        return [int(row[name]) for row in rows]

    return Course(
        kind=curve.start["kind"],
        mapped_mib=column("mapped_mib"),
        free=column(FREE),
        free_cma=column(FREE_CMA),
        from_cma=column(FROM_CMA),
        model_free=[free for free, _ in model],
        model_cma=[cma for _, cma in model],
    )


@functools.cache
def _courses() -> dict[int, list[Course]]:
    """MiB of CMA -> the curves with it, in the order of KINDS."""
    found: dict[int, dict[str, Course]] = {mib: {} for mib in CMA_MIB}
    for curve in curves(load_csv(f"kernel-runs/{FILE}")).values():
        if curve.start["kind"] in KINDS:
            mib = int(curve.start["cma_area_pages"]) // PER_MIB
            found[mib][curve.start["kind"]] = _course(curve)
    return {mib: [kinds[kind] for kind in KINDS] for mib, kinds in found.items()}


def populate_chart() -> Chart:
    """Free memory and free CMA over memory populated, with the line at half of free memory."""
    import matplotlib
    import pandas as pd

    courses = _courses()
    cells, index = [], []
    for mib in CMA_MIB:
        for course in courses[mib]:
            index.append(f"{mib} MiB, {KINDS[course.kind][0]}")
            cells.append(
                [
                    course.first(course.from_cma),
                    course.first(course.model_from_cma),
                    sum(course.from_cma),
                    sum(course.model_from_cma),
                    course.apart,
                ]
            )
    columns = [
        "first CMA page by, MiB",
        "in the model",
        "pages from CMA",
        "in the model's run",
        "most pages apart",
    ]
    table = pd.DataFrame(
        cells, index=pd.Index(index, name="CMA and guest", dtype=object), columns=columns
    )
    total = sum(len(course.free) - 1 for found in courses.values() for course in found)
    apart = max(course.apart for found in courses.values() for course in found)
    least = max(course.free[0] for found in courses.values() for course in found)
    begins = ", ".join(
        f"{mib} MiB: by {courses[mib][0].first(courses[mib][0].from_cma)}" for mib in CMA_MIB
    )
    sentence = (
        "Memory is populated, and free CMA stays as it is until it is half of free memory; from "
        "then on every other page comes from there. First page from CMA, single pages, with CMA of "
        f"{begins} MiB populated. In {total:,} measured steps free CMA and the model's are at most "
        f"{apart:,} pages apart, {100 * apart / least:.2f} % of memory."
    )
    rows = sum(len(course.free) for found in courses.values() for course in found)
    note = (
        f"data/kernel-runs/{FILE}: {rows:,} rows, one in {EVERY} drawn; "
        "the model starts from the counts of step 0"
    )
    with matplotlib.rc_context(STYLE):
        figure = _figure(courses, note)
    alt = f"Three panels, one for each CMA size, with falling lines and points on them. {sentence}"
    return Chart(figure, sentence, table, alt)


def _mib(pages: list[int]) -> list[float]:
    return [n / PER_MIB for n in pages]


def _figure(courses: dict[int, list[Course]], note: str) -> Any:
    title = "CMA is left alone until it is half of what is free, and stays at half from then on"
    figure, panels = panelled(len(courses), title, note)
    handles: list[Any] = []
    for panel, (mib, found) in zip(panels, courses.items(), strict=True):
        single = found[0]
        x = single.mapped_mib
        (free,) = panel.plot(x, _mib(single.model_free), "-", color=BLUE, label="free, model")
        half = [n / 2 for n in _mib(single.model_free)]
        (line,) = panel.plot(x, half, "--", color=INK, linewidth=1.1, label="half of it")
        (cma,) = panel.plot(
            x, _mib(single.model_cma), "-", color=GREEN, linewidth=2.4, label="free CMA, model"
        )
        points = []
        for number, course in enumerate(found):
            name, sign = KINDS[course.kind]
            some = slice(number * EVERY // 2, None, EVERY)
            for pages in (course.free, course.free_cma):
                (drawn,) = panel.plot(
                    course.mapped_mib[some], _mib(pages)[some], sign, color="white",
                    markeredgecolor=VERMILION, markersize=5, markeredgewidth=1.2,
                    label=f"measured, {name}",
                )  # fmt: skip
            points.append(drawn)
        panel.set_title(f"CMA {mib} MiB", fontsize=11, loc="left")
        panel.set_xlabel("populated, MiB", labelpad=1)
        panel.set_xlim(-15, 960)
        handles = [free, line, cma, *points]
    panels[0].set_ylim(0, 1020)
    panels[0].set_ylabel("free, MiB")
    legend(figure, handles)
    return figure
