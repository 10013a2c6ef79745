"""A rule that the report's situation lacks: how often a pin has memory compacted.

Interface: Pinned, Checked, Rule, checked, of_trace, examples, FILE, PINNED_DOWN, MOVABLE

`vfio_map` says whether a huge page is free, and nothing of how the kernel looks for one.  A rule is
a function of what is known of a finished pin; it is held against every measured pin under real
fragmentation.  (In `pin_versus` with a zone the model compacts by itself.)"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mmsim.datafiles import load_csv
from mmsim.evidence.ftrace import RealTrace

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


class Wrong(NamedTuple):
    """A pin that a rule does not explain: what the rule says, and what was measured."""

    pin: Pinned
    said: object
    measured: int


class Checked(NamedTuple):
    """How a rule fares: rows that it predicts, of how many, and the commonest that it does not."""

    right: int
    rows: int
    wrong: Wrong | None

    def __str__(self) -> str:
        return f"{self.right:,} of {self.rows:,} pins"


@functools.cache
def _measured(mode: str) -> Mapping[tuple[Pinned, int], int]:
    """What is known of a pin and its stalls -> how often that was measured, the commonest first."""
    rows = (row for row in load_csv(f"kernel-runs/{FILE}") if row["alloc_mode"] == mode)
    known = ((Pinned(*(int(row[f"d_{n}"]) for n in Pinned._fields)), row) for row in rows)
    return dict(Counter((pin, int(row[f"d_{COUNTER}"])) for pin, row in known).most_common())


def checked(rule: Rule, mode: str) -> Checked:
    """Hold a rule against every measured pin of a mode, PINNED_DOWN or MOVABLE.

    What is told of a wrong rule is the commonest pin against it: a rare one may be beyond any rule.
    What the rule raises goes through; `mmsim.policy.limited` makes one sentence of it."""
    measured = _measured(mode)
    said: dict[Pinned, object] = {pin: rule(pin) for pin in {pin for pin, _ in measured}}
    against = [Wrong(pin, said[pin], stalls) for pin, stalls in measured if said[pin] != stalls]
    missed = sum(measured[pin, stalls] for pin, _, stalls in against)
    rows = sum(measured.values())
    return Checked(rows - missed, rows, against[0] if against else None)


def examples() -> list[tuple[Pinned, int, int]]:
    """For each set of counters that can move, the commonest pin: it, its stalls, how often."""
    found: dict[tuple[bool, ...], tuple[Pinned, int, int]] = {}
    for mode in (PINNED_DOWN, MOVABLE):
        for (pin, stalls), times in _measured(mode).items():
            found.setdefault(tuple(map(bool, pin)), (pin, stalls, times))
    return [*found.values()]


def of_trace(real: RealTrace) -> tuple[Pinned, int]:
    """What is known of a traced pin, and how many stalls were measured."""
    return Pinned(*(real.delta[name] for name in Pinned._fields)), real.delta[COUNTER]
