"""A rule that the report's situation lacks: how often a pin has memory compacted.

Floor 5.  Interface: Pinned, Checked, Rule, checked, of_trace, FILE, PINNED_DOWN, MOVABLE

`vfio_map` says whether a huge page is free, and nothing of how the kernel looks for one.  A rule is
a function of what is known of a finished pin; it is held against every measured pin under real
fragmentation.  (In `pin_versus` with a zone the model compacts by itself.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmsim.datafiles import load_csv
from mmsim.ftracefile import RealTrace

FILE = "s10_s2_real_fragmentation_pins.csv"
COUNTER = "compact_stall"
PINNED_DOWN, MOVABLE = "frag_pinned", "frag_movable"
"""What lies between the free pages outside CMA: pages that can't be moved, or pages that can."""


class Pinned(NamedTuple):
    """What is known of a finished pin: counters of huge pages."""

    thp_migration_success: int
    thp_migration_fail: int
    thp_split_page: int
    thp_split_page_failed: int


Rule = Callable[[Pinned], int]


class Checked(NamedTuple):
    """How a rule fares: rows that it predicts, of how many; the first that it does not."""

    right: int
    rows: int
    first_wrong: tuple[Pinned, int] | None
    """a pin and what was measured"""

    def __str__(self) -> str:
        return f"{self.right:,} of {self.rows:,} pins"


def checked(rule: Rule, mode: str) -> Checked:
    """Hold a rule against every measured pin of a mode, PINNED_DOWN or MOVABLE.

    What the rule raises goes through; `mmsim.policy.limited` makes one sentence of it."""
    right, rows, first = 0, 0, None
    said: dict[Pinned, object] = {}
    for row in load_csv(f"kernel-runs/{FILE}"):
        if row["alloc_mode"] != mode:
            continue
        pin = Pinned(*(int(row[f"d_{name}"]) for name in Pinned._fields))
        if pin not in said:
            said[pin] = rule(pin)
        measured = int(row[f"d_{COUNTER}"])
        rows += 1
        if said[pin] == measured:
            right += 1
        elif first is None:
            first = (pin, measured)
    return Checked(right, rows, first)


def of_trace(real: RealTrace) -> tuple[Pinned, int]:
    """What is known of a traced pin, and how many stalls were measured."""
    return Pinned(*(real.delta[name] for name in Pinned._fields)), real.delta[COUNTER]
