"""The house: who may import whom, what the core may need, and who may write to the world."""

from __future__ import annotations

import ast
import itertools
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import mmsim

PACKAGE = Path(mmsim.__file__).parent
NAMES = sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))

WORDS = ("amounts", "constants", "datafiles", "errno", "errors", "grid", "sandbox")
# What a card is; the widgets draw it.
CARD = ("__init__", "activity", "card", "form", "wording")
# The rooms from the bottom up.  A file imports from its own room and from those below it.
ROOMS = {
    "words": tuple(f"{name}.py" for name in WORDS),
    "engine": ("engine/",),
    "mm": ("mm/",),
    "scenarios": ("scenarios/",),
    "evidence": ("evidence/", "progress.py"),
    "views": ("views/", *(f"lessons/{name}.py" for name in CARD)),
    "widgets": ("widgets/",),
    "lessons": ("lessons/",),
    "cli": ("__init__.py", "lab.py", "cli.py", "__main__.py"),
}
# What comes from outside: the bar of a sweep, the checks of vector files, tables, what is clicked.
# matplotlib is for learners: no picture of the package needs it.
FOREIGN = {
    "words": {"tqdm"},
    "evidence": {"jsonschema"},
    "views": {"pandas"},
    "widgets": {"ipywidgets", "IPython"},
    "lessons": {"pandas", "ipywidgets"},
    "cli": {"packaging"},
}
# README: the standard library is enough for these.
COMMANDS = [
    ["run", "vfio_map"],
    ["explore", "vfio_map", "--set=order=1", "--set=released=1", "--set=passes=2"],
    ["diagnose", "tests/evidence/wild/d06_cma_only.txt"],
    ["compare", "s1_order9_available.csv"],
]


def room(name):
    """The room of a file, the first that fits; None if it stands in none."""
    return next((room for room, begins in ROOMS.items() if name.startswith(begins)), None)


@cache
def tree(name):
    return ast.parse((PACKAGE / name).read_text(encoding="utf-8"))


def file_of(module):
    """The file of a dotted name inside mmsim, None if there is no such module."""
    path = "/".join(module.split(".")[1:])
    return next((n for n in (f"{path}.py", f"{path}/__init__.py".lstrip("/")) if n in NAMES), None)


