"""Change mmsim/engine and mmsim/mm in one place at a time, and see whether a test notices.

Cosmic-ray makes the changes. The tests are collected once, and a fork of that process tries one
change: it puts the changed code into the functions that are there, and runs the tests that reach
the changed line until one fails. What an import has run already is imported anew.

Changes are drawn by a hash of what they change, and tried in that order.  So whatever an
interrupted run has tried is a fair sample, and it stays the same when other lines change.
Each first gets the tests of a few seconds. Who survives these gets more of them in a second round.
Survivors are printed as they come, and build/mutants.csv has every result. What the tests reach is
kept in build/ as long as no file changes.

tests/survivors.csv says of each survivor why it may live. The exit status is 1 if the score is too
low, or if a survivor is not listed there."""

from __future__ import annotations

import argparse
import ast
import copy
import csv
import functools
import gc
import hashlib
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from importlib.machinery import SourceFileLoader
from itertools import accumulate, chain
from mmap import mmap
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import coverage
import parso
import pytest
from _pytest.runner import runtestprotocol
from cosmic_ray.ast import ast_nodes
from cosmic_ray.plugins import get_operator

ROOMS = ("mmsim/engine", "mmsim/mm")
VECTORS = ("vectors", "own_vectors", "measured", "ftrace")
TESTS = (
    *("tests/engine", "tests/mm", "tests/scenarios"),
    *(f"tests/evidence/test_{name}.py" for name in VECTORS),
)
QUIET = ("-q", "-p", "no:cacheprovider", "--no-header", "--no-summary")
KNOWN = Path("tests/survivors.csv")
RESULTS = Path("build/mutants.csv")
REACHED = Path("build/mutants-reached.pickle")
SCORE = 90  # per cent
ROUNDS = (2.0, 20.0)  # seconds of CPU for the tests of one mutant, in each round
MEMORY = 3 << 30  # bytes for one process
ALIVE = ("survived", "not reached")
# One change for each operator. Cosmic-ray knows eleven for each "+"; they die together.
OPERATORS = """
NumberReplacer AddNot ReplaceUnaryOperator_Delete_Not ReplaceUnaryOperator_Delete_USub
ReplaceTrueWithFalse ReplaceFalseWithTrue ReplaceAndWithOr ReplaceOrWithAnd
ZeroIterationForLoop ReplaceBreakWithContinue ReplaceContinueWithBreak
ReplaceBinaryOperator_Add_Sub ReplaceBinaryOperator_Sub_Add ReplaceBinaryOperator_Div_Mul
ReplaceBinaryOperator_Mul_FloorDiv ReplaceBinaryOperator_FloorDiv_Mul ReplaceBinaryOperator_Mod_Mul
ReplaceBinaryOperator_LShift_RShift ReplaceBinaryOperator_RShift_LShift
ReplaceBinaryOperator_BitAnd_BitOr ReplaceBinaryOperator_BitOr_BitAnd
ReplaceComparisonOperator_Eq_NotEq ReplaceComparisonOperator_NotEq_Eq
ReplaceComparisonOperator_Lt_LtE ReplaceComparisonOperator_LtE_Lt
ReplaceComparisonOperator_Gt_GtE ReplaceComparisonOperator_GtE_Gt
ReplaceComparisonOperator_Is_IsNot ReplaceComparisonOperator_IsNot_Is
"""


class Mutant(NamedTuple):
    """One change: file and function, the line before and after, its place, the changed file."""

    file: str
    function: str
    was: str
    becomes: str
    lines: range
    source: str


