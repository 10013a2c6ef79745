"""The bug in one picture: who holds the huge page, how far the pin has come, two counters.

A picture shows one `Stop`, a place on the pin's way that is read off a run of `vfio_map`.  A run
that moves all the pieces takes a second, so the stops of every setting stand in a table in
`data/`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from mmsim import datafiles
from mmsim.constants import HPAGE_PMD_NR, MIGRATE_PASSES, REPORTED
from mmsim.engine.trace import Moment, Trace
from mmsim.mm.folio import ISOLATION
from mmsim.scenarios import Situation, make
from mmsim.views.ledger import SPLIT_CHECK, ledger
from mmsim.views.run import pieces
from mmsim.views.svg import (
    ACTOR_FILLS,
    BAD,
    BODY,
    FILLS,
    GOOD,
    INK,
    LINE,
    MARKED,
    MIGRATETYPES,
    MUTED,
    PANEL,
    SMALL,
    Fill,
    Picture,
    Svg,
)

TABLE = "lessons/first_screen.csv"
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


# -- read off a run


def setting(kernel: str, lets_go: str) -> Situation:
    """The situation of one position of the two controls."""
    when = {"holder": 0} if lets_go == NOBODY else {"released": lets_go}
    return make("vfio_map", kernel, when)


def _stop(moment: Moment, place: str, pass_: int) -> Stop:
    world = moment.world
    book = ledger(world, "A", check=SPLIT_CHECK)
    assert book is not None
    folio = world.folio(world.find("A", 0))
    held = dict(folio.held)
    _, outside = pieces(world, "A")
    pin = sum(n for who, n in held.items() if who.endswith(" (pin)"))
    people = held.get(ISOLATION, 0), held.get("holder", 0)
    counters = (world.vmstat[name] for name in REPORTED)
    refs = (folio.cache_refs, folio.mapcount, pin, *people)
    return Stop(place, pass_, *refs, book.check.expected, folio.is_thp, outside, *counters)


def stops_of(trace: Trace) -> Iterator[Stop]:
    """The stops of a run, in order; the last one has its result."""
    pass_, huge, pins, place = 0, True, 0, "start"
    yield _stop(trace.at(0), "start", 0)
    for position, event in enumerate(trace.events, start=1):
        told, site = event.op.told, event.site
        if site == "visit":
            huge = told["huge"]
            again = huge and told["pass_"] > pass_
            pass_ = told["pass_"] if huge else pass_
            if again:
                yield _stop(trace.at(position), "again", pass_)
        elif site == "gup.pin":
            pins += 1
            place = "pin" if pins == 1 else ""
        elif site in ("gup.unpin", "holder.get", "holder.put", "split.cut"):
            place = {"holder.get": "held", "holder.put": "let go"}.get(site, site)
        elif site == "move.target" and huge:
            place = "no target"
        elif site == "split.end" and told["ret"] < 0:
            place = "refused"
        elif site == "migrate.end":
            place = "moved" if not huge else "given up"
        else:
            place = ""
        if site != "visit" and place:
            yield _stop(trace.at(position), place, pass_)
    result = str(trace.results["pin"])
    yield _stop(trace.at(), "end", pass_)._replace(result=result)


def table() -> str:
    """The stops of every setting as CSV, from the model: half a minute."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kernel", "lets_go", *Stop._fields])
    for kernel in KERNELS:
        for lets_go in LETS_GO:
            for stop in stops_of(setting(kernel, lets_go).run()):
                writer.writerow([kernel, lets_go, *stop._replace(whole=int(stop.whole))])
    return out.getvalue()


@cache
def _stored() -> dict[tuple[str, str], list[Stop]]:
    found: dict[tuple[str, str], list[Stop]] = {}
    for row in datafiles.load_csv(TABLE):
        fields: dict[str, Any] = {name: int(row[name]) for name in Stop._fields[1:-1]}
        stop = Stop(place=row["place"], result=row["result"], **fields)
        found.setdefault((row["kernel"], row["lets_go"]), []).append(stop)
    return found


