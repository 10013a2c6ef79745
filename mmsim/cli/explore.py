"""`mmsim explore`: every order of the steps of a scenario.

Interface: explore_arguments, explore
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mmsim.cli.steps import heading, scenario_arguments, situation_of
from mmsim.cli.usage import UsageError
from mmsim.engine import schedule
from mmsim.engine.explore import (
    DEADLOCK,
    FOR_EVER,
    STATES_MAX,
    Exploration,
    Outcome,
    Verdict,
    search,
)
from mmsim.engine.scenario import Move
from mmsim.hints import nearest
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.scenarios.situation import Spec

REDRAW_SECONDS = 0.2
EVERY = 50  # states from one look at the clock, and at Ctrl-C, to the next
INTERRUPTED = 130


class Answer(NamedTuple):
    """What the search says: all outcomes, those that were asked about, and a verdict on them.

    `asked`: with --goal the outcomes of that name, and the claim is that there are some.  Without
    it every outcome but success, and the claim is that there are none."""

    outcomes: list[Outcome]
    asked: list[Outcome]
    verdict: Verdict


def explore_arguments(parser: argparse.ArgumentParser) -> None:
    """A scenario, limits, a goal."""
    scenario_arguments(parser)
    for spec in SCENARIOS.values():
        if spec.searched:
            parser.epilog = f"{parser.epilog}\n\n{_begins(spec)}"
    parser.add_argument(
        "--states-max",
        type=_at_least(1),
        default=STATES_MAX,
        metavar="N",
        help=f"stop after so many states (default {STATES_MAX:,})",
    )
    parser.add_argument(
        "--preemptions-max",
        type=_at_least(0),
        metavar="N",
        help="only schedules in which an actor that could go on is interrupted at most N times",
    )
    parser.add_argument(
        "--goal", metavar="NAME", help="is there an outcome with this in its name, and how soon?"
    )


def _begins(spec: Spec) -> str:
    """What a search of this scenario begins with."""
    knobs = " ".join(f"{name}={value}" for name, value in spec.searched.items())
    return f"a search of {spec.name} begins with {knobs}; --set turns that, too"


def _at_least(low: int) -> type[int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < low:
            raise argparse.ArgumentTypeError(f"write a whole number from {low} on, not {text!r}")
        return int(text)

    return number  # type: ignore[return-value]


def explore(args: argparse.Namespace) -> int:
    """`mmsim explore`; returns the exit status."""
    situation = situation_of(args, search=True)
    goal = _goal(situation, args.goal) if args.goal is not None else None
    with _interruptible() as stopped:
        found = _search(situation, args, stopped)
    answer = _answer(situation, found, goal)
    if args.json:
        _print_json(found, answer)
    else:
        _print_for_people(
            situation, found, answer, _Words(goal, args.preemptions_max, bool(args.set))
        )
    if stopped.is_set():
        print("mmsim: interrupted, search not finished", file=sys.stderr)
        return INTERRUPTED
    return 0


def _goal(situation: Situation, text: str) -> str:
    """The text to look for in the names of outcomes; raises UsageError if none can have it."""
    known = (*situation.outcomes_known, DEADLOCK, FOR_EVER)
    if not text or not any(text in name for name in known):
        raise UsageError(f"no outcome is called {text!r}{nearest(text, known)}")
    return text


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one interrupts as usual."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _search(
    situation: Situation, args: argparse.Namespace, stopped: threading.Event
) -> Exploration:
    """Search until the end, a limit or Ctrl-C; on a terminal, say how far it is."""
    show = sys.stderr.isatty()
    begin = shown = time.monotonic()
    bits = search(
        situation,
        states_max=args.states_max,
        preemptions_max=args.preemptions_max,
        every=EVERY,
    )
    for found in bits:
        if stopped.is_set():
            break
        now = time.monotonic()
        if show and now - shown > REDRAW_SECONDS:
            shown = now
            rate = found.states / (now - begin)
            text = f"{found.states:,} states, {found.waiting:,} of them wait, {rate:,.0f} a second"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    if show:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return found


def _answer(situation: Situation, found: Exploration, goal: str | None) -> Answer:
    outcomes = found.outcomes(situation.outcome)
    if goal is not None:
        asked = [each for each in outcomes if goal in each.name]
        decided, otherwise = Verdict.HOLDS, Verdict.BROKEN
    else:
        asked = [each for each in outcomes if each.name != situation.aim.word]
        decided, otherwise = Verdict.BROKEN, Verdict.HOLDS
    unknown = otherwise if found.complete else Verdict.NOT_FINISHED
    return Answer(outcomes, asked, decided if asked else unknown)


def _print_json(found: Exploration, answer: Answer) -> None:
    digits_max = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # exact numbers of a long run may have thousands of digits
    try:
        print(json.dumps(_content(found, answer), indent=1))
    finally:
        sys.set_int_max_str_digits(digits_max)


def _content(found: Exploration, answer: Answer) -> dict[str, object]:
    outcomes = [
        {
            "name": each.name,
            "schedules": each.schedules,
            "odds": f"{each.odds.numerator}/{each.odds.denominator}",
            "shortest": None if each.shortest is None else schedule.render(each.shortest),
        }
        for each in answer.outcomes
    ]
    return {
        "states": found.states,
        "edges": found.edges,
        "schedules": found.schedules(),
        "verdict": answer.verdict.value,
        "complete": found.complete,
        "outcomes": outcomes,
    }


class _Words(NamedTuple):
    """What the options add to a sentence."""

    goal: str | None
    preemptions_max: int | None
    turned: bool

    @property
    def bound(self) -> str:
        """Which orders are meant, unless it is all."""
        n = self.preemptions_max
        return "" if n is None else f" with at most {n} preemption{'s' * (n != 1)}"

    def claim(self, situation: Situation) -> str:
        """What the verdict is about."""
        if self.goal is not None:
            return f"some order{self.bound} ends in {self.goal!r}"
        return f"every order{self.bound} ends in {situation.aim.word!r}"


def _print_for_people(
    situation: Situation, found: Exploration, answer: Answer, words: _Words
) -> None:
    from mmsim.views.numbers import count
    from mmsim.views.outcomes import outcome_table

    print(heading(situation))
    if SCENARIOS[situation.name].searched and not words.turned:
        print(f"          {_begins(SCENARIOS[situation.name])}")
    numbers = f"{count(found.states)} states, {count(found.edges)} edges"
    schedules = found.schedules() if found.complete else None
    if found.complete:
        which = words.bound or " there are"
        ways = f"{count(schedules)} schedule{'s' * (schedules != 1)}"
        print(f"searched  {numbers}, {ways}: all{which}\n")
    else:
        print(f"searched  {numbers}; {count(found.waiting)} states had no turn ({found.stopped})\n")
    if answer.outcomes:
        print(outcome_table(answer.outcomes, schedules))
        if words.bound:
            print("      with a bound the coin is tossed among those who may still move")
    else:
        print("No run has come to an end yet.")
    for each in answer.outcomes:
        if each.shortest is not None:
            print(f"\n{each.name}: shortest schedule, {len(each.shortest)} steps")
            print(f"  {_how_to_replay(situation, each.shortest)}")
    print(f"\nClaim: {words.claim(situation)}.  Verdict: {answer.verdict.value}.")
    if not found.complete:
        print("search not finished: the numbers above are those so far")


def _how_to_replay(situation: Situation, moves: Sequence[Move]) -> str:
    """A command that runs this schedule, on this machine or on a neighbour's."""
    knobs = SCENARIOS[situation.name].knobs
    turned = [
        f"--set {knob.name}={situation.knobs[knob.name]}"
        for knob in knobs
        if situation.knobs[knob.name] != knob.default
    ]
    words = [situation.name, "--version", situation.version.name, *turned]
    return f'mmsim replay {" ".join(words)} "{schedule.render(moves)}"'
