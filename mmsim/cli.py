"""The command line: `mmsim run`, and the other commands that `mmsim --help` lists.

Exit status: 0 all is well; 1 the model and what it was held against differ (conformance, compare),
no path of the model explains the counters (diagnose), a text is known and another command or none
reads it (diagnose, show), or the doctor found a problem; 2 the words, a file or a schedule could
not be used, which is said in one sentence; 130 it was interrupted; 143 it was asked to end.  A sign
that the terminal does not have is replaced by a plainer one."""

from __future__ import annotations

import argparse
import codecs
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

from mmsim import __version__, lab, progress
from mmsim.amounts import times
from mmsim.datafiles import write_whole
from mmsim.engine import schedule
from mmsim.engine.explore import DEADLOCK, FOR_EVER, STATES_MAX, Exploration, search
from mmsim.errors import UserError, nearest
from mmsim.evidence.counters import read
from mmsim.evidence.diagnose import explain
from mmsim.evidence.kernel_runs import COMPARED, NOT_COMPARED, compare_file
from mmsim.evidence.pasted import KnownText, load
from mmsim.evidence.vectors import check_file
from mmsim.mm.seams import INVERTED
from mmsim.mm.versions import BASE, POLICIES, VERSIONS
from mmsim.scenarios import SCENARIOS, Situation, make
from mmsim.scenarios.knobs import ISOLATION_KNOB
from mmsim.scenarios.situation import FAILURES
from mmsim.views import diagnosis, run_text
from mmsim.views.exploration import Searched, search_begins
from mmsim.views.memory import machine

INTERRUPTED, TERMINATED = 130, 143
PLAINER = {"→": "->", "×": "x", "…": "...", "–": "-", "—": "-", "·": "-", "≠": "!="}
ISOLATION_HELP = (
    '"isolation as meant": the tree of that version has the isolation test of a pin inverted;\n'
    f"  {ISOLATION_KNOB.name}={INVERTED} does the same and adds a round and a drain to each pin "
    "from CMA"
)
Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """argparse, with one sentence instead of a usage text when something is wrong."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    args = argparse.Namespace()
    codecs.register_error("plainer", _plainer)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a notebook's own streams take every sign
            stream.reconfigure(errors="plainer")  # type: ignore[union-attr]
    with suppress(ValueError):  # a thread has no handlers; unwinding leaves no half-written file
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
    try:
        args = _parser().parse_args(argv)
        run: Run = args.run_command
        status = run(args)
        if sys.stdout is not None:
            sys.stdout.flush()  # what can't be written is told here, not when Python ends
        return status
    except KnownText as known:
        as_json = getattr(args, "json", False)
        print(json.dumps({"explained": False, "says": str(known)}) if as_json else known)
        return 1
    except UserError as error:
        print(f"mmsim: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:  # the core needs none, these commands do
        what = f"this command needs the package {error.name}, which is missing"
        print(f"mmsim: {what}: pip install {error.name}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `mmsim run ... | head` is a fair use
        _drop_output()
        return 0
    except OSError as error:  # a full disk, for instance
        _drop_output()
        where = f" {error.filename}" if error.filename else ""
        print(f"mmsim: can't read or write{where}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mmsim: interrupted", file=sys.stderr)
        return INTERRUPTED


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """In place of signs that the terminal's encoding lacks."""
    assert isinstance(error, UnicodeEncodeError)
    signs = error.object[error.start : error.end]
    return "".join(PLAINER.get(sign, "?") for sign in signs), error.end


