"""`mmsim run` and `mmsim replay`: one run of a scenario, step by step.

Interface: scenario_arguments, replay_arguments, situation_of, heading, run, replay
"""

from __future__ import annotations

import argparse
import json

from mmsim.cli.usage import UsageError
from mmsim.engine import schedule
from mmsim.engine.trace import Trace
from mmsim.mm.versions import BASE, POLICIES, VERSIONS
from mmsim.scenarios import SCENARIOS, Situation, make


def scenario_arguments(parser: argparse.ArgumentParser) -> None:
    """What names a scenario: its name, --version, --set, --json."""
    lines = [
        f"versions: {', '.join(VERSIONS)}",
        f"policies (in no kernel of the time): {', '.join(POLICIES)}",
        "scenarios and their knobs:",
    ]
    for spec in SCENARIOS.values():
        lines += ["", f"{spec.name}: {spec.title}"]
        lines += [
            f"  {knob.name}={knob.default}: {knob.what}; {knob.values}" for knob in spec.knobs
        ]
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(lines)
    parser.add_argument("scenario", metavar="SCENARIO")
    parser.add_argument(
        "--version", dest="kernel", metavar="V", help=f"version or policy (default {BASE.name})"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KNOB=VALUE", help="turn a knob; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def replay_arguments(parser: argparse.ArgumentParser) -> None:
    """The same and a schedule."""
    scenario_arguments(parser)
    parser.add_argument("schedule", metavar="SCHEDULE", help='who moves: "pin*9 stranger pin*3"')


def situation_of(args: argparse.Namespace, *, search: bool = False) -> Situation:
    """The scenario that the command line names; for a `search`, it begins with smaller knobs.

    Raises ValueError."""
    spec = SCENARIOS.get(args.scenario)
    knobs: dict[str, object] = {**spec.searched} if search and spec else {}
    for word in args.set:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"write --set KNOB=VALUE instead of --set {word}")
        knobs[name.strip()] = value
    return make(args.scenario, args.kernel or BASE.name, knobs, merge=search)


def heading(situation: Situation) -> str:
    """Which scenario this is: two lines."""
    version = situation.version
    turned = " ".join(f"{name}={value}" for name, value in situation.knobs.items())
    return f"{situation.name}  version {version.name} ({version.title})\nknobs     {turned}"


def run(args: argparse.Namespace) -> int:
    """`mmsim run`; returns the exit status."""
    situation = situation_of(args)
    return _print_trace(situation, situation.run(), as_json=args.json)


def replay(args: argparse.Namespace) -> int:
    """`mmsim replay`; returns the exit status."""
    situation = situation_of(args)
    return _print_trace(situation, situation.replay(args.schedule), as_json=args.json)


def _print_trace(situation: Situation, trace: Trace, *, as_json: bool) -> int:
    from mmsim.views import text

    told = schedule.render(trace.moves)
    if as_json:
        content = {
            "scenario": situation.name,
            "version": situation.version.name,
            "knobs": situation.knobs,
            "schedule": told,
            "result": situation.result(trace.last),
            "outcome": situation.outcome(trace.last),
            "counters": dict(text.counters(trace)),
            "steps": [
                {
                    "actor": event.actor,
                    "step": event.op.kind.name,
                    "arguments": [str(argument) for argument in event.op.args],
                    "outcome": event.outcome,
                    "answer": str(event.answer),
                    "in": event.where[-1].function,
                }
                for event in trace.events
            ],
        }
        print(json.dumps(content, indent=1))
        return 0
    print(f"{heading(situation)}\nschedule  {told}\n")
    print(text.step_table(trace))
    print()
    print(text.summary(trace))
    return 0
