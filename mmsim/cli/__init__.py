"""The command line: `mmsim run | replay | explore | compare | conformance | diagnose | ...`.

Interface: main

Exit status: 0 all is well; 1 the model and what it was held against differ (conformance, compare),
no path of the model explains the counters (diagnose), or the doctor found a problem; 2 the words, a
file or a schedule could not be used, which is said in one sentence; 130 it was interrupted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mmsim import __version__
from mmsim.cli import diagnose, explore, held_against, steps, workplace
from mmsim.cli.usage import Parser, UsageError
from mmsim.hints import nearest


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    commands = {name: run for name, (run, _, _) in COMMANDS.items()}
    try:
        if words and not words[0].startswith("-") and words[0] not in commands:
            raise UsageError(f"no command {words[0]!r}{nearest(words[0], commands)}")
        args = _parser().parse_args(words)
        if args.command is None:
            raise UsageError(f"name a command: {', '.join(commands)}")
        return commands[args.command](args)
    except ValueError as error:
        print(f"mmsim: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `mmsim run ... | head` is a fair use
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("mmsim: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="mmsim", description="Take one real Linux kernel bug apart.")
    parser.add_argument("--version", action="version", version=f"mmsim {__version__}")
    commands = parser.add_subparsers(dest="command", parser_class=Parser)
    for name, (_, what, arguments) in COMMANDS.items():
        arguments(commands.add_parser(name, help=what, description=what))
    return parser


COMMANDS = {
    "run": (steps.run, "run a scenario and print every step", steps.scenario_arguments),
    "replay": (steps.replay, "run a scenario by a schedule of your own", steps.replay_arguments),
    "explore": (
        explore.explore,
        "every order of the steps of a scenario: outcomes, counts, odds",
        explore.explore_arguments,
    ),
    "conformance": (
        held_against.conformance,
        "hold the model against vectors",
        held_against.conformance_arguments,
    ),
    "compare": (
        held_against.compare,
        "hold the model against measured kernels",
        held_against.compare_arguments,
    ),
    "diagnose": (
        diagnose.diagnose,
        "explain counters of /proc/vmstat that moved",
        diagnose.diagnose_arguments,
    ),
    "lab": (workplace.lab, "put the lessons into a folder and open them", workplace.lab_arguments),
    "doctor": (workplace.doctor, "check this installation", lambda parser: None),
}
