"""Playing a situation by hand: what can be done next, what a press does, what was typed.

What can be pressed, why not, and what has been reached is read off the run; the rules are the
model's alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import parse, replaying
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation
from mmsim.scenarios.situation import fails
from mmsim.views.operations import intent
from mmsim.views.words import result_words

STEP, ALL = "one step", "as far as it goes"
"""What one press does: an atomic step, or all that is possible without another actor or a choice.
"""
FREE = "free"
PRESS_STEPS_MAX = 2_000
KINDS_STATES_MAX = 10_000


class Level(NamedTuple):
    """One thing to bring about.  `won` is asked after every press, `told` is said when it is."""

    name: str
    title: str
    goal: str
    situation: Situation
    won: Callable[[Trace], bool]
    told: str


def free_play(situation: Situation) -> Level:
    """Any situation as a level that has no goal."""
    goal = "There is none: bring about whatever you like."
    return Level(FREE, "Free play", goal, situation, lambda trace: False, "")


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


def coming(trace: Trace) -> list[str]:
    """A sentence for each actor: what it would do next, or why it can't go on."""
    lines = []
    for stand in stands(trace.scenario, trace.last):
        words = " or ".join(f"{words} ({stand.step})" for words in stand.moves.values())
        lines.append(f"{stand.actor} {stand.why or f'can go on: {words}'}")
    return lines


def press(trace: Trace, move: Move, grain: str = STEP) -> None:
    """Make a move, and with a coarse grain what follows from it without a further decision."""
    trace.append(move)
    for _ in range(PRESS_STEPS_MAX):
        going_on = [m for m in trace.scenario.moves(trace.last) if m.actor == move.actor]
        if grain == STEP or len(going_on) != 1:
            return
        trace.append(going_on[0])


@lru_cache(maxsize=32)
def kinds(situation: Situation) -> tuple[list[str], bool]:
    """Every kind of failure that some schedule leads to, and whether the search was finished.

    The one with the shortest schedule comes first."""
    found = situation.explore(states_max=KINDS_STATES_MAX)
    ends = set(found.ends)
    said = [situation.full_outcome(state) for number, state in found.walk(ends) if number in ends]
    return list(dict.fromkeys(filter(fails, said))), found.complete


def played(text: str, situation: Situation) -> Trace:
    """The run of a schedule that somebody typed; raises ScheduleError, in one sentence.

    Whoever has finished is left alone, so `pin*99` plays the pin to its end."""
    moves = parse(text, [actor.name for actor in situation.actors])
    return record(situation, replaying(moves, past_ends=True))
