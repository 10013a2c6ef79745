"""The bug in one picture: who holds the huge page, how far the pin has come, two counters.

A picture shows one `Stop`, a place on the pin's way.  The stops of every setting stand in a table
in `data/`, which `tools/build_first_screen.py` reads off runs of `vfio_map`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from mmsim import datafiles
from mmsim.amounts import plural
from mmsim.constants import HPAGE_PMD_NR, MIGRATE_PASSES, REPORTED
from mmsim.views.svg import (
    ACTOR_FILLS,
    BAD,
    FILLS,
    GOOD,
    INK,
    LINE,
    MARKED,
    MUTED,
    PANEL,
    SMALL_TEXT,
    Fill,
    Picture,
    Svg,
)

KERNELS = ("base", "v1", "v2")
NOBODY, NEVER = "nobody", "never"
LETS_GO = (NOBODY, *map(str, range(1, MIGRATE_PASSES)), NEVER)


class Stop(NamedTuple):
    """One place on the way of a pin, and what is true there.

    `explained`: the references that the check before a split counts on.  `outside`: pages of the
    guest that lie in ordinary memory.  `result`: what the pin returned, "" before its end."""

    place: str
    pass_: int
    cache: int
    mapping: int
    pin: int
    isolation: int
    holder: int
    explained: int
    whole: int
    outside: int
    thp_migration_fail: int
    thp_split_page_failed: int
    result: str = ""

    @property
    def held(self) -> int:
        """All references on the page."""
        return self.cache + self.mapping + self.pin + self.isolation + self.holder

    @property
    def counted(self) -> dict[str, int]:
        """The two counters of the report."""
        return {name: getattr(self, name) for name in REPORTED}

    @property
    def starts(self) -> bool | None:
        """Does the machine start?  None while that is not decided."""
        return None if not self.result else int(self.result) > 0


def words_of(kernel: str, lets_go: str) -> str:
    """A setting in words."""
    when = {NOBODY: "nobody holds it", NEVER: "never let go"}
    return f"{kernel}: {when.get(lets_go, f'let go before pass {lets_go}')}"


@cache
def stops(kernel: str, lets_go: str) -> list[Stop]:
    """The stops of a setting, as they are stored."""
    stored = datafiles.load_csv("lessons/first_screen.csv", kernel=kernel, lets_go=lets_go)
    rows = ([row[name] for name in Stop._fields] for row in stored)
    return [Stop._make([place, *map(int, numbers), result]) for place, *numbers, result in rows]


# -- in words

_SAID = {
    "start": "A machine is about to start. Its memory, one huge page, happens to lie in CMA.",
    "held": "Somebody takes a reference on the huge page: the holder.",
    "pin": f"The pin takes hold of all {HPAGE_PMD_NR} small pages of it.",
    "gup.unpin": "The page lies in CMA and may not be pinned there. The pin lets go; the page must "
    "move.",
    "no target": "Pass {pass_}: is there a free huge page elsewhere? None. So it must be split.",
    "refused": "Pass {pass_}: {held} references, {explained} expected. The split is refused.",
    "let go": "The holder lets go: {held} references.",
    "again": "The page is still on the list. Pass {pass_} tries again.",
    "split.cut": f"The count is as expected: the page is split into {HPAGE_PMD_NR} small ones.",
    "moved": "{outside} small pages have been moved to ordinary memory, one by one.",
    "given up": "No further try: the page stays in CMA.",
}


def stop_words(stop: Stop) -> str:
    """What happens at a stop, in one or two sentences."""
    if stop.starts:
        return "The pin holds all pages, outside CMA. The machine starts."
    if stop.starts is False:
        code = "The pin returns -ENOMEM. The machine does not start."
        return f"{code} Yet all pages were moved: lesson 04 says why." if stop.outside else code
    return _SAID[stop.place].format(**stop._asdict(), held=stop.held)


def setting_words(kernel: str, lets_go: str) -> str:
    """A setting and how it ends, for whoever can't see the picture."""
    way = stops(kernel, lets_go)
    end, passes = way[-1], plural(len(passes_of(way)), "pass", "passes")
    counted = ", ".join(f"{name} {n}" for name, n in end.counted.items())
    ends = "the machine starts" if end.starts else "-ENOMEM, the machine does not start"
    moved = " although all pages were moved" if end.outside and not end.starts else ""
    return f"{words_of(kernel, lets_go)}: {passes}, {counted}; {ends}{moved}."


def passes_of(way: Iterable[Stop]) -> dict[int, bool]:
    """The passes that were made so far, and whether the split was refused in each."""
    made: dict[int, bool] = {}
    for stop in way:
        if stop.place in ("no target", "refused", "again"):
            made[stop.pass_] = stop.place == "refused"
    return made


def last_refused(way: Sequence[Stop]) -> Stop:
    """The last stop at which the split was refused, or the holder left after that.

    Where nobody is in the way there is none, and it is the end."""
    return [way[-1], *(stop for stop in way if stop.place in ("refused", "let go"))][-1]


# -- the picture: two panels that stand side by side or, where there is no room, one above the other