def mutants_of(file: str) -> list[Mutant]:
    """All changes of one file.

    Left out: annotations, which nobody runs; `strict=` of zip(), which asks what is true anyway;
    and `maxsize=` of a cache, which changes no answer."""
    source = Path(file).read_text()
    lines = [*source.splitlines(keepends=True), ""]
    notes: set[tuple[int, int]] = set()
    functions: dict[int, str] = {}
    for each in ast.walk(ast.parse(source)):
        asked = isinstance(each, ast.keyword) and each.arg in ("strict", "maxsize")
        for note in (
            getattr(each, "annotation", None),
            getattr(each, "returns", None),
            each.value if asked else None,
        ):
            if note:
                notes |= {(note.lineno, at) for at in range(note.col_offset, note.end_col_offset)}
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            functions |= dict.fromkeys(range(each.lineno, (each.end_lineno or 0) + 1), each.name)
    found = []
    nodes = list(ast_nodes(parso.parse(source)))
    for operator in (get_operator(f"core/{name}")() for name in OPERATORS.split()):
        for node in nodes:
            for index, (begin, end) in enumerate(operator.mutation_positions(node)):
                if begin in notes:
                    continue
                node_alone = copy.deepcopy(node, {id(node.parent): node.parent})
                changed = operator.mutate(node_alone, index).get_code(include_prefix=False)
                (first, left), (last, right) = node.start_pos, node.end_pos
                before = "".join(lines[: first - 1]) + lines[first - 1][:left]
                text = before + changed + lines[last - 1][right:] + "".join(lines[last:])
                try:
                    compile(text, file, "exec", dont_inherit=True)
                except SyntaxError:
                    continue
                pairs = zip(lines, text.splitlines(keepends=True), strict=False)
                was, becomes = next(
                    (" ".join(a.split()), " ".join(b.split())) for a, b in pairs if a != b
                )
                at = range(begin[0], end[0] + 1)
                found.append(Mutant(file, functions.get(begin[0], ""), was, becomes, at, text))
    return found


def reach() -> tuple[dict[str, float], dict[str, dict[int, list[str]]]]:
    """Seconds of CPU of every test, and for every line of every file the tests that reach it.

    An import reaches lines, too; it is called "". Kept in a file until a file of ours changes."""
    ours = sorted(file for folder in ("mmsim", "tests") for file in Path(folder).rglob("*.py"))
    state = hashlib.sha256(b"".join(file.read_bytes() for file in ours)).digest()
    if REACHED.exists():
        then, *kept = pickle.loads(REACHED.read_bytes())
        if then == state:
            return tuple(kept)
    seconds = {}
    failed: set[str] = set()
    cover = coverage.Coverage(data_file=None, source=list(ROOMS))

    class Reach:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
            forget()  # what an earlier test has computed, this one would not reach
            cover.switch_context(item.nodeid)
            begin = time.process_time()
            result = yield
            seconds[item.nodeid] = time.process_time() - begin
            return result

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.add(report.nodeid)

    cover.start()
    pytest.main([*QUIET, *TESTS], plugins=[Reach()])
    cover.stop()
    if not seconds or len(failed) > 3:  # one needs Jupyter, which is not here
        raise RuntimeError(f"without any change tests fail or can't be collected: {sorted(failed)}")
    for name in failed:
        del seconds[name]
    data = cover.get_data()
    files = {os.path.relpath(name): name for name in data.measured_files()}
    reached = {short: data.contexts_by_lineno(name) for short, name in files.items()}
    REACHED.write_bytes(pickle.dumps((state, seconds, reached)))
    return seconds, reached


CACHES: list[Any] = []


def forget() -> None:
    """Empty every cache of a function."""
    if not CACHES:
        cached = functools._lru_cache_wrapper
        CACHES.extend(thing for thing in gc.get_objects() if isinstance(thing, cached))
    for cache in CACHES:
        cache.cache_clear()


# -- one mutant, in a process of its own

Alive = dict[tuple[str, str, int], list[Any]]


class ImportNeeded(Exception):
    """An import has run the changed code already."""


def key(code: CodeType) -> tuple[str, str, int]:
    """How a function that is there is found by its code."""
    return code.co_filename, code.co_qualname, code.co_firstlineno


def patches(old: CodeType, new: CodeType, alive: Alive, inside: bool = False) -> list[Any]:
    """Which functions get which code. What they define when they run comes with it."""
    if old == new:
        return []
    mine = alive.get(key(old), [])
    inside = inside or bool(mine)
    parts, own = [], []
    for code in (old, new):
        parts.append([part for part in code.co_consts if isinstance(part, CodeType)])
        plain = [part for part in code.co_consts if not isinstance(part, CodeType)]
        own.append((code.co_code, code.co_names, repr(plain)))
    if len(parts[0]) != len(parts[1]) or (not inside and own[0] != own[1]):
        raise ImportNeeded
    deeper = (patches(*pair, alive, inside) for pair in zip(*parts, strict=True))
    return [*((function, new) for function in mine), *chain.from_iterable(deeper)]


