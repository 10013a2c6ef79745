"""The usual schedule of a pin with visitors: they come at one moment and leave at another.

Interface: Visits
"""

from __future__ import annotations

from mmsim.engine.scenario import Scenario, State
from mmsim.mm.world import World
from mmsim.script import Cue, Position, Script, Scripted


class Visits(Scripted):
    """The main actor runs.  At `taken` each visitor goes on until it has a reference on the folio
    of `region` and not its lock; at `released` each goes on to its end.

    None for `taken` is the start, for `released` the time after the main actor.  Whenever the main
    actor waits for somebody, the visitors go on.  A visitor that can't get a reference runs to its
    end at once."""

    def __init__(
        self,
        main: str,
        visitors: tuple[str, ...],
        region: str,
        taken: Position | None,
        released: Position | None,
    ):
        super().__init__(main, Script())
        self.visitors = visitors
        self.region = region
        self.taken = taken
        self.released = released

    def _due(self, scenario: Scenario, state: State) -> Cue | None:
        everybody = scenario.blocked(state, self.main) is not None or (
            self.released is not None and self._reached(self.region, self.released)
        )
        come = self.taken is None or self._reached(self.region, self.taken)
        for name in self.visitors:
            if scenario.blocked(state, name) is not None:
                continue
            if everybody or (come and not self._holds(scenario, state, name)):
                return Cue(name, self.region)
        return None

    def _holds(self, scenario: Scenario, state: State, name: str) -> bool:
        """Has it a reference, not the lock, and does it not try for the lock next?"""
        op = scenario.local(state, name).op
        if op is None or op.kind.name == "folio_trylock":
            return False
        world: World = state.world
        pfn = world.find(self.region, 0)
        if pfn is None or world.folio(pfn).locked_by == name:
            return False
        return any(who == name or who.startswith(f"{name} ") for who, _ in world.folio(pfn).held)
