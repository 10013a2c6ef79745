"""A few allocations on a small host with a CMA area: which of them are lent CMA memory.

Interface: lending, Lending, Grant, LENDING_KNOBS, GRANTS, CMA, ORDINARY, places, ordinal
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from mmsim.constants import (
    HPAGE_PMD_ORDER,
    MAX_ORDER,
    MIGRATE_CMA,
    MIGRATE_MOVABLE,
    MIGRATE_UNMOVABLE,
)
from mmsim.errno import ENOMEM, name
from mmsim.knobs import Value, number, one_of, settle
from mmsim.mm.page_alloc import Request, alloc_pages, request
from mmsim.mm.zone import Zone
from mmsim.scenarios.hosts import host

HOST_MIB = 64
GRANTS = 8
CMA, ORDINARY = "CMA", "ordinary"

LENDING_KNOBS = (
    number("cma", 60, 0, 80, "percent of the host's memory that a CMA area has"),
    number("free", 100, 0, 100, "percent of the rest that is free"),
    number("order", HPAGE_PMD_ORDER, 0, MAX_ORDER - 1, "size of an allocation; 9: a huge page"),
    one_of("movable", "yes", ["yes", "no"], "can its pages be moved later?"),
    one_of("scattered", "no", ["no", "yes"], "does the rest's free memory lie in small pieces?"),
)


class Grant(NamedTuple):
    """One allocation: what was free right before it, and where it landed."""

    free: int
    """Pages, CMA included."""
    free_cma: int
    pfn: int | None
    place: str
    """CMA, ORDINARY, or "-ENOMEM"."""

    @property
    def half(self) -> int:
        """Half of the free pages, as the kernel rounds it."""
        return self.free // 2

    @property
    def over(self) -> bool:
        """Is more than half of the free memory CMA?"""
        return self.free_cma > self.half


@dataclasses.dataclass(frozen=True)
class Lending:
    """The knobs, the request that was made eight times, what came of each, and what is left."""

    knobs: Mapping[str, Value]
    want: Request
    grants: tuple[Grant, ...]
    zone: Zone

    def with_(self, **knobs: object) -> Lending:
        """The same with other knobs."""
        return lending(**{**self.knobs, **knobs})

    def count(self, place: str) -> int:
        """How many of the allocations landed there."""
        return sum(grant.place == place for grant in self.grants)


def lending(**given: object) -> Lending:
    """Eight allocations, one after the other, on a host as the knobs (LENDING_KNOBS) describe it.

    Raises KnobError for a knob that does not exist or can't have its value."""
    knobs = settle("lending", LENDING_KNOBS, given)
    made = host(
        host=HOST_MIB,
        cma=knobs["cma"],
        used=100 - int(knobs["free"]),
        scattered=100 if knobs["scattered"] == "yes" else 0,
    )
    zone = made.zone
    movable = knobs["movable"] == "yes"
    want = request(int(knobs["order"]), MIGRATE_MOVABLE if movable else MIGRATE_UNMOVABLE)
    grants = tuple(_grant(zone, want) for _ in range(GRANTS))
    return Lending(knobs, want, grants, zone)


def _grant(zone: Zone, want: Request) -> Grant:
    free, free_cma = zone.nr_free, zone.nr_free_cma
    pfn = alloc_pages(zone, want)
    if pfn is None:
        return Grant(free, free_cma, None, name(-ENOMEM))
    place = CMA if zone.pageblock_type(pfn) == MIGRATE_CMA else ORDINARY
    return Grant(free, free_cma, pfn, place)


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th ... up to 20."""
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n, 'th') }"


def places(made: Lending) -> dict[str, str]:
    """Where each allocation landed: what a prediction is compared with."""
    return {ordinal(n): grant.place for n, grant in enumerate(made.grants, start=1)}