WIDE, HIGH, EDGE = 444.0, 296.0, 14.0
_COUNTS = FILLS["counted on"]
_ROWS: tuple[tuple[str, str, Fill], ...] = (
    ("page cache", "cache", _COUNTS),
    ("mapping", "mapping", _COUNTS),
    ("the pin", "pin", ACTOR_FILLS[0]),
    ("isolation", "isolation", _COUNTS),
    ("holder", "holder", ACTOR_FILLS[1]),
)
ROW, LABEL = 22.0, 88.0


def _panel(svg: Svg) -> Svg:
    """A panel as large as the picture."""
    return svg.panel(2, 2, svg.width - 4, svg.height - 4).inside(EDGE - 2, -2, svg.width - 2 * EDGE)


def _draw_holders(svg: Svg, stop: Stop) -> None:
    """A bar for each who holds references: 1 is thin, 512 long and broken."""
    if not stop.whole:
        where = "in ordinary memory" if stop.outside else "still in CMA"
        pinned = ", pinned" if stop.starts else ""
        svg.text(0, 34, f"{HPAGE_PMD_NR} small pages, {where}{pinned},")
        svg.text(0, 54, "each with a count of its own")
        return
    for i, (name, field, fill) in enumerate(_ROWS):
        row, refs = svg.inside(0, i * ROW, svg.width), getattr(stop, field)
        if not refs:
            row.note(0, 13, name, LABEL - 2)
            row.note(LABEL, 13, "-", 20)
            continue
        row.text(0, 13, name, LABEL - 2, size=SMALL_TEXT, bold=True)
        row.quantity(LABEL, 0, row.width - LABEL - 40, 16, refs, fill)
        at, end = (LABEL + 17, "start") if refs == 1 else (row.width, "end")
        row.text(at, 13, str(refs), 38, bold=True, anchor=end)


def _draw_sum(svg: Svg, stop: Stop, decided: bool) -> None:
    """The count beside what is explained; the refusal is the only red mark of the picture."""
    svg.line(0, 0, svg.width, 0, stroke=LINE)
    if not stop.whole:
        return
    if not stop.isolation:
        svg.text(0, 19, f"{stop.held} references", bold=True)
        return
    sign, relation, colour = ("✔ ", "=", GOOD) if stop.held == stop.explained else ("✘ ", "≠", BAD)
    words = f"{stop.held} {relation} {stop.explained} expected"
    if not decided:
        sign, colour = "", INK
    svg.text(0, 19, sign + words, size=15, bold=True, fill=colour)


def _draw_ordinary(svg: Svg, stop: Stop) -> None:
    """Blocks that others have, free ones, and those into which the pages have been moved."""
    svg.text(0, 22, "Ordinary memory: free, but no 2 MiB in one piece", bold=True)
    cell = svg.width / 32
    free = [i for i in range(32) if i % 3 != 1 and i % 7 != 5]
    taken = free[: round(len(free) * stop.outside / HPAGE_PMD_NR)]
    for i in range(32):
        fill = FILLS["MOVABLE" if i in taken else "ISOLATE"]
        box = i * cell + 1, 31.0, cell - 2, 20.0
        if i in free and i not in taken:
            svg.rect(*box, fill=PANEL, stroke=LINE, stroke_width=1)
        else:
            svg.filled(*box, fill, stroke=fill.mark, stroke_width=0.8)


def _draw_cma(svg: Svg, stop: Stop) -> None:
    """The huge page whole, in pieces, or gone."""
    svg.text(0, 74, "CMA, lent out: the guest's huge page", bold=True)
    wide, middle, fill = svg.width, svg.width / 2, FILLS["CMA"]
    if stop.outside:
        svg.rect(0, 82, wide, 30, fill=PANEL, stroke=LINE, stroke_width=1.2, rx=3)
        svg.note(middle, 101, "empty", wide, anchor="middle")
    elif stop.whole:
        svg.filled(0, 82, wide, 30, fill, stroke=INK, stroke_width=1.4, rx=3)
        svg.rect(130, 88, wide - 260, 18, fill=fill.ground)
        svg.text(middle, 101, "one page of 2 MiB", wide - 262, size=SMALL_TEXT, anchor="middle")
    else:
        svg.filled(0, 82, wide, 30, fill)
        svg.grid((0, 82, wide, 30), wide / 64, 30 / 8)


def memory_svg(way: list[Stop]) -> str:
    """The left panel: the two kinds of memory, and who holds the huge page."""
    stop = way[-1]
    words = f"{stop.outside} pages in ordinary memory, {HPAGE_PMD_NR - stop.outside} in CMA"
    svg = Svg(WIDE, HIGH, words, f"{words}; {stop.held} references on the first of them.")
    panel = _panel(svg)
    _draw_ordinary(panel, stop)
    _draw_cma(panel, stop)
    decided = stop if stop.starts is None or not stop.whole else last_refused(way)
    when = "Who holds it" if decided is stop else "Who held it when the split was refused"
    panel.text(0, 137, when, bold=True)
    _draw_holders(panel.inside(0, 149, panel.width), decided)
    checked = decided.place in ("refused", "let go", "again", "given up")
    _draw_sum(panel.inside(0, 149 + 5 * ROW + 4, panel.width), decided, checked)
    return svg.render()


