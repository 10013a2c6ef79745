"""Read the stops of the first screen off the model, and store them: data/lessons/first_screen.csv.

    python tools/build_first_screen.py

A run that moves all the pieces takes a second, and there are thirty-three."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from mmsim.constants import REPORTED
from mmsim.engine.trace import Moment, Trace
from mmsim.mm.folio import ISOLATION
from mmsim.scenarios import Situation, make
from mmsim.scenarios.observed import pages_in_and_outside_cma
from mmsim.views.first_screen import KERNELS, LETS_GO, NOBODY, Stop
from mmsim.views.ledger import SPLIT_CHECK, ledger_of

FILE = Path(__file__).parent.parent / "data" / "lessons" / "first_screen.csv"


def setting(kernel: str, lets_go: str) -> Situation:
    """The situation of one position of the two controls."""
    when = {"holder": 0} if lets_go == NOBODY else {"released": lets_go}
    return make("vfio_map", kernel, when)


def _stop(moment: Moment, place: str, pass_: int) -> Stop:
    world = moment.world
    ledger = ledger_of(world, "A", check=SPLIT_CHECK)
    assert ledger is not None
    folio = world.folio(world.find("A", 0))
    held = dict(folio.held)
    _, outside = pages_in_and_outside_cma(world, "A")
    pin = sum(n for who, n in held.items() if who.endswith(" (pin)"))
    people = held.get(ISOLATION, 0), held.get("holder", 0)
    counters = (world.vmstat[name] for name in REPORTED)
    refs = (folio.cache_refs, folio.mapcount, pin, *people)
    return Stop(place, pass_, *refs, ledger.check.expected, folio.is_thp, outside, *counters)


_PLACES = {
    "holder.get": "held",
    "holder.put": "let go",
    "gup.unpin": "gup.unpin",
    "split.cut": "split.cut",
}


def stops_of(trace: Trace) -> Iterator[Stop]:
    """The stops of a run, in order; the last one has its result."""
    pass_, huge, pinned = 0, True, False
    yield _stop(trace.at(0), "start", 0)
    for position, event in enumerate(trace.events, start=1):
        notes, site = event.notes, event.site
        place = _PLACES.get(site, "")
        if site == "visit":
            huge = notes["huge"]
            place = "again" if huge and notes["pass_"] > pass_ else ""
            pass_ = notes["pass_"] if huge else pass_
        elif site == "gup.pin" and not pinned:
            place, pinned = "pin", True
        elif site == "move.target" and huge:
            place = "no target"
        elif site == "split.end" and notes["ret"] < 0:
            place = "refused"
        elif site == "migrate.end":
            place = "given up" if huge else "moved"
        if place:
            yield _stop(trace.at(position), place, pass_)
    yield _stop(trace.at(), "end", pass_)._replace(result=str(trace.results["pin"]))


def text() -> str:
    """The stops of every setting."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kernel", "lets_go", *Stop._fields])
    for kernel in KERNELS:
        for lets_go in LETS_GO:
            for stop in stops_of(setting(kernel, lets_go).run()):
                writer.writerow([kernel, lets_go, *stop._replace(whole=int(stop.whole))])
    return out.getvalue()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
