"""The house: who may import whom, what the core may need, and who may write to the world."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import mmsim

PACKAGE = Path(mmsim.__file__).parent
NAMES = sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))

# The rooms from the bottom up.  A file imports from its own room and from those below it.
ROOMS = {
    "words": ["errno.py", "errors.py", "constants.py", "datafiles.py", "sandbox.py"],
    "engine": ["engine/"],
    "mm": ["mm/"],
    "scenarios": ["scenarios/"],
    "evidence": ["evidence/", "progress.py"],
    "views": [
        "views/",
        "lessons/__init__.py",
        "lessons/activity.py",
        "lessons/card.py",
        "lessons/form.py",
        "lessons/wording.py",
    ],
    "widgets": ["widgets/"],
    "lessons": ["lessons/"],
    "cli": ["__init__.py", "lab.py", "cli.py", "__main__.py"],
}
CORE = ("words", "engine", "mm", "scenarios", "evidence", "views")
# What makes tables, what checks vector files, and the bar of a sweep.
LAZY = {"views": {"pandas"}, "evidence": {"jsonschema"}, "engine": {"tqdm"}}
# matplotlib is for learners: no picture of the package needs it.
WIDGETS = {"ipywidgets", "traitlets", "IPython"}
HEAVY = {*WIDGETS, "matplotlib", "numpy", "packaging"}.union(*LAZY.values())


def room(name):
    """The room of a file, the first that fits; None if it stands in none."""
    for found, entries in ROOMS.items():
        if any(name == e or (e.endswith("/") and name.startswith(e)) for e in entries):
            return found
    return None


@cache
def tree(name):
    return ast.parse((PACKAGE / name).read_text(encoding="utf-8"))


def file_of(module):
    """The file of a dotted name inside mmsim, None if there is no such module."""
    path = Path(*module.split(".")[1:])
    for name in (path.with_suffix(".py") if path.parts else path, path / "__init__.py"):
        if (PACKAGE / name).is_file():
            return name.as_posix()
    return None


def imports(name, nodes=None):
    """(line, dotted name) of everything a file imports; names taken from a package are modules."""
    for node in ast.walk(tree(name)) if nodes is None else nodes:
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


def test_the_core_needs_the_standard_library_only():
    """Some may load a package inside the function that needs it: see LAZY."""
    known = {"mmsim", *sys.stdlib_module_names}
    for name in [name for name in NAMES if room(name) in CORE]:
        foreign = {(line, m) for line, m in imports(name) if m.split(".")[0] not in known}
        for node in ast.walk(tree(name)):
            typing = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            if typing or isinstance(node, ast.FunctionDef):
                lazy = LAZY.get(room(name), set())
                found = imports(name, ast.walk(node))
                foreign -= {(line, m) for line, m in found if m.split(".")[0] in lazy}
        assert foreign == set(), name


def test_all_but_widgets_and_lessons_import_without_third_party_packages():
    modules = [
        ".".join(["mmsim", *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for name in NAMES
        if room(name) not in ("widgets", "lessons") and name != "__main__.py"
    ]
    code = (
        "import sys, importlib\n"
        f"for name in {sorted(HEAVY)!r}:\n"
        "    sys.modules[name] = None\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
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
BUILDERS = ("mm/world.py", "evidence/vectors.py", "scenarios/", "lessons/from_scratch.py")
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
    without_limit, limits = set(), []
    for info in pkgutil.walk_packages(mmsim.__path__, "mmsim."):
        if info.name == "mmsim.__main__":
            continue
        module = importlib.import_module(info.name)
        kept = {n: f for n, f in vars(module).items() if hasattr(f, "cache_parameters")}
        for name, function in kept.items():
            signature = inspect.signature(function)
            if signature.parameters and "Trace" in str(signature.return_annotation):
                size = function.cache_parameters()["maxsize"]
                without_limit |= {name} if size is None else set()
                limits.append(size or 0)
    assert without_limit == RUNS_KEPT
    assert max(limits) <= 64