def _stations(way: list[Stop]) -> list[tuple[str, tuple[str, ...], str]]:
    """The questions on the way of a pin: each with its places, and what was answered so far."""
    places = [stop.place for stop in way]
    refused, again = places.count("refused"), places.count("again")
    tried = f"yes × {again}" if again else ""
    if "given up" in places:
        tried = f"{tried}, then no" if again else "no"
    split = "yes" if "split.cut" in places else ""
    if refused:
        split = f"no × {refused}" + (", then yes" if split else "")
    return [
        ("pin the memory", ("pin",), "done" if "pin" in places else ""),
        ("in CMA: it must leave", ("gup.unpin",), "yes" if "gup.unpin" in places else ""),
        ("free huge page elsewhere?", ("no target",), "none" if "no target" in places else ""),
        ("split it?", ("refused", "split.cut"), split),
        ("try again?", ("again", "let go", "given up"), tried),
        ("move the small pages", ("moved",), f"{way[-1].outside} moved" * ("moved" in places)),
    ]


def _draw_passes(svg: Svg, way: list[Stop]) -> None:
    """A circle for each pass that there could be: refused, passed, or not made."""
    made, wide = passes_of(way), svg.width / MIGRATE_PASSES
    under_way = way[-1].place not in ("end", "moved", "given up")
    was_split = any(stop.place == "split.cut" for stop in way)
    for n in range(MIGRATE_PASSES):
        at = svg.inside(wide * (n + 0.5), 0, 0)
        now = under_way and n == max(made, default=None)
        edge, ink = (INK, INK) if n in made else (LINE, MUTED)
        ground = MARKED if now else PANEL
        at.rect(-10, 0, 20, 20, rx=10, stroke_width=1.4, fill=ground, stroke=edge)
        at.text(0, 14.3, str(n), 20, size=SMALL_TEXT, bold=n in made, fill=ink, anchor="middle")
        if made.get(n):
            at.shape(-4, 24, "l8 8m0 -8l-8 8", stroke_width=1.8)
        elif n in made and was_split:
            at.shape(-4, 28, "l3 4l6 -8", stroke=GOOD, stroke_width=2)


def _draw_counters(svg: Svg, stop: Stop) -> None:
    for i, (name, n) in enumerate(stop.counted.items()):
        svg.text(0, i * 20, name, svg.width - 40, size=SMALL_TEXT)
        svg.text(svg.width, i * 20, str(n), 38, size=15, bold=True, anchor="end")


def _draw_end(svg: Svg, y: float, stop: Stop) -> None:
    if stop.starts is None:
        svg.text(0, y, "… not decided yet", fill=MUTED)
    elif stop.starts:
        svg.text(0, y, "✔ the machine starts", size=15, bold=True, fill=GOOD)
    else:
        svg.text(0, y, "✘ the machine does not start", size=15, bold=True)


def way_svg(way: list[Stop]) -> str:
    """The right panel: how far the pin has come, the passes, the counters, the end."""
    stop = way[-1]
    svg = Svg(WIDE, HIGH, stop_words(stop), stop_words(stop))
    panel = _panel(svg)
    panel.text(0, 22, "The way of the pin", bold=True)
    for i, (name, places, answer) in enumerate(_stations(way)):
        row, here = panel.inside(0, 31 + i * 22.0, panel.width), stop.place in places
        ground, edge, mark = (MARKED, INK, "● ") if here else (PANEL, LINE, "")
        row.rect(0, 0, 246, 19, rx=4, stroke_width=1.4 if here else 1, fill=ground, stroke=edge)
        row.text(9, 14, mark + name, 234, bold=here, fill=INK if here or answer else MUTED)
        if answer:
            row.text(256, 14, answer, bold=here)
    panel.note(0, 179, f"Passes: at most {MIGRATE_PASSES}")
    _draw_passes(panel.inside(0, 185, panel.width), way)
    _draw_counters(panel.inside(0, 237, panel.width), stop)
    panel.line(0, 265, panel.width, 265, stroke=LINE)
    _draw_end(panel, 285, stop)
    return svg.render()


def screen(way: list[Stop]) -> Picture:
    """Both panels."""
    return Picture([memory_svg(way), way_svg(way)], stop_words(way[-1]))


def frame_svg(kernel: str, lets_go: str) -> str:
    """The end of a setting in a small frame; the references are those of the last refusal."""
    way, title = stops(kernel, lets_go), words_of(kernel, lets_go)
    svg = Svg(296, 304, title, setting_words(kernel, lets_go))
    panel, decided = _panel(svg), last_refused(way)
    panel.text(0, 22, title, bold=True)
    _draw_holders(panel.inside(0, 34, panel.width), decided)
    _draw_sum(panel.inside(0, 34 + 5 * ROW + 2, panel.width), decided, True)
    panel.note(0, 188, "passes")
    _draw_passes(panel.inside(0, 193, panel.width), way)
    _draw_counters(panel.inside(0, 244, panel.width), way[-1])
    _draw_end(panel, 288, way[-1])
    return svg.render()