def imports(name):
    """(line, dotted name) of everything a file imports; names taken from a package are modules."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: write the whole name of the package"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                inside = node.module.split(".")[0] == "mmsim" and file_of(inner)
                yield node.lineno, inner if inside else node.module


def inside(name):
    for line, module in imports(name):
        if module.split(".")[0] == "mmsim":
            target = file_of(module)
            assert target is not None, f"{name}:{line}: there is no {module}"
            yield line, target


def test_imports_point_down():
    order = [*ROOMS]
    for name in NAMES:
        assert room(name), f"{name} stands in no room: move it into one, or add it to ROOMS"
        below = order[: order.index(room(name)) + 1]
        assert [f"{name}:{line}: {t}" for line, t in inside(name) if room(t) not in below] == []


def test_nobody_imports_in_circles():
    """Not even inside a function: whoever reaches for a file stands above it."""
    graph = {name: {t for _, t in inside(name)} - {name, "__init__.py"} for name in NAMES}
    done = set()
    while len(done) < len(graph):
        free = [name for name in graph if name not in done and graph[name] <= done]
        assert free, f"these import each other: {sorted(set(graph) - done)}"
        done.update(free)


def test_little_comes_from_outside():
    for name in NAMES:
        known = {"mmsim", *sys.stdlib_module_names} | FOREIGN.get(room(name), set())
        assert [f"{name}:{n}: {m}" for n, m in imports(name) if m.split(".")[0] not in known] == []


def test_the_standard_library_is_enough_for_all_but_widgets_and_lessons():
    """-S hides what is installed: whoever needs it imports it where it is needed."""
    modules = [
        ".".join(["mmsim", *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for name in NAMES
        if room(name) not in ("widgets", "lessons") and name != "__main__.py"
    ]
    code = (
        "import sys, importlib\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "from mmsim.cli import main\n"
        f"for words in {COMMANDS!r}: assert main(words) == 0\n"
    )
    words = [sys.executable, "-S", "-c", code]
    done = subprocess.run(words, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# -- writing to the world

WRITERS = {"update", "add", "hold", "drop", "remove", "count"}
TABLES = {"folios", "where", "batches", "vmstat", "pageblocks"}
CHANGING = {"pop", "clear", "update", "setdefault", "popitem"}
MARKS = {"atomic", "blocking", "choice"}
# Who makes the first world of a situation, before anybody takes a step.
BUILDERS = ("mm/world.py", "evidence/vector_setup.py", "scenarios/", "lessons/from_scratch.py")
MAY_WRITE = ("mm/", "script.py", "evidence/")


def is_world(node):
    return isinstance(node, ast.Name) and node.id == "world"


def is_table(node):
    return isinstance(node, ast.Attribute) and node.attr in TABLES and is_world(node.value)


def writes(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner, method = node.func.value, node.func.attr
            if (is_world(owner) and method in WRITERS) or (is_table(owner) and method in CHANGING):
                yield node.lineno
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            owner = node.value
            if is_table(owner) or (is_world(owner) and isinstance(node, ast.Attribute)):
                yield node.lineno


def marked(function):
    nodes = [n for decorator in function.decorator_list for n in ast.walk(decorator)]
    return any(isinstance(n, ast.Name) and n.id in MARKS for n in nodes)


def yields(function):
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def functions(name):
    return [node for node in ast.walk(tree(name)) if isinstance(node, ast.FunctionDef)]


def test_only_atomic_steps_write_to_the_world():
    """A step, or a helper of steps: a function that gets the world first and yields nothing."""
    outside = []
    for name in [name for name in NAMES if not name.startswith(BUILDERS)]:
        for function in functions(name):
            arguments = [argument.arg for argument in function.args.args]
            may = arguments[:1] == ["world"] and (marked(function) or not yields(function))
            if not may or not name.startswith(MAY_WRITE):
                outside += [f"{name}:{line} in {function.name}" for line in writes(function)]
    assert outside == []


def test_every_mirrored_function_says_what_it_mirrors():
    silent = []
    for name in [name for name in NAMES if name.startswith("mm/")]:
        mirrors = "Mirrors" in (ast.get_docstring(tree(name)) or "")
        for node in tree(name).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                said = ast.get_docstring(node) or ""
                if (marked(node) or yields(node)) and not (said and (mirrors or "Kernel:" in said)):
                    silent.append(f"{name}:{node.lineno}: {node.name}")
    assert silent == []


# -- names for notebooks


def test_names_for_notebooks_can_be_had_and_are_no_modules():
    """Python puts a module there as soon as it is imported, and the notebook gets that."""
    assert all(getattr(mmsim, name) is not None for name in mmsim.__all__)
    modules = {module.name for module in pkgutil.iter_modules(mmsim.__path__)}
    assert modules & {*mmsim.__all__} == set()


# -- what is kept

# Each is asked by its own lesson, with a few settings that stand in the code.
RUNS_KEPT = {"small_run", "run", "walk_over", "refused_moves", "batch_run"}


def test_whoever_keeps_runs_keeps_a_few():
    """A run and its picture take megabytes: a picker of traces once grew by half a gigabyte."""
    kept = {
        (function.name, ast.unparse(mark))
        for function in itertools.chain(*map(functions, NAMES))
        for mark in function.decorator_list
        if "cache" in ast.unparse(mark) and function.args.args
        if "Trace" in ast.unparse(function.returns)
    }
    assert {name for name, mark in kept if not re.search(r"\d", mark)} == RUNS_KEPT
    assert max(int(size) for _, mark in kept for size in re.findall(r"\d+", mark)) <= 64
