"""A small machine for interleavings.  It has never heard of memory.

An *actor* is a generator.  It yields *ops*, atomic steps that are about to happen, and is sent
their answers.  All else is built on a value and two functions:

    State                         a world, and the place where each actor is suspended
    Scenario.moves(state)         who can take the next step now, and with which choices
    Scenario.take(state, move)    the state after that step, and what the step did; the old state
                                  stays as it is.  `Scenario.step` checks the move first
    record                        one run: step after step, as a scheduler says
    explore                       every run: each move of each state, each state once

Two actors that add 1:

>>> class Counter:  # a world: a cheap copy, and a key that equal worlds share
...     x = 0
...     def branch(self):
...         other = Counter()
...         other.x = self.x
...         return other
...     def key(self, pool=None):
...         return self.x
>>> @atomic
... def load(world, me):
...     return world.x
>>> @atomic
... def store(world, me, x):
...     world.x = x
>>> def increment():
...     x = yield load()
...     yield store(x + 1, site="increment.store", was=x)
>>> race = Scenario(
...     "race", Counter(), (Actor("a", increment), Actor("b", increment)), merge=True
... )

By hand, move by move; then as a recorded run; then in every order:

>>> state = race.initial()
>>> [str(move) for move in race.moves(state)]
['a', 'b']
>>> state, event = race.step(state, Move("b"))
>>> print(event.actor, event.op, event.answer)
b load() 0
>>> trace = record(race, replaying(parse("b a*2 b", ["a", "b"])))
>>> [f"{event.actor} {event.op}" for event in trace.events]
['b load()', 'a load()', 'a store(1)', 'b store(1)']
>>> trace.last.world.x, trace.events[3].site, trace.events[3].notes["was"]
(1, 'increment.store', 0)
>>> found = explore(race)
>>> found.states, found.edges, found.schedules()
(12, 14, 6)
>>> for outcome in found.outcomes(lambda end: f"x is {end.world.x}"):
...     print(outcome.name, outcome.schedules, outcome.odds, render(outcome.shortest))
x is 2 2 1/2 a*2 b*2
x is 1 4 1/2 a b a b

Files, bottom up: `op` (one atomic step), `actor` (a suspended generator as a value), `pool` (what
keeps a search small), `scenario` (states, moves, the only transition), `trace` (a recorded run),
`schedule` (who moves next), `odds` (counts and probabilities), `explore` (every order).
"""

from mmsim.engine.actor import Actor
from mmsim.engine.explore import Exploration, explore
from mmsim.engine.op import ModelError, Op, atomic, blocking, choice
from mmsim.engine.scenario import Event, Move, Scenario, State
from mmsim.engine.schedule import parse, render, replaying
from mmsim.engine.trace import Trace, record

__all__ = [
    "Actor",
    "Event",
    "Exploration",
    "ModelError",
    "Move",
    "Op",
    "Scenario",
    "State",
    "Trace",
    "atomic",
    "blocking",
    "choice",
    "explore",
    "parse",
    "record",
    "render",
    "replaying",
]