class Trial:
    """Runs tests in this order until one fails; that ends the process with status 1."""

    def __init__(self, order: list[str], seconds: dict[str, float], killer: memoryview) -> None:
        self.order, self.seconds, self.killer = order, seconds, killer

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Pytest calls this instead of its own loop."""
        items = {item.nodeid: item for item in session.items}
        for name in self.order:
            signal.setitimer(signal.ITIMER_PROF, 1 + 4 * self.seconds[name])
            if any(each.failed for each in runtestprotocol(items[name], log=False, nextitem=None)):
                self.killer[0] = list(self.seconds).index(name)
                os._exit(1)
        return True

    def import_anew(self, mutant: Mutant) -> None:
        """Import everything of ours again, with the change in it, and run the tests."""
        get_code = SourceFileLoader.get_code
        path = os.path.abspath(mutant.file)

        def changed(self: Any, name: str) -> Any:
            return (
                compile(mutant.source, path, "exec") if self.path == path else get_code(self, name)
            )

        SourceFileLoader.get_code = changed  # type: ignore[method-assign]
        ours = (os.path.abspath("mmsim"), os.path.abspath("tests"))
        order = self.order
        for self.order in (order[:30], order[30:]):
            for name, module in list(sys.modules.items()):
                if str(getattr(module, "__file__", "")).startswith(ours):
                    del sys.modules[name]
            files = sorted({name.partition("::")[0] for name in self.order})
            if files and pytest.main([*QUIET, *files], plugins=[self]):
                os._exit(1)


class Hunt:
    """Forks a process for every mutant, once the tests are collected, and notes what came."""

    def __init__(self, mutants: list[Mutant], jobs: int, end: float) -> None:
        self.mutants, self.jobs, self.end = mutants, jobs, end
        with ProcessPoolExecutor(1, get_context("fork")) as apart:
            self.seconds, self.reached = apart.submit(reach).result()
        self.killed: dict[str, Counter[str]] = defaultdict(Counter)
        self.killers = memoryview(mmap(-1, 4 * len(mutants))).cast("i")
        self.came: dict[int, str] = {}
        self.had: dict[int, set[str]] = defaultdict(set)
        self.running: dict[int, int] = {}
        self.tell = os.fdopen(os.dup(2), "w", buffering=1)
        self.results = RESULTS.open("w", buffering=1)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Pytest calls this instead of its own loop."""
        forget()
        alive: Alive = defaultdict(list)
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType):
                alive[key(thing.__code__)].append(thing)
        gc.freeze()
        waiting = list(range(len(self.mutants)))
        for seconds in ROUNDS:
            print(f"mutants: {len(waiting)} get {seconds} s each", file=self.tell)
            for count, number in enumerate(waiting, start=1):
                if time.monotonic() > self.end:
                    break
                order, again = self.tests_for(number, seconds)
                if order:
                    while len(self.running) >= self.jobs:
                        self.wait()
                    pid = os.fork()
                    if not pid:
                        self.be_child(session, number, order, again, alive)
                    self.running[pid] = number
                elif number not in self.came:
                    self.note(number, "not reached")
                if count % 100 == 0:
                    print(f"mutants: {count}, {self.summary()}", file=self.tell)
            while self.running:
                self.wait()
            waiting = [number for number in waiting if self.came.get(number) == "survived"]
        return True

    def tests_for(self, number: int, seconds: float) -> tuple[list[str], bool]:
        """Tests of so many seconds that reach it and were not tried, and whether an import does.

        First come those that killed others in this function or file, then the fast ones."""
        mutant = self.mutants[number]
        lines = self.reached[mutant.file]
        tests = {name for line in mutant.lines for name in lines.get(line, ())}
        again = "" in tests
        if again:
            tests = {name for names in lines.values() for name in names}
        near, far = self.killed[mutant.file + mutant.function], self.killed[mutant.file]
        order = sorted(
            (tests & self.seconds.keys()) - self.had[number],
            key=lambda name: (-near[name], -far[name], self.seconds[name]),
        )
        spent = accumulate(map(self.seconds.__getitem__, order))
        order = [name for name, used in zip(order, spent, strict=True) if used < seconds]
        self.had[number].update(order)
        return order, again

    def be_child(
        self, session: pytest.Session, number: int, order: list[str], again: bool, alive: Alive
    ) -> None:
        """Try one mutant, and end: with status 0 if it survives."""
        mutant = self.mutants[number]
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(900)
        trial = Trial(order, self.seconds, self.killers[number : number + 1])
        path = os.path.abspath(mutant.file)
        old, new = (compile(t, path, "exec") for t in (Path(path).read_text(), mutant.source))
        try:
            found = [] if again else patches(old, new, alive)
        except ImportNeeded:
            again = True
        try:
            if again:
                trial.import_anew(mutant)
            else:
                for function, code in found:
                    function.__code__ = code
                trial.pytest_runtestloop(session)
        except BaseException:
            os._exit(2)
        os._exit(0)

    def wait(self) -> None:
        """Until one of them has ended."""
        pid, status = os.wait()
        number = self.running.pop(pid)
        mutant, code = self.mutants[number], os.waitstatus_to_exitcode(status)
        hung = -code in (signal.SIGPROF, signal.SIGALRM)
        name = list(self.seconds)[self.killers[number]] if code == 1 else ""
        if name:
            self.killed[mutant.file + mutant.function][name] += 1
            self.killed[mutant.file][name] += 1
        self.note(number, "timeout" if hung else "killed" if code else "survived", name)

    def note(self, number: int, came: str, by: str = "") -> None:
        """Into the file at once; survivors to the screen, too."""
        row = [*self.mutants[number][:4], came, by]
        csv.writer(self.results, lineterminator="\n").writerow(row)
        if came in ALIVE and self.came.get(number) != came:
            csv.writer(self.tell, lineterminator="\n").writerow(row[:5])
        self.came[number] = came

    def summary(self, room: str = "") -> str:
        """How many of a room were killed, and how many were not."""
        came = Counter(c for n, c in self.came.items() if self.mutants[n].file.startswith(room))
        return ", ".join(f"{count} {name}" for name, count in sorted(came.items()))