def _drop_output() -> None:
    """What could not be written is not tried again when Python ends."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(prog="mmsim", description="Take one real Linux kernel bug apart.")
    parser.add_argument("--version", action="version", version=f"mmsim {__version__}")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, parser_class=Parser, help="one of these:"
    )

    def command(name: str, run: Run, what: str, *, as_json: bool = True) -> Parser:
        sub = commands.add_parser(name, help=what, description=what, conflict_handler="resolve")
        sub.set_defaults(run_command=run)
        if as_json:
            sub.add_argument("--json", action="store_true", help="print the same as JSON")
        return sub

    sub = command("run", run, "run a scenario and print every step")
    sub.set_defaults(schedule=None)
    scenario_arguments(sub)

    sub = command("replay", run, "run a scenario by a schedule of your own")
    scenario_arguments(sub)
    sub.add_argument("schedule", metavar="SCHEDULE", help='who moves: "pin*9 holder pin*3"')

    what = "every order of the steps of a scenario: outcomes, counts, odds"
    sub = command("explore", explore, what)
    scenario_arguments(sub)
    what = f"stop at the first state beyond so many (default {STATES_MAX:,})"
    sub.add_argument("--states-max", type=int, default=STATES_MAX, metavar="N", help=what)
    what = "only schedules in which an actor that could go on is interrupted at most N times"
    sub.add_argument("--preemptions-max", type=int, metavar="N", help=what)
    what = "is there an outcome with this in its name, and how soon?"
    sub.add_argument("--goal", metavar="NAME", help=what)

    sub = command("conformance", conformance, "hold the model against vectors")
    sub.add_argument("files", nargs="+", metavar="FILE", type=Path, help="vector files")

    sub = command("compare", compare, "hold the model against measured kernels")
    sub.add_argument("files", nargs="*", metavar="FILE", help=f"default: {' '.join(COMPARED)}")

    sub = command("diagnose", diagnose, "explain counters of /proc/vmstat that moved")
    sub.add_argument(
        "before",
        metavar="BEFORE",
        help="/proc/vmstat before, or some of it by grep; or alone: lines such as "
        "'thp_migration_fail +1', or lines of the trace event mm_migrate_pages, as they were "
        "pasted; - reads standard input",
    )
    sub.add_argument("after", metavar="AFTER", nargs="?", help="/proc/vmstat afterwards")
    known = ", ".join((*VERSIONS, *POLICIES))
    what = f"only this version, or a 6.12.N: {known}"
    sub.add_argument("--version", "--kernel", dest="kernel", metavar="V", help=what)
    sub.add_argument("--all", action="store_true", help="rarer situations, too, and every path")

    what = "the free memory that a text tells of: /proc/buddyinfo, a kernel log, ..."
    sub = command("show", show, what, as_json=False)
    sub.add_argument("file", metavar="FILE", help="the text, as it was pasted; - is standard input")
    sub.add_argument("--zone", metavar="NAME", help="by default the one with most free memory")
    sub.add_argument("--node", type=int, metavar="N", help="the node that the zone is on")
    sub.add_argument("--page-kib", type=int, metavar="KIB", help="size of a page: 4, 8, 16, 64")
    sub.add_argument("--order", type=int, metavar="N", help="by default that of a huge page")

    sub = command("lab", run_lab, "put the lessons into a folder and open them", as_json=False)
    sub.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="for the lessons")
    sub.add_argument("--here", type=Path, metavar="NOTEBOOK", help="open this one, copy nothing")
    sub.add_argument("--port", type=int, help="port of the server")
    sub.add_argument("--no-browser", action="store_true", help="only print the address")
    sub.add_argument("--no-solutions", action="store_true", help="put no solutions there")

    what = "what you have answered, lesson by lesson"
    sub = command("progress", run_progress, what, as_json=False)
    sub.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of your lessons")
    sub.add_argument("--hand-in", metavar="NAME", help="write it into a file with this name")

    what = "what a class has answered: its hand-ins as a table and a picture"
    sub = command("tally", tally, what, as_json=False)
    sub.add_argument("folder", type=Path, metavar="FOLDER", help="with the files handed in")

    command("doctor", lambda args: lab.doctor(), "check this installation", as_json=False)
    return parser


def scenario_arguments(parser: Parser) -> None:
    """What names a scenario: its name, --version, --set; help lists what there is to choose."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("scenario", metavar="SCENARIO")
    what = f"version or policy (default {BASE.name})"
    parser.add_argument("--version", dest="kernel", metavar="V", help=what)
    what = "turn a knob; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE", help=what)
    parser.conflict_handler = "resolve"
    what = "show this, and with a SCENARIO its knobs"
    parser.add_argument("-h", "--help", action=ScenarioHelp, nargs=0, help=what)


