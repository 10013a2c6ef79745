"""The two windows of a walk over the page cache: while a folio is locked, while it is referenced.

Interface: Window, windows, unlocked_and_referenced
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.engine.scenario import Scenario, State
from mmsim.engine.trace import Trace
from mmsim.mm.world import World


class Window(NamedTuple):
    """Of one folio: between which positions of a trace the walk has its lock, and a reference.

    After `begin` steps it has it, after `end` steps no more."""

    name: str
    locked: tuple[int, int]
    referenced: tuple[int, int]


def unlocked_and_referenced(scenario: Scenario, state: State, actor: str) -> list[str]:
    """Names of the folios that this walk has locked before, still refers to, and has unlocked.

    Whoever wants to split such a folio finds it unlocked, with one reference too many."""
    op = scenario.local(state, actor).op
    if op is not None and op.site == "drop.find":
        return []  # a folio that it refers to now is one that it is about to lock
    world: World = state.world
    return [
        folio.name
        for folio in world.folios.values()
        if folio.locked_by != actor and actor in dict(folio.held)
    ]


def windows(trace: Trace, actor: str) -> list[Window]:
    """Both windows of every folio that `actor` had locked, in the order of its walk."""
    spans: dict[str, list[list[int]]] = {}
    for position in range(len(trace) + 1):
        world: World = trace.state(position).world
        for folio in world.folios.values():
            has = (folio.locked_by == actor, actor in dict(folio.held))
            for number, yes in enumerate(has):
                span = spans.setdefault(folio.name, [[], []])[number]
                if yes:
                    span[:] = [span[0] if span else position, position + 1]
    found = [
        Window(name, (locked[0], locked[1]), (held[0], held[1]))
        for name, (locked, held) in spans.items()
        if locked and held
    ]
    return sorted(found, key=lambda window: window.referenced)