def main() -> int:
    """Try the changes; say the score, and which survivors are not listed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--one-in", type=int, default=1, metavar="N", help="try a random share")
    parser.add_argument("--seed", type=int, default=0, help="of the order and of that share")
    parser.add_argument("--only", type=Path, help="try what the rows of a file like ours name")
    parser.add_argument("--minutes", type=float, default=55, help="then stop, with what was tried")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("files", nargs="*", help="only these files of the two rooms")
    args = parser.parse_args()
    end = time.monotonic() + 60 * args.minutes
    os.environ["COVERAGE_CORE"] = "ctrace"  # the only one that knows which test it is
    files = args.files or sorted(str(file) for room in ROOMS for file in Path(room).glob("*.py"))
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    if args.only:
        only = set(rows(args.only))
        mutants = [mutant for mutant in mutants if mutant[:4] in only]

    def drawn(mutant: Mutant) -> float:
        """From 0 to 1, by what the change is: what else changes in the file moves no sample."""
        text = repr((args.seed, mutant[:4])).encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:6], "big") / 2**48

    mutants = sorted((each for each in mutants if drawn(each) < 1 / args.one_in), key=drawn)
    RESULTS.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = folder
        hunt = Hunt(mutants, args.jobs, end)
        pytest.main([*QUIET, *TESTS], plugins=[hunt])

    known = rows(KNOWN)
    tried = [(mutants[number][:4], came) for number, came in hunt.came.items()]
    alive = {row for row, came in tried if came in ALIVE}
    for row in sorted({row for row, _ in tried} & set(known) - alive):
        print(f"it dies now, take it out of {KNOWN}: {row}")
    new = sorted(alive - set(known))
    print(f"{len(new)} survivors not in {KNOWN}:")
    csv.writer(sys.stdout, lineterminator="\n").writerows(new)
    for room in ROOMS:
        print(f"{room}: {hunt.summary(room)}")
    score = 100 * sum(came not in ALIVE for _, came in tried) / len(tried)
    print(f"{len(tried)} of {len(mutants)} changes tried, score {score:.1f} %")
    return int(bool(new) or score < SCORE)


def rows(path: Path) -> dict[tuple[str, ...], str]:
    """The changes that a file names, each with what stands behind it."""
    with path.open(newline="") as file:
        return {tuple(row[:4]): row[4] for row in csv.reader(file)}


if __name__ == "__main__":
    sys.exit(main())