def stops(kernel: str, lets_go: str) -> list[Stop]:
    """The stops of a setting, as they are stored."""
    return _stored()[kernel, lets_go]


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


def said(stop: Stop) -> str:
    """What happens at a stop, in one or two sentences."""
    if stop.starts:
        return "The pin holds all pages, outside CMA. The machine starts."
    if stop.starts is False:
        code = "The pin returns -ENOMEM. The machine does not start."
        return f"{code} Yet all pages were moved: lesson 04 says why." if stop.outside else code
    return _SAID[stop.place].format(**stop._asdict(), held=stop.held)


def told(kernel: str, lets_go: str) -> str:
    """A setting and how it ends, for whoever can't see the picture."""
    end = stops(kernel, lets_go)[-1]
    counted = ", ".join(f"{name} {n}" for name, n in end.counted.items())
    tried = len(passes_of(stops(kernel, lets_go)))
    passes = "1 pass" if tried == 1 else f"{tried} passes"
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


def last_refused(way: Iterable[Stop]) -> Stop:
    """The last stop at which the split was refused, or the holder left after that."""
    return [stop for stop in way if stop.place in ("refused", "let go")][-1]


# -- the picture: two panels that stand side by side or, where there is no room, one above the other

WIDE, HIGH = 444.0, 296.0
HOLDER = ACTOR_FILLS[1]
_COUNTS = FILLS["counted on"]
_ROWS: tuple[tuple[str, str, Fill], ...] = (
    ("page cache", "cache", _COUNTS),
    ("mapping", "mapping", _COUNTS),
    ("the pin", "pin", ACTOR_FILLS[0]),
    ("isolation", "isolation", _COUNTS),
    ("holder", "holder", HOLDER),
)
ROW, LABEL = 22.0, 88.0


def _holders(svg: Svg, x: float, y: float, w: float, stop: Stop) -> None:
    """A bar for each who holds references: 1 is thin, 512 long and broken."""
    left = x + LABEL
    if not stop.whole:
        where = "in ordinary memory" if stop.outside else "still in CMA"
        pinned = ", pinned" if stop.starts else ""
        lines = f"{HPAGE_PMD_NR} small pages, {where}{pinned},", "each with a count of its own"
        for i, line in enumerate(lines):
            svg.text(x, y + 34 + 20 * i, line, w)
        return
    for i, (name, field, fill) in enumerate(_ROWS):
        top, refs = y + i * ROW, getattr(stop, field)
        svg.text(
            x, top + 13, name, LABEL - 2, size=SMALL, fill=INK if refs else MUTED, bold=bool(refs)
        )
        if refs:
            svg.quantity(left, top, w - LABEL - 40, 16, refs, fill)
            at, end = (left + 17, "start") if refs == 1 else (x + w, "end")
            svg.text(at, top + 13, str(refs), 38, size=BODY, bold=True, anchor=end)
        else:
            svg.note(left, top + 13, "-", 20)


def _sum(svg: Svg, x: float, y: float, w: float, stop: Stop, decided: bool) -> None:
    """The count beside what is explained; the refusal is the only red mark of the picture."""
    svg.line(x, y, x + w, y, stroke=LINE)
    if not stop.whole:
        return
    if not stop.isolation:
        svg.text(x, y + 19, f"{stop.held} references", w, bold=True)
        return
    equal = stop.held == stop.explained
    colour = (GOOD if equal else BAD) if decided else INK
    sign = ("✔" if equal else "✘") if decided else ""
    words = f"{stop.held} {'=' if equal else '≠'} {stop.explained} expected"
    svg.text(x, y + 19, f"{sign} {words}".strip(), w, size=15, bold=True, fill=colour)


