"""Playing a situation by hand: what can be done next, what a press does, what was typed.

Interface: Choice, Stand, stands, coming, press, GRAINS, kinds, played, same

What can be pressed, why not, and what has been reached is read off the run; the rules are the
model's alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from mmsim.engine.scenario import Move, Scenario, State
from mmsim.engine.schedule import parse, replaying
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation
from mmsim.scenarios.fates import fails
from mmsim.views.words import answer_words, intent, result_words

STEP, FUNCTION, ALL = "one step", "one function", "as far as it goes"
GRAINS = (STEP, FUNCTION, ALL)
"""What one press does: an atomic step, the rest of a function's own steps, or all that is possible
without another actor or a choice."""
PRESS_STEPS_MAX = 2_000
KINDS_STATES_MAX = 10_000


# -- what can be done next


class Choice(NamedTuple):
    """A move that can be made now: in plain words, and by the kernel's name."""

    move: Move
    words: str
    step: str


class Stand(NamedTuple):
    """Where an actor stands: its choices, or why it has none."""

    actor: str
    choices: tuple[Choice, ...]
    why: str


def _stand(scenario: Scenario, state: State, actor: str) -> Stand:
    op = scenario.local(state, actor).op
    if op is None:
        words = result_words(scenario, state, actor)
        said = "has no further step" if words == "done" else f"has returned {words}"
        return Stand(actor, (), said)
    words, step = intent(state.world, op), f"{op.kind.name}()"
    why = scenario.blocked(state, actor)
    if why is not None:
        return Stand(actor, (), f"waits to {step}: {why}")
    moves = [move for move in scenario.moves(state) if move.actor == actor]
    ends = [f": {answer_words(op, move.outcome)}" if move.outcome else "" for move in moves]
    choices = (Choice(move, words + end, step) for move, end in zip(moves, ends, strict=True))
    return Stand(actor, tuple(choices), "")


def stands(scenario: Scenario, state: State) -> list[Stand]:
    """Every actor, in their order."""
    return [_stand(scenario, state, actor.name) for actor in scenario.actors]


def coming(scenario: Scenario, state: State) -> str:
    """A line for each actor: what it would do next, or why it can't go on."""
    return "\n".join(
        f"{stand.actor} {stand.why}" if stand.why else f"{stand.actor} can go on: {_next(stand)}"
        for stand in stands(scenario, state)
    )


def _next(stand: Stand) -> str:
    return " or ".join(f"{choice.words} ({choice.step})" for choice in stand.choices)


def press(trace: Trace, move: Move, grain: str = STEP) -> None:
    """Make a move, and with a coarse grain what follows from it without a further decision."""
    scenario = trace.scenario
    functions = _functions(trace, move.actor)
    trace.append(move)
    for _ in range(PRESS_STEPS_MAX):
        going_on = [other for other in scenario.moves(trace.last) if other.actor == move.actor]
        if grain == STEP or len(going_on) != 1:
            return
        if grain == FUNCTION and _functions(trace, move.actor) != functions:
            return
        trace.append(going_on[0])


def _functions(trace: Trace, actor: str) -> tuple[object, ...]:
    """The functions that an actor stands in, outermost first."""
    return tuple(code for code, _ in trace.scenario.local(trace.last, actor).where)


# -- kinds of failure


@lru_cache(maxsize=32)
def kinds(situation: Situation) -> tuple[list[str], bool]:
    """Every kind of failure that some schedule leads to, and whether the search was finished.

    The one with the shortest schedule comes first."""
    found = situation.explore(states_max=KINDS_STATES_MAX)
    ends = set(found.ends)
    said = [situation.fate(state) for number, state in found.walk(ends) if number in ends]
    return list(dict.fromkeys(filter(fails, said))), found.complete


# -- what somebody types


def same(a: Situation, b: Situation) -> bool:
    """Are these the same situation, perhaps made twice?"""
    return (a.name, a.version, a.knobs, a.as_one) == (b.name, b.version, b.knobs, b.as_one)


def played(text: str, situation: Situation) -> Trace:
    """The run of a schedule that somebody typed.

    Whoever has finished is left alone, so `pin*99` plays the pin to its end.  Raises ScheduleError,
    in one sentence."""
    moves = parse(text, [actor.name for actor in situation.actors])
    return record(situation, replaying(moves, past_ends=True))
