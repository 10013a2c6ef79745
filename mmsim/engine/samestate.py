"""When the search takes two states for the same.

Interface: Keys, AlikeKeys, SearchError

Usually: equal worlds, and every actor at the same place.  With `alike`, actors that run the same
code may also change places: two states are the same if renaming the actors turns one into the
other.  Only the states are fewer; every schedule still counts, so numbers and odds stay right."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import permutations, product
from typing import Any

from mmsim.engine.actor import Local, picture
from mmsim.engine.pool import Pool
from mmsim.engine.scenario import Scenario, State

BITS = 32
RENAMINGS_MAX = 720


class SearchError(ValueError):
    """A search that can't be made, or a question it can't answer; the message says why."""


class Keys:
    """Small keys of states: a number that equal states share."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self._pool = Pool()
        self._worlds: dict[Hashable, int] = {}

    def world(self, world: Any) -> int:
        """The number of a world."""
        worlds = self._worlds
        return worlds.setdefault(world.key(self._pool), len(worlds))

    def key(self, state: State) -> int:
        """The number of the world and of the place of each actor, side by side."""
        key = self.world(state.world)
        for local in state.locals:
            key = key << BITS | local.number
        return key

    def others(self, state: State) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Keys of states that count as the same, each with the renaming that leads there."""
        return iter(())


class AlikeKeys(Keys):
    """Keys for groups of actors that may change places."""

    def __init__(self, scenario: Scenario, alike: Sequence[Sequence[str]]):
        super().__init__(scenario)
        self._names = [actor.name for actor in scenario.actors]
        self._renamings = _renamings(alike, self._names)
        self._places: dict[tuple[int, int, int], int] = {}
        self._pictures: dict[Hashable, int] = {}
        start = scenario.initial()
        if not hasattr(start.world, "renamed"):
            raise SearchError("this world can't rename actors, so none can be taken for another")
        home = self.key(start)
        for key, names in self.others(start):
            if key != home:
                changed = ", ".join(f"{old!r}" for old, new in names.items() if old != new)
                raise SearchError(f"{changed} are not alike: changing places changes the start")

    def key(self, state: State) -> int:
        """The key without any renaming; unlike in `Keys`, places of two actors are comparable."""
        return self._renamed(state, 0)

    def others(self, state: State) -> Iterator[tuple[int, Mapping[str, str]]]:
        for number in range(1, len(self._renamings)):
            yield self._renamed(state, number), self._renamings[number]

    def _renamed(self, state: State, renaming: int) -> int:
        names = self._renamings[renaming]
        key = self.world(state.world.renamed(names) if renaming else state.world)
        came_from = {new: old for old, new in names.items()}
        for name in self._names:
            i = self.scenario.index[came_from.get(name, name)]
            key = key << BITS | self._place(i, state.locals[i], renaming)
        return key

    def _place(self, actor: int, local: Local, renaming: int) -> int:
        """The number of a place as it looks after a renaming."""
        found = self._places.get((actor, local.number, renaming))
        if found is None:
            seen = _rename(picture(local), self._renamings[renaming])
            found = self._pictures.setdefault(seen, len(self._pictures))
            self._places[actor, local.number, renaming] = found
        return found


def _renamings(alike: Sequence[Sequence[str]], names: Sequence[str]) -> list[dict[str, str]]:
    """Every way in which the actors of the groups can change places; the first changes nothing."""
    members = [name for group in alike for name in group]
    for name in members:
        if name not in names or members.count(name) > 1:
            raise SearchError(f"alike: {name!r} must be one of {', '.join(names)}, named once")
    ways = [permutations(group) for group in alike]
    found = []
    for chosen in product(*ways):
        found.append(dict(zip(members, [name for group in chosen for name in group], strict=True)))
        if len(found) > RENAMINGS_MAX:
            raise SearchError(f"alike: more than {RENAMINGS_MAX} ways to change places")
    return found


def _rename(value: Hashable, names: Mapping[str, str]) -> Hashable:
    if isinstance(value, str):
        return names.get(value, value)
    if type(value) is tuple:
        return tuple([_rename(item, names) for item in value])
    return value
