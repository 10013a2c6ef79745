"""The house: who may import whom, who may write to the world, and how large a thing may get."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import mmsim
import mmsim.engine as engine

PACKAGE = Path(engine.__file__).parent.parent
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [file.relative_to(PACKAGE).as_posix() for file in FILES]

# A file, a pattern, or a whole folder (ending in a slash); the first entry that fits counts.
FLOORS = {
    "errno.py": 0,
    "flags.py": 0,
    "units.py": 0,
    "hints.py": 0,
    "stats.py": 0,
    "retrylaw.py": 0,
    "chance.py": 0,
    "fragmentation.py": 1,
    "procfs/": 1,
    "engine/": 1,
    "mm/__init__.py": 1,
    "mm/folio.py": 1,
    "mm/container.py": 1,
    "mm/world.py": 1,
    "mm/zone.py": 1,
    "mm/untouched.py": 1,
    "mm/fallback.py": 1,
    "mm/page_alloc.py": 1,
    "mm/bootmem.py": 1,
    "mm/occupancy.py": 1,
    "mm/compaction.py": 1,
    "mm/page_ref.py": 2,
    "mm/filemap.py": 2,
    "mm/rmap.py": 2,
    "mm/swap.py": 2,
    "mm/migration_target.py": 2,
    "mm/iommu.py": 2,
    "mm/vmstat.py": 2,
    "mm/huge_memory.py": 3,
    "mm/memory.py": 3,
    "mm/versions.py": 3,
    "mm/mutations.py": 3,
    "mm/migrate.py": 3,
    "mm/gup.py": 3,
    "mm/cma.py": 3,
    "mm/shmem.py": 3,
    "mm/drop_caches.py": 3,
    "mm/vfio.py": 3,
    "mm/holders.py": 3,
    "script.py": 4,
    "strangers.py": 4,
    "clock.py": 4,
    "knobs.py": 4,
    "policy.py": 4,
    "scenarios/": 4,
    "sharecode.py": 4,
    "conformance/": 5,
    "datafiles.py": 5,
    "compare/": 5,
    "diagnose/": 5,
    "measured.py": 5,
    "ftrace*.py": 5,
    "probe.py": 5,
    "practice/": 5,
    "tasks/": 6,
    "lessons/__init__.py": 5,
    "lessons/card.py": 5,
    "lessons/form.py": 5,
    "lessons/prediction.py": 5,
    "lessons/": 6,
    "series.py": 5,
    "checks.py": 5,
    "views/": 5,
    "widgets/": 6,
    "lab.py": 6,
    "lessonfolder.py": 6,
    "doctor.py": 6,
    "cli/": 7,
    "__main__.py": 7,
    "__init__.py": 6,
}
LINES_MAX, FUNCTION_LINES_MAX, COLUMNS_MAX = 300, 60, 100
# Larger than the limit, each with the reason.
MAY_BE_LARGER = {
    "mm/migrate.py": "mirrors one kernel file; two of its functions share its list of counters",
    "mm/versions.py": "every row of seams, and what has to be said of them, in one place",
}
MAY_BE_LONGER: dict[tuple[str, str], str] = {}
LAZY = {"matplotlib", "pandas", "mpl_toolkits", "numpy"}
HEAVY = {*LAZY, "ipywidgets", "traitlets", "IPython"}


def floor(name):
    """The floor of a file; one without a floor counts as the highest, and fails a test."""
    for entry, number in FLOORS.items():
        if fnmatch(name, entry + "*" if entry.endswith("/") else entry):
            return number
    return 99


@pytest.mark.parametrize("name", NAMES)
def test_every_file_has_a_floor(name):
    assert floor(name) < 99, f"{name} has no floor: give it one in FLOORS, as low as possible"


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


def inside(name, nodes=None):
    for line, module in imports(name, nodes):
        if module.split(".")[0] == "mmsim":
            target = file_of(module)
            assert target is not None, f"{name}:{line}: there is no {module}"
            yield line, target


@pytest.mark.parametrize("name", NAMES)
def test_imports_point_down(name):
    mine = floor(name)
    upwards = [f"{name}:{line}: {t}" for line, t in inside(name) if floor(t) > mine]
    assert upwards == []


def test_nobody_imports_in_circles():
    """Not even inside a function: whoever reaches for a file stands above it."""
    graph = {name: {t for _, t in inside(name)} - {name, "__init__.py"} for name in NAMES}
    done = set()
    while len(done) < len(graph):
        free = [name for name in graph if name not in done and graph[name] <= done]
        assert free, f"these import each other: {sorted(set(graph) - done)}"
        done.update(free)


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("tasks/")])
def test_nobody_leans_on_the_judges(name):
    """Tasks are found by their names (`checks`); what others need of them stands lower."""
    assert [f"{name}:{line}: {t}" for line, t in inside(name) if t.startswith("tasks/")] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("engine/")])
def test_the_engine_has_never_heard_of_memory(name):
    allowed = [t for _, t in inside(name) if not t.startswith("engine/") and t != "hints.py"]
    assert allowed == []


@pytest.mark.parametrize("name", [n for n in NAMES if floor(n) <= 5])
def test_the_core_needs_the_standard_library_only(name):
    lazily = set()
    if name.startswith("views/"):
        bodies = [n for n in ast.walk(tree(name)) if isinstance(n, ast.FunctionDef)]
        lazily = {
            (line, module)
            for body in bodies
            for line, module in imports(name, ast.walk(body))
            if module.split(".")[0] in LAZY
        }
        lazily |= type_checking_only(name)
    foreign = [
        f"{name}:{line}: {module}"
        for line, module in imports(name)
        if module.split(".")[0] not in {"mmsim", *sys.stdlib_module_names}
        and (line, module) not in lazily
    ]
    assert foreign == []


def type_checking_only(name):
    return {
        found
        for node in ast.walk(tree(name))
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for found in imports(name, ast.walk(node))
    }


def test_everything_but_the_widgets_imports_without_third_party_packages():
    modules = [
        ".".join(["mmsim", *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for name in NAMES
        if not name.startswith("widgets/") and name != "__main__.py"
    ]
    code = (
        "import sys, importlib\n"
        f"for name in {sorted(HEAVY)!r}:\n"
        "    sys.modules[name] = None\n"
        f"for name in {['mmsim', *modules]!r}:\n"
        "    importlib.import_module(name)\n"
        "import mmsim.mm.gup\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# -- sizes


@pytest.mark.parametrize("name", NAMES)
def test_a_file_can_be_printed(name):
    lines = (PACKAGE / name).read_text(encoding="utf-8").splitlines()
    # A lesson's module is as long as its cards and what serves only them.
    assert len(lines) <= LINES_MAX or name in MAY_BE_LARGER or name.startswith("lessons/")
    assert [f"{name}:{i}" for i, line in enumerate(lines, 1) if len(line) > COLUMNS_MAX] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_function_fits_on_a_screen(name):
    long = [
        f"{name}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
        and (name, node.name) not in MAY_BE_LONGER
    ]
    assert long == []


# -- writing to the world

WRITERS = {"update", "add", "hold", "drop", "remove", "count"}
TABLES = {"folios", "where", "batches", "vmstat", "pageblocks"}
CHANGING = {"pop", "clear", "update", "setdefault", "popitem"}
MARKS = {"atomic", "blocking", "choice"}
# Functions that make the first world of a situation, before anybody takes a step.
BUILDERS = {
    "mm/world.py": "the writing methods themselves",
    "conformance/setup.py": "the world at the beginning of a vector",
    "scenarios/": "the world at the beginning of a scenario",
}


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
    names = {
        n.id
        for decorator in function.decorator_list
        for n in ast.walk(decorator)
        if isinstance(n, ast.Name)
    }
    return bool(names & MARKS)


def takes_world_first(function):
    return bool(function.args.args) and function.args.args[0].arg == "world"


def yields(function):
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith(tuple(BUILDERS))])
def test_only_atomic_steps_write_to_the_world(name):
    """A step, or a helper of steps: a function that gets the world first and yields nothing."""
    outside = []
    functions = [n for n in ast.walk(tree(name)) if isinstance(n, ast.FunctionDef)]
    for function in functions:
        helper = takes_world_first(function) and not yields(function)
        if not (marked(function) and takes_world_first(function)) and not helper:
            outside += [f"{name}:{line} in {function.name}" for line in writes(function)]
    assert outside == []
    if not name.startswith(("mm/", "conformance/", "script.py")):
        assert [f.name for f in functions if list(writes(f))] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("views/", "widgets/"))])
def test_readers_define_no_steps(name):
    functions = [n for n in ast.walk(tree(name)) if isinstance(n, ast.FunctionDef)]
    assert [f.name for f in functions if marked(f)] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("mm/")])
def test_every_mirrored_function_says_what_it_mirrors(name):
    module = tree(name)
    mirrors = "Mirrors" in (ast.get_docstring(module) or "")
    silent = [
        f"{name}:{node.lineno}: {node.name}"
        for node in module.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if marked(node) or yields(node)
        if not ast.get_docstring(node)
        or not (mirrors or "Kernel:" in (ast.get_docstring(node) or ""))
    ]
    assert silent == []


def test_every_exported_name_is_there():
    assert [name for name in mmsim.__all__ if not hasattr(mmsim, name)] == []


def test_every_name_for_notebooks_can_be_had():
    for name in mmsim.__all__:
        assert getattr(mmsim, name) is not None


def test_no_name_for_notebooks_is_the_name_of_a_module():
    """Python puts a module there as soon as it is imported, and the notebook gets that."""
    modules = {module.name for module in pkgutil.iter_modules(mmsim.__path__)}
    assert modules & {*mmsim.__all__} == set()