def memory_svg(way: list[Stop]) -> str:
    """The left panel: the two kinds of memory, and who holds the huge page."""
    stop = way[-1]
    words = f"{stop.outside} pages in ordinary memory, {HPAGE_PMD_NR - stop.outside} in CMA"
    svg = Svg(WIDE, HIGH, words, f"{words}; {stop.held} references on the first of them.")
    x, w, cell = 14.0, WIDE - 28, (WIDE - 28) / 32
    svg.panel(2, 2, WIDE - 4, HIGH - 4)
    svg.text(x, 22, "Ordinary memory: free, but no 2 MiB in one piece", w, bold=True)
    movable, cma = MIGRATETYPES["MOVABLE"], MIGRATETYPES["CMA"]
    free = [i for i in range(32) if i % 3 != 1 and i % 7 != 5]
    taken = free[: round(len(free) * stop.outside / HPAGE_PMD_NR)]
    for i in range(32):
        fill = movable if i in taken else FILLS["ISOLATE"]
        box = x + i * cell + 1, 31.0, cell - 2, 20.0
        if i in free and i not in taken:
            svg.rect(*box, fill=PANEL, stroke=LINE, stroke_width=1)
        else:
            svg.filled(*box, fill, stroke=fill.mark, stroke_width=0.8)
    svg.text(x, 74, "CMA, lent out: the guest's huge page", w, bold=True)
    if stop.outside:
        svg.rect(x, 82, w, 30, fill=PANEL, stroke=LINE, stroke_width=1.2, rx=3)
        svg.note(x + w / 2, 101, "empty", w, anchor="middle")
    elif stop.whole:
        svg.filled(x, 82, w, 30, cma, stroke=INK, stroke_width=1.4, rx=3)
        svg.rect(x + 130, 88, w - 260, 18, fill=cma.ground)
        middle = x + w / 2
        svg.text(middle, 101, "one page of 2 MiB", w - 262, size=SMALL, anchor="middle")
    else:
        svg.filled(x, 82, w, 30, cma)
        svg.grid((x, 82, w, 30), w / 64, 30 / 8)
    decided = stop if stop.starts is None or not stop.whole else last_refused(way)
    when = "Who holds it" if decided is stop else "Who held it when the split was refused"
    svg.text(x, 137, when, w, bold=True)
    _holders(svg, x, 149, w, decided)
    checked = decided.place in ("refused", "let go", "again", "given up")
    _sum(svg, x, 149 + 5 * ROW + 4, w, decided, checked)
    return svg.render()


_STATIONS = (
    ("pin the memory", ("pin",)),
    ("in CMA: it must leave", ("gup.unpin",)),
    ("free huge page elsewhere?", ("no target",)),
    ("split it?", ("refused", "split.cut")),
    ("try again?", ("again", "let go", "given up")),
    ("move the small pages", ("moved",)),
)


def _answers(way: list[Stop]) -> list[str]:
    """What each station has answered so far."""
    places = [stop.place for stop in way]
    refused, again = places.count("refused"), places.count("again")
    tried = f"yes × {again}" if again else ""
    if "given up" in places:
        tried = f"{tried}, then no" if again else "no"
    split = "yes" if "split.cut" in places else ""
    if refused:
        split = f"no × {refused}" + (", then yes" if split else "")
    return [
        "done" if "pin" in places else "",
        "yes" if "gup.unpin" in places else "",
        "none" if "no target" in places else "",
        split,
        tried,
        f"{way[-1].outside} moved" if "moved" in places else "",
    ]


