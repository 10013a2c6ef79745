"""`mmsim run` and `mmsim replay`: one run of a scenario, step by step.

Interface: scenario_arguments, replay_arguments, situation_of, heading, run, replay
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from mmsim import sharecode
from mmsim.cli.usage import UsageError
from mmsim.engine import schedule
from mmsim.engine.trace import Trace
from mmsim.mm.versions import BASE, INVERTED, POLICIES, VERSIONS
from mmsim.scenarios import SCENARIOS, Situation, make
from mmsim.scenarios.situation import ISOLATION

ISOLATION_HELP = (
    '"isolation as meant": the tree of that version has the isolation test of a pin inverted;\n'
    f"  {ISOLATION.name}={INVERTED} does the same and adds a round and a drain to each pin from CMA"
)


def scenario_arguments(parser: argparse.ArgumentParser) -> argparse.Action:
    """What names a scenario: its name, --version, --set, --json.  Returns the first."""
    lines = [
        "versions:",
        *(f"  {row.name}: {row.full_title}" for row in VERSIONS.values()),
        f"  {ISOLATION_HELP}",
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
    scenario = parser.add_argument("scenario", metavar="SCENARIO")
    parser.add_argument(
        "--version", dest="kernel", metavar="V", help=f"version or policy (default {BASE.name})"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KNOB=VALUE", help="turn a knob; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    return scenario


class _Instead(argparse.Action):
    """An option that makes positional arguments unnecessary."""

    def __init__(self, *args: Any, unneeded: Sequence[argparse.Action], **more: Any) -> None:
        super().__init__(*args, **more)
        self.unneeded = unneeded

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, values)
        for argument in self.unneeded:
            argument.required = False


def replay_arguments(parser: argparse.ArgumentParser) -> None:
    """The same and a schedule, or a share code that says all of it."""
    scenario = scenario_arguments(parser)
    told = parser.add_argument(
        "schedule", metavar="SCHEDULE", help='who moves: "pin*9 stranger pin*3"'
    )
    parser.add_argument(
        "--code",
        action=_Instead,
        unneeded=(scenario, told),
        help="a share code, which says all the rest: mmsim replay --code CODE",
    )


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
    """Which scenario this is, and which isolation test its pin has: two or three lines."""
    version = situation.version
    turned = " ".join(f"{name}={value}" for name, value in situation.knobs.items())
    lines = [f"{situation.name}  version {version.name} ({version.title})", f"knobs     {turned}"]
    if situation.isolation_told:
        lines.append(f"isolation {situation.isolation_told}")
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """`mmsim run`; returns the exit status."""
    situation = situation_of(args)
    return _print_trace(situation, situation.run(), as_json=args.json)


def replay(args: argparse.Namespace) -> int:
    """`mmsim replay`; returns the exit status."""
    if args.code is not None:
        if args.scenario is not None or args.kernel is not None or args.set:
            raise UsageError("a code says scenario, version, knobs and schedule: write it alone")
        shared = sharecode.decode(args.code)
        situation, told = shared.situation(), shared.schedule
    else:
        situation, told = situation_of(args), args.schedule
    return _print_trace(situation, situation.replay(told), as_json=args.json)


def _print_trace(situation: Situation, trace: Trace, *, as_json: bool) -> int:
    from mmsim.views import text

    told = schedule.render(trace.moves)
    code, no_code = _code(situation, trace)
    if as_json:
        content = {
            "scenario": situation.name,
            "version": situation.version.name,
            "knobs": situation.knobs,
            "schedule": told,
            "code": code,
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
    print(f"{heading(situation)}\nschedule  {told}\ncode      {code or no_code}\n")
    print(text.step_table(trace))
    print()
    print(text.summary(trace))
    return 0


def _code(situation: Situation, trace: Trace) -> tuple[str | None, str]:
    """The share code of a run; or None, and why it has none."""
    try:
        return sharecode.encode(situation, trace.moves), ""
    except sharecode.ShareError as error:
        return None, f"none: {error}"
