"""Playing a situation by hand: a goal, what each actor can do next, what was typed.

What can be pressed, why not, and what has been reached is read off the run; the rules are the
model's alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import parse, replaying
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation
from mmsim.views.operations import intent
from mmsim.views.words import result_words


class Level(NamedTuple):
    """One thing to bring about.  `won` is asked after every press, `told` is said when it is."""

    name: str
    title: str
    goal: str
    situation: Situation
    won: Callable[[Trace], bool]
    told: str


class Stand(NamedTuple):
    """Where an actor stands: its next step by the kernel's name, and in plain words each move that
    can be made now; or why there is none."""

    actor: str
    step: str
    moves: dict[Move, str]
    why: str = ""


def _stand(scenario: Scenario, state: State, actor: str) -> Stand:
    op = scenario.local(state, actor).op
    if op is None:
        words = result_words(scenario, state, actor)
        said = "has no further step" if words == "done" else f"has returned {words}"
        return Stand(actor, "", {}, said)
    step = f"{op.kind.name}()"
    why = scenario.blocked(state, actor)
    if why is not None:
        return Stand(actor, step, {}, f"waits to {step}: {why}")
    moves = [move for move in scenario.moves(state) if move.actor == actor]
    return Stand(actor, step, {m: intent(state.world, op, m.choice) for m in moves})


def stands(scenario: Scenario, state: State) -> list[Stand]:
    """Every actor, in their order."""
    return [_stand(scenario, state, actor.name) for actor in scenario.actors]


def played(text: str, situation: Situation) -> Trace:
    """The run of a schedule that somebody typed; raises ScheduleError, in one sentence.

    Whoever has finished is left alone, so `pin*99` plays the pin to its end."""
    moves = parse(text, [actor.name for actor in situation.actors])
    return record(situation, replaying(moves, past_ends=True))
