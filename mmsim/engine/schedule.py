"""Who moves next: schedules as text, and schedulers as functions `(scenario, state) -> move`.

A schedule is a line such as `pin*12 holder pin:fail*3`: an actor, a choice after a colon where
the environment has a say, and how often.  It is read, never evaluated.

A scheduler raises StopIteration when nobody can move.  Most remember something: make a new one for
each run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from mmsim.engine.scenario import Move, Scenario, Scheduler, State
from mmsim.errors import UserError, nearest

MOVES_MAX = 1_000_000
_TOKEN = re.compile(
    r"(?P<actor>[A-Za-z_]\w*)(:(?P<choice>[A-Za-z]\w*))?(\*(?P<times>[1-9]\d{0,6}))?"
)


class ScheduleError(UserError):
    """A schedule that can't be read, or a move that can't be made; the message says what to do."""


def parse(text: str, actors: Sequence[str]) -> list[Move]:
    """Read a schedule; every actor must be one of `actors`."""
    moves: list[Move] = []
    for token in text.split():
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ScheduleError(
                f"can't read {token!r} in the schedule: "
                "write ACTOR, ACTOR*TIMES or ACTOR:CHOICE*TIMES, with blanks between them"
            )
        actor = match["actor"]
        if actor not in actors:
            raise ScheduleError(f"no actor {actor!r} in this scenario{nearest(actor, actors)}")
        moves += [Move(actor, match["choice"] or "")] * int(match["times"] or 1)
        if len(moves) > MOVES_MAX:
            raise ScheduleError(f"the schedule has more than {MOVES_MAX} moves")
    return moves


def render(moves: Sequence[Move]) -> str:
    """The shortest line that `parse` reads back as these moves."""
    runs = ((move, len(list(group))) for move, group in groupby(moves))
    return " ".join(f"{move}*{n}" if n > 1 else str(move) for move, n in runs)


# -- schedulers


def replaying(moves: Sequence[Move], *, past_ends: bool = False) -> Scheduler:
    """Exactly these moves, then stop.  A move that is impossible raises ScheduleError.

    `past_ends`: moves of an actor that has finished are left out."""
    left: Iterator[tuple[int, Move]] = iter(enumerate(moves, start=1))

    def choose(scenario: Scenario, state: State) -> Move:
        number, move = next(left)  # StopIteration ends the run
        while past_ends and scenario.local(state, move.actor).finished:
            number, move = next(left)
        why = scenario.blocked(state, move.actor)
        if why is not None:
            free = ", ".join(sorted({m.actor for m in scenario.moves(state)})) or "nobody"
            raise ScheduleError(
                f"move {number}: {move.actor!r} can't move ({why}); who can: {free}"
            )
        allowed = scenario.wrong_choice(state, move)
        if allowed is not None:
            named = ", ".join(f"{move.actor}:{o}" if o else move.actor for o in allowed)
            raise ScheduleError(f"move {number}: write one of {named} instead of {move}")
        return move

    return choose


def one_after_another(scenario: Scenario, state: State) -> Move:
    """The first actor that can move goes on until it finishes or blocks; first choices only."""
    for move in scenario.moves(state):
        return move
    raise StopIteration
