"""The command line: `mmsim run | replay | compare | conformance | lab | doctor`.

Interface: main

Exit status: 0 all is well; 1 the model and what it was held against differ (conformance, compare),
or the doctor found a problem; 2 the words, a file or a schedule could not be used, which is said in
one sentence."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from mmsim import __version__
from mmsim.compare import COMPARED, NOT_COMPARED, FileComparison, compare_file
from mmsim.conformance import FileReport, check_file
from mmsim.engine import schedule
from mmsim.engine.trace import Trace
from mmsim.hints import nearest
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS, Situation, make

SHOWN_MAX = 20


class UsageError(ValueError):
    """The command line can't be understood; the message is the one sentence that says why."""


class _Parser(argparse.ArgumentParser):
    """argparse, with one sentence instead of a usage text when something is wrong."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


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
    parser = _Parser(prog="mmsim", description="Take one real Linux kernel bug apart.")
    parser.add_argument("--version", action="version", version=f"mmsim {__version__}")
    commands = parser.add_subparsers(dest="command", parser_class=_Parser)
    for name, (_, what, arguments) in COMMANDS.items():
        arguments(commands.add_parser(name, help=what, description=what))
    return parser


# -- mmsim run, mmsim replay


def _scenario_arguments(parser: argparse.ArgumentParser) -> None:
    knobs = "\n".join(
        f"  {knob.name}={knob.default}: {knob.what}; {knob.values}"
        for spec in SCENARIOS.values()
        for knob in spec.knobs
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        f"scenarios: {', '.join(SCENARIOS)}\nversions: {', '.join(VERSIONS)}\nknobs:\n{knobs}"
    )
    parser.add_argument("scenario", metavar="SCENARIO")
    parser.add_argument(
        "--version", dest="kernel", default="base", metavar="V", help="patch version"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KNOB=VALUE", help="turn a knob; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    _scenario_arguments(parser)
    parser.add_argument("schedule", metavar="SCHEDULE", help='who moves: "pin*9 stranger pin*3"')


def _situation(args: argparse.Namespace) -> Situation:
    knobs: dict[str, str] = {}
    for word in args.set:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"write --set KNOB=VALUE instead of --set {word}")
        knobs[name.strip()] = value
    return make(args.scenario, args.kernel, knobs)


def _run(args: argparse.Namespace) -> int:
    situation = _situation(args)
    return _print_trace(situation, situation.run(), as_json=args.json)


def _replay(args: argparse.Namespace) -> int:
    situation = _situation(args)
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
    turned = " ".join(f"{name}={value}" for name, value in situation.knobs.items())
    print(f"{situation.name}  version {situation.version.name} ({situation.version.title})")
    print(f"knobs     {turned}\nschedule  {told}\n")
    print(text.step_table(trace))
    print()
    print(text.summary(trace))
    return 0


# -- mmsim conformance, mmsim compare


def _conformance_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="vector files")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def _conformance(args: argparse.Namespace) -> int:
    reports = [check_file(file) for file in args.files]
    wrong = sum(len(report.mismatches) for report in reports)
    if args.json:
        print(
            json.dumps({"files": [_report_json(r) for r in reports], "mismatches": wrong}, indent=1)
        )
        return int(wrong > 0)
    for report in reports:
        for mismatch in report.mismatches:
            print(mismatch)
    for report in reports:
        print(
            f"{report.file}: {report.vectors} vectors, {report.pairs} (vector, version) pairs, "
            f"{len(report.mismatches)} mismatches"
        )
    return int(wrong > 0)


def _report_json(report: FileReport) -> dict[str, Any]:
    mismatches = [mismatch._asdict() for mismatch in report.mismatches]
    return {**report._asdict(), "mismatches": mismatches}


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"default: {' '.join(COMPARED)}")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def _compare(args: argparse.Namespace) -> int:
    comparisons = [compare_file(name) for name in args.files or COMPARED]
    if args.json:
        print(json.dumps([_comparison_json(c) for c in comparisons], indent=1))
    else:
        for comparison in comparisons:
            _print_comparison(comparison)
        if not args.files:
            print("not compared:")
            for name, why in NOT_COMPARED.items():
                print(f"  {name}: {why}")
    return int(any(comparison.having("disagree") for comparison in comparisons))


def _print_comparison(comparison: FileComparison) -> None:
    agree, explained, disagree = map(comparison.having, ("agree", "explained", "disagree"))
    print(
        f"{comparison.file}: {len(comparison.rows)} rows; {len(agree)} agree, "
        f"{len(explained)} explained, {len(disagree)} disagree ({comparison.numbers} numbers)"
    )
    read_off = sorted({name for row in comparison.rows for name in row.read_off})
    predicted = dict.fromkeys(name for row in agree for name in row.predicted)
    print(f"  read off the row: {', '.join(read_off) or 'nothing'}")
    print(f"  predicted: {', '.join(predicted)}")
    skipped = comparison.having("skipped")
    for why in sorted({row.why for row in skipped}):
        print(f"  not compared: {sum(row.why == why for row in skipped)} rows; {why}")
    for row in (explained + disagree)[:SHOWN_MAX]:
        numbers = ", ".join(
            f"{name} predicted {row.predicted[name]}, measured {row.measured[name]}"
            for name in row.differing
        )
        print(
            f"  line {row.number} ({row.version}): {row.verdict}: {numbers}"
            + (f"; {row.why}" if row.why else "")
        )


def _comparison_json(comparison: FileComparison) -> dict[str, Any]:
    return {
        "file": comparison.file,
        "numbers": comparison.numbers,
        **{v: len(comparison.having(v)) for v in ("agree", "explained", "disagree", "skipped")},
        "rows": [{**row._asdict(), "differing": row.differing} for row in comparison.rows],
    }


# -- mmsim lab, mmsim doctor


def _lab_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="for the lessons")
    parser.add_argument("--here", type=Path, metavar="NOTEBOOK", help="open this one, copy nothing")
    parser.add_argument("--port", type=int, help="port of the server")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def _lab(args: argparse.Namespace) -> int:
    from mmsim import lab

    return lab.lab(args.folder, port=args.port, browser=not args.no_browser, here=args.here)


def _doctor(args: argparse.Namespace) -> int:
    from mmsim import doctor

    return doctor.doctor()


COMMANDS = {
    "run": (_run, "run a scenario and print every step", _scenario_arguments),
    "replay": (_replay, "run a scenario by a schedule of your own", _replay_arguments),
    "conformance": (_conformance, "hold the model against vectors", _conformance_arguments),
    "compare": (_compare, "hold the model against measured kernels", _compare_arguments),
    "lab": (_lab, "put the lessons into a folder and open them", _lab_arguments),
    "doctor": (_doctor, "check this installation", lambda parser: None),
}
