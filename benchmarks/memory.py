"""A slider of lesson 03: from a knob to the picture, against listing the host's memory block by
block."""

from __future__ import annotations

from itertools import count

from benchmarks.measure import Result, median_ms
from mmsim.lessons.plenty_free import worn
from mmsim.scenarios.host import host

SIZES = {"4 GiB": 4096, "1 TiB": 1 << 20}


def _moves(mib: int) -> float:
    """Every move asks for a host that was not made before."""
    console = worn.play()
    console.boxes["cma"].value, console.boxes["host"].value = 25, str(mib)
    seeds = count(2)

    def move() -> None:
        console.boxes["seed"].value = next(seeds)

    return median_ms(move, repeats=21)


def _listed(mib: int) -> float:
    zone = host(host=mib, cma=25, used=60).zone
    return median_ms(lambda: zone.branch().blocks(zone.start, zone.end), repeats=1)


def results() -> list[Result]:
    """Two sizes of host; a terabyte is not listed, that would take minutes."""
    return [
        Result(
            f"a slider move at {name}: host, picture, words, requests",
            _moves(mib),
            "ms",
            _listed(mib) if mib <= 4096 else 0.0,
            "of listing its blocks" if mib <= 4096 else "",
            "150 ms at 4 GiB" if mib <= 4096 else "",
        )
        for name, mib in SIZES.items()
    ]
