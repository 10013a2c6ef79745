"""Who moves next: schedules as text, and schedulers as functions `(scenario, state) -> move`.

A schedule is a line such as `pin*12 holder pin:fail*3`: an actor, an outcome after a colon where
the environment has a say, and how often.  It is read, never evaluated.

A scheduler raises StopIteration when nobody can move.  Most remember something: make a new one for
each run.  The random ones are made from a seed, and the same seed makes the same run."""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, groupby
from math import lcm

from mmsim.engine.odds import EVEN, Weights, by_actor, chances, check_weights
from mmsim.engine.scenario import Move, Scenario, Scheduler, State
from mmsim.errors import UserError, nearest

MOVES_MAX = 1_000_000
STEPS_MAX = 100_000
UNFINISHED = "not finished"
_TOKEN = re.compile(
    r"(?P<actor>[A-Za-z_]\w*)(:(?P<outcome>[A-Za-z]\w*))?(\*(?P<times>[1-9]\d{0,6}))?"
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
                "write ACTOR, ACTOR*TIMES or ACTOR:OUTCOME*TIMES, with blanks between them"
            )
        actor = match["actor"]
        if actor not in actors:
            raise ScheduleError(f"no actor {actor!r} in this scenario{nearest(actor, actors)}")
        moves += [Move(actor, match["outcome"] or "")] * int(match["times"] or 1)
        if len(moves) > MOVES_MAX:
            raise ScheduleError(f"the schedule has more than {MOVES_MAX} moves")
    return moves


def render(moves: Sequence[Move]) -> str:
    """The shortest line that `parse` reads back as these moves."""
    runs = ((move, len(list(group))) for move, group in groupby(moves))
    return " ".join(f"{move}*{n}" if n > 1 else str(move) for move, n in runs)


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
        allowed = scenario.outcomes(state, move.actor)
        if move.outcome not in allowed and (move.outcome or len(allowed) > 1):
            named = ", ".join(f"{move.actor}:{o}" if o else move.actor for o in allowed)
            raise ScheduleError(f"move {number}: write one of {named} instead of {move}")
        return move

    return choose


# -- schedulers


def one_after_another(scenario: Scenario, state: State) -> Move:
    """The first actor that can move goes on until it finishes or blocks; first outcomes only."""
    for move in scenario.moves(state):
        return move
    raise StopIteration


def coin(seed: int, weights: Weights = EVEN) -> Scheduler:
    """Toss a coin among the actors that can move, then one among the outcomes.

    `weights` load it, as in `engine.odds`: the odds of a search are those of this scheduler.
    The run raises SearchError for weights of nobody, and for weights that are no weights."""
    rng = random.Random(seed)
    known: dict[tuple[Move, ...], tuple[list[int], list[tuple[list[int], list[Move]]]]] = {}

    def toss(upto: list[int]) -> int:
        return bisect_right(upto, rng.randrange(upto[-1]))

    def choose(scenario: Scenario, state: State) -> Move:
        moves = tuple(scenario.moves(state))
        if not moves:
            raise StopIteration
        if moves not in known:
            check_weights(weights, [actor.name for actor in scenario.actors])
            groups = by_actor(moves)
            outcomes = [
                (_loaded([weights.get(str(m), 1) if m.outcome else 1 for m in group]), group)
                for group in groups
            ]
            known[moves] = _loaded([weights.get(g[0].actor, 1) for g in groups]), outcomes
        actors, outcomes = known[moves]
        upto, group = outcomes[toss(actors)]
        return group[toss(upto)]

    return choose


def _loaded(weights: Sequence[int | Fraction]) -> list[int]:
    """The sides of a coin, as the sums of their weights: whole numbers, which round nothing."""
    unit = lcm(*[Fraction(weight).denominator for weight in weights])
    return list(accumulate(int(weight * unit) for weight in weights))


def sample(
    scenario: Scenario,
    name: Callable[[State], str],
    runs: int,
    seed: int,
    weights: Weights = EVEN,
) -> dict[str, int]:
    """How many of `runs` runs end how, by `name`; run number i tosses the coin of seed + i.

    A run that is still going after STEPS_MAX steps counts as "not finished".  A merged scenario is
    quickest: it remembers where its actors can stand."""
    found: dict[str, int] = {}
    for number in range(runs):
        state, choose, said = scenario.initial(), coin(seed + number, weights), UNFINISHED
        for _ in range(STEPS_MAX):
            try:
                move = choose(scenario, state)
            except StopIteration:
                said = name(state)
                break
            state, _event = scenario.step(state, move)
        found[said] = found.get(said, 0) + 1
    return found


def along(scenario: Scenario, moves: Sequence[Move], weights: Weights = EVEN) -> list[Fraction]:
    """The probability of each move of a schedule, given those before it: 1 where nobody else could
    move.  Their product is the probability of the schedule.

    Raises ValueError for a move that can't be made."""
    found, state = [], scenario.initial()
    for number, move in enumerate(moves, start=1):
        free = scenario.moves(state)
        if move not in free:
            there = ", ".join(map(str, free)) or "none"
            raise ValueError(f"move {number}, {move}, can't be made; those that can: {there}")
        found.append(chances(free, weights)[free.index(move)])
        state, _ = scenario.step(state, move)
    return found
