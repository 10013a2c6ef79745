"""What can be claimed about all states of a scenario, and what a search says of a claim.

Interface: Test, Property, always, sometimes, Finding, Verdict
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from mmsim.engine.scenario import Move, State

Test = Callable[[State], bool]


class Verdict(enum.Enum):
    """What a search can honestly say."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_FINISHED = "search not finished"


class Property(NamedTuple):
    """A claim with a name: `test` is true in every state (`always`), or in at least one."""

    name: str
    test: Test
    always: bool = True


def always(name: str, test: Test) -> Property:
    """The claim that `test` is true in every state."""
    return Property(name, test)


def sometimes(name: str, test: Test) -> Property:
    """The claim that `test` is true in some state: without one, an `always` proves little."""
    return Property(name, test, always=False)


class Finding(NamedTuple):
    """What a search says of a property.

    `schedule` is a shortest one to a state that decides it: a counterexample of an `always`, an
    example of a `sometimes`; None if there is none."""

    name: str
    verdict: Verdict
    schedule: tuple[Move, ...] | None