class ScenarioHelp(argparse.Action):
    """`run --help` lists versions and scenarios, `run SCENARIO --help` the knobs of that one."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, *_: Any) -> None:
        if spec := SCENARIOS.get(namespace.scenario):
            lines = [f"{spec.name}: {spec.title}", *spec.knob_lines()]
            lines += [search_begins(spec)] if spec.searched else []
        else:
            lines = ["versions:", *(f"  {row.name}: {row.full_title}" for row in VERSIONS.values())]
            lines += [f"  {ISOLATION_HELP}", f"policies (in no kernel): {', '.join(POLICIES)}"]
            lines.append("scenarios (SCENARIO --help lists the knobs of one):")
            lines += [f"  {spec.name}: {spec.title}" for spec in SCENARIOS.values()]
        parser.epilog = "\n".join(lines)
        parser.print_help()
        parser.exit()


def situation_of(args: argparse.Namespace, *, search: bool = False) -> Situation:
    """The scenario that the command line names.  A `search` begins with smaller knobs."""
    spec = SCENARIOS.get(args.scenario)
    knobs: dict[str, object] = {**spec.searched} if search and spec else {}
    for word in args.set:
        name, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"write --set KNOB=VALUE instead of --set {word}")
        knobs[name.strip()] = value
    return make(args.scenario, args.kernel or BASE.name, knobs, merge=search)


# -- run, replay


def run(args: argparse.Namespace) -> int:
    """`mmsim run` and `mmsim replay`: a scenario as it goes by itself, or by a given schedule."""
    situation = situation_of(args)
    trace = situation.run() if args.schedule is None else situation.replay(args.schedule)
    if args.json:
        print(json.dumps(run_text.as_json(situation, trace), indent=1))
    else:
        print(f"{run_text.heading(situation)}\nschedule  {schedule.render(trace.moves)}\n")
        print(f"{run_text.step_table(trace)}\n\n{run_text.summary(trace)}")
    return 0


# -- explore


def explore(args: argparse.Namespace) -> int:
    """`mmsim explore`: every order of the steps.

    With --goal the claim is that some outcome has that name, else that every outcome is the aim of
    the scenario.  Ctrl-C ends the search and prints what has been found so far."""
    situation = situation_of(args, search=True)
    for name, low in (("states_max", 1), ("preemptions_max", 0)):
        number = getattr(args, name)
        if number is not None and number < low:
            raise UserError(f"--{name.replace('_', '-')} can't be less than {low}")
    if args.goal is not None:
        known = (situation.aim.outcome, *FAILURES, DEADLOCK, FOR_EVER)
        if not args.goal or not any(args.goal in name for name in known):
            raise UserError(f"no outcome is called {args.goal!r}{nearest(args.goal, known)}")
    found = _search(situation, args)
    outcomes = found.outcomes(situation.outcome)
    searched = Searched(situation, found, outcomes, args.goal, args.preemptions_max)
    if args.json:
        sys.set_int_max_str_digits(0)  # exact numbers of a long run may have thousands of digits
        print(json.dumps(searched.as_json(), indent=1))
    else:
        print(searched.report(as_it_begins=not args.set))
    if found.stopped == "interrupted":
        print("mmsim: interrupted, search not finished", file=sys.stderr)
        return INTERRUPTED
    return 0


def _search(situation: Situation, args: argparse.Namespace) -> Exploration:
    """Search until the end, a limit or Ctrl-C; on a terminal, say how far it is."""
    show = sys.stderr.isatty()
    begin = shown = time.monotonic()
    pressed = Event()
    before = None
    with suppress(ValueError):  # a thread has no handlers
        before = signal.signal(signal.SIGINT, lambda number, frame: pressed.set())
    try:
        for found in search(
            situation,
            states_max=args.states_max,
            preemptions_max=args.preemptions_max,
            every=50,
        ):
            if pressed.is_set():
                break
            now = time.monotonic()
            if show and now - shown > 0.2:
                shown = now
                rate = found.states / (now - begin)
                told = f"{found.states:,} states, {found.waiting:,} of them wait"
                print(f"\r\x1b[K{told}, {rate:,.0f} a second", end="", file=sys.stderr, flush=True)
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    if show:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return found


# -- conformance, compare: the model against what it did not make


def conformance(args: argparse.Namespace) -> int:
    """`mmsim conformance`: status 1 if a vector gives another outcome than it says."""
    reports = [check_file(file) for file in args.files]
    wrong = sum(len(report.mismatches) for report in reports)
    if args.json:
        files = [report.as_json() for report in reports]
        print(json.dumps({"files": files, "mismatches": wrong}, indent=1))
    else:
        print(
            *(mismatch for report in reports for mismatch in report.mismatches), *reports, sep="\n"
        )
    return int(wrong > 0)


def compare(args: argparse.Namespace) -> int:
    """`mmsim compare`: status 1 if a number that was predicted is not what was measured."""
    comparisons = [compare_file(name) for name in args.files or COMPARED]
    if args.json:
        print(json.dumps([each.as_json() for each in comparisons], indent=1))
    else:
        print(*comparisons, sep="\n")
        if not args.files:
            print("not compared:")
            for name, why in NOT_COMPARED.items():
                print(f"  {name}: {why}")
    return int(any(comparison.having("disagree") for comparison in comparisons))


# -- diagnose, show, lab


def diagnose(args: argparse.Namespace) -> int:
    """`mmsim diagnose`: status 1 if no path of the model explains what moved."""
    names = [name for name in (args.before, args.after) if name is not None]
    if names == ["-", "-"]:
        raise UserError("only one of the two texts can be -, as there is one standard input")
    texts = [load(name) for name in names]
    before, after = ["standard input" if name == "-" else name for name in (*names, "")][:2]
    delta = read(texts[0], texts[1] if len(texts) > 1 else None, (before, after))
    found = explain(delta, args.kernel, rarer=args.all)
    if args.json:
        print(json.dumps(diagnosis.as_json(found), indent=1))
    else:
        groups_max = None if args.all else diagnosis.GROUPS_MAX
        print(diagnosis.report(found, groups_max=groups_max), end="")
    return int(not found.explained)


def show(args: argparse.Namespace) -> int:
    """`mmsim show`: what `show_memory()` says, without the picture."""
    seen = machine(load(args.file), args.zone, args.node, args.order, args.page_kib)
    tables = [seen.zones, seen.table] if seen.orders else [seen.zones]
    print("\n\n".join([seen.sentence, *(table.to_string() for table in tables)]))
    return 0


def run_lab(args: argparse.Namespace) -> int:
    """`mmsim lab`: the lessons in JupyterLab; its exit status."""
    return lab.open_lab(
        args.folder,
        port=args.port,
        browser=not args.no_browser,
        here=args.here,
        solutions=not args.no_solutions,
    )


# -- progress, tally


def run_progress(args: argparse.Namespace) -> int:
    """`mmsim progress`: what was answered; with --hand-in one file of it."""
    from mmsim.lessons.tally import progress_table  # no other command waits for the cards

    folders = [args.folder] if args.folder else [Path(), Path("mmsim-lessons")]
    files = [folder / part / progress.FILE for folder in folders for part in ("", "notebooks")]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        advice = "name the folder of your lessons, or answer a card in a notebook first"
        raise UserError(f"there is no {progress.FILE} in {args.folder or 'this folder'}: {advice}")
    book = _book(file)
    print(f"{file}\n\n{progress_table(book.cards)}")
    if args.hand_in is not None:
        target = progress.hand_in(book, args.hand_in, __version__)
        print(
            f"\n{target} is written. It holds the name {args.hand_in!r}, your first and your last "
            "answer to each card in full, how often you tried, and when.\n"
            "Nothing was sent anywhere: give this file to your teacher."
        )
    return 0


def tally(args: argparse.Namespace) -> int:
    """`mmsim tally`: one table of all hand-ins in a folder, and a picture beside them."""
    from mmsim.lessons.tally import cards, latest, tally_picture, tally_table

    handed_in: dict[str, list[progress.Book]] = {}
    for file in sorted(args.folder.glob("*.jsonl")):
        book = _book(file)
        name = str(book.head.get("hand_in", ""))
        if not name:
            print(f"mmsim: {file} is left out: it is no hand-in", file=sys.stderr)
            continue
        handed_in.setdefault(name, []).append(book)
    for name, several in handed_in.items():
        if len(several) > 1:
            often = times(len(several))
            print(f"mmsim: {name!r} handed in {often}: the latest one counts", file=sys.stderr)
    if not handed_in:
        raise UserError(f"there is no hand-in (.jsonl) in {args.folder}")
    books = [latest(several) for several in handed_in.values()]
    print(f"Hand-ins: {len(books)}\n", flush=True)  # what was right is asked of the model now
    known = cards()
    print(tally_table(books, known))
    picture = args.folder / "tally.svg"
    try:
        write_whole(picture, tally_picture(books, known).svg.encode())
    except OSError as error:
        raise UserError(f"{picture} can't be written: {error.strerror}") from error
    print(f"\nThe picture is {picture}.")
    return 0


def _book(file: Path) -> progress.Book:
    """A file of answers; what is damaged in it is said."""
    try:
        book = progress.read(file)
    except OSError as error:
        raise UserError(f"{file} can't be read: {error.strerror}") from error
    for line in book.damaged[:5]:
        print(f"mmsim: {file}: line {line} is damaged and left out", file=sys.stderr)
    return book