def _passes(svg: Svg, x: float, y: float, w: float, way: list[Stop]) -> None:
    """A circle for each pass that there could be: refused, passed, or not made."""
    made, wide = passes_of(way), w / MIGRATE_PASSES
    for n in range(MIGRATE_PASSES):
        middle = x + wide * (n + 0.5)
        style: dict[str, float | str] = {"fill": PANEL, "stroke": LINE}
        if n in made:
            now = n == max(made) and way[-1].place not in ("end", "moved", "given up")
            style = {"fill": MARKED if now else PANEL, "stroke": INK}
        svg.rect(middle - 10, y, 20, 20, rx=10, stroke_width=1.4, **style)
        ink = INK if n in made else MUTED
        svg.text(
            middle, y + 14.3, str(n), 20, size=SMALL, bold=n in made, fill=ink, anchor="middle"
        )
        if made.get(n):
            svg.path(f"M{middle - 4:g} {y + 24:g}l8 8m0 -8l-8 8", stroke=INK, stroke_width=1.8)
        elif n in made and any(stop.place == "split.cut" for stop in way):
            svg.path(f"M{middle - 4:g} {y + 28:g}l3 4l6 -8", stroke=GOOD, stroke_width=2)


def _counters(svg: Svg, x: float, y: float, w: float, stop: Stop) -> None:
    for i, (name, n) in enumerate(stop.counted.items()):
        svg.text(x, y + i * 20, name, w - 40, size=SMALL)
        svg.text(x + w, y + i * 20, str(n), 38, size=15, bold=True, anchor="end")


def _end(svg: Svg, x: float, y: float, w: float, stop: Stop) -> None:
    if stop.starts is None:
        svg.text(x, y, "… not decided yet", w, fill=MUTED)
    elif stop.starts:
        svg.text(x, y, "✔ the machine starts", w, size=15, bold=True, fill=GOOD)
    else:
        svg.text(x, y, "✘ the machine does not start", w, size=15, bold=True)


def way_svg(way: list[Stop]) -> str:
    """The right panel: how far the pin has come, the passes, the counters, the end."""
    stop = way[-1]
    svg = Svg(WIDE, HIGH, said(stop), said(stop))
    x, w = 14.0, WIDE - 28
    svg.panel(2, 2, WIDE - 4, HIGH - 4)
    svg.text(x, 22, "The way of the pin", w, bold=True)
    for i, ((name, places), answer) in enumerate(zip(_STATIONS, _answers(way), strict=True)):
        top, here = 31 + i * 22.0, stop.place in places
        style = {"fill": MARKED, "stroke": INK} if here else {"fill": PANEL, "stroke": LINE}
        svg.rect(x, top, 246, 19, rx=4, stroke_width=1.4 if here else 1, **style)
        mark = "● " if here else ""
        ink = INK if here or answer else MUTED
        svg.text(x + 9, top + 14, mark + name, 234, bold=here, fill=ink)
        if answer:
            svg.text(x + 256, top + 14, answer, w - 256, bold=here)
    y = 179.0
    svg.note(x, y, f"Passes: at most {MIGRATE_PASSES}", w)
    _passes(svg, x, y + 6, w, way)
    _counters(svg, x, y + 58, w, stop)
    svg.line(x, y + 86, x + w, y + 86, stroke=LINE)
    _end(svg, x, y + 106, w, stop)
    return svg.render()


def screen(way: list[Stop]) -> Picture:
    """Both panels."""
    return Picture([memory_svg(way), way_svg(way)], said(way[-1]))


SMALL_WIDE, SMALL_HIGH = 296.0, 304.0


def frame_svg(kernel: str, lets_go: str) -> str:
    """The end of a setting in a small frame; the references are those of the last refusal."""
    way = stops(kernel, lets_go)
    words = told(kernel, lets_go)
    svg = Svg(SMALL_WIDE, SMALL_HIGH, words_of(kernel, lets_go), words)
    x, w = 14.0, SMALL_WIDE - 28
    svg.panel(2, 2, SMALL_WIDE - 4, SMALL_HIGH - 4)
    svg.text(x, 22, words_of(kernel, lets_go), w, bold=True)
    decided = last_refused(way)
    _holders(svg, x, 34, w, decided)
    _sum(svg, x, 34 + 5 * ROW + 2, w, decided, True)
    svg.note(x, 188, "passes", w)
    _passes(svg, x, 193, w, way)
    _counters(svg, x, 244, w, way[-1])
    _end(svg, x, 288, w, way[-1])
    return svg.render()
