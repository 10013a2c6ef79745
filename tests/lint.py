"""The shape a kernel path must have so that looking at its frames shows all of its state.

Interface: problems, lint_module

The search takes two suspended generators for the same if their frames stand at the same
instructions with the same local variables (`engine.actor`).  Python keeps more than that: the left
operand of a `+` whose right operand is being yielded, the position of a `for` loop over a nameless
tuple, the handlers of a `try`.  All of it lies on the evaluation stack, where nothing can read it,
so two different states would look alike and the search would lose one of them.  Therefore a yield
is a statement of its own, a whole condition, or the whole right-hand side of an assignment, and a
loop with a yield counts with a name.

Left out: what a name stands for.  A path that keeps an iterator in a local variable gets past this.
"""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TypeGuard

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Yield = ast.Yield | ast.YieldFrom

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_GUARDED = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
_NO_PATHS = {"enumerate", "filter", "iter", "list", "map", "range", "reversed", "tuple", "zip"}


def problems(source: str, filename: str) -> list[str]:
    """What a reader of frames would not see: `file:line: what; what to write instead`."""
    tree = ast.parse(source, filename)
    found = sorted(problem for function in _functions(tree) for problem in _function(function))
    return [f"{filename}:{line}: {text}" for line, text in found]


def lint_module(module: ModuleType) -> list[str]:
    """`problems` of an imported module."""
    return problems(inspect.getsource(module), inspect.getsourcefile(module) or module.__name__)


# -- walking one function without the functions inside it


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Child nodes that belong to the same frame: not the body of a function defined here."""
    if isinstance(node, ast.Lambda):
        yield node.args
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from (*node.decorator_list, node.args)
    else:
        yield from ast.iter_child_nodes(node)


def _inside(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every (node, parent) below these nodes that belongs to the same frame."""
    todo = list(nodes)
    while todo:
        parent = todo.pop()
        for node in _children(parent):
            yield node, parent
            todo.append(node)


def _is_yield(node: ast.AST) -> TypeGuard[Yield]:
    return isinstance(node, (ast.Yield, ast.YieldFrom))


def _has_yield(nodes: Iterable[ast.AST]) -> bool:
    return any(_is_yield(node) for node, _ in _inside(nodes))


# -- the rules


def _function(function: Function) -> Iterator[tuple[int, str]]:
    if isinstance(function, ast.Lambda):
        if _has_yield([ast.Expr(function.body)]):
            yield function.lineno, "a lambda yields; write a function with a name"
        return
    nodes = list(_inside([ast.Module(function.body, [])]))
    starts = Counter(node.lineno for node, _ in nodes if isinstance(node, ast.stmt))
    for node, parent in nodes:
        if _is_yield(node):
            yield from _place(node, parent)
            if isinstance(parent, ast.stmt) and starts[parent.lineno] > 1:
                yield node.lineno, "a yield shares its line; give it a line of its own"
        elif isinstance(node, _GUARDED) and _has_yield([node]):
            what = "try" if isinstance(node, (ast.Try, ast.TryStar)) else "with"
            yield (
                node.lineno,
                f"a yield inside {what}; paths have no handlers: check the answer and return",
            )
        elif isinstance(node, _COMPREHENSIONS) and _has_yield([node]):
            yield node.lineno, "a yield inside a comprehension; write a loop over a named thing"
        elif isinstance(node, (ast.For, ast.AsyncFor)) and _has_yield(node.body):
            yield from _loop(node)


def _place(node: Yield, parent: ast.AST) -> Iterator[tuple[int, str]]:
    whole = (
        isinstance(parent, ast.Expr)
        or (isinstance(parent, (ast.If, ast.While)) and parent.test is node)
        or (isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is node)
    )
    if not whole:
        yield (
            node.lineno,
            "a yield inside a larger statement or expression; "
            "write `name = yield ...` on a line of its own and use the name",
        )
    if isinstance(node, ast.YieldFrom) and not _is_path_call(node.value):
        yield (
            node.lineno,
            "`yield from` something that is not a call of a path: its position is hidden; "
            "write a loop over a named thing",
        )


def _is_path_call(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    return not (isinstance(value.func, ast.Name) and value.func.id in _NO_PATHS)


def _loop(loop: ast.For | ast.AsyncFor) -> Iterator[tuple[int, str]]:
    index, names = _index(loop), _named(loop.iter)
    if index is None or names is None:
        yield (
            loop.lineno,
            "a loop that yields must count: `for index, item in enumerate(NAME)` "
            "or `for index in range(NAME)`",
        )
        return
    for name in sorted({index, *names} & _bound(loop.body)):
        yield loop.lineno, f"the loop yields and rebinds {name!r}; use another name in its body"


def _index(loop: ast.For | ast.AsyncFor) -> str | None:
    """The variable that shows how far the loop is."""
    target = loop.target
    if _calls(loop.iter, "enumerate") and isinstance(target, ast.Tuple) and len(target.elts) == 2:
        rest = {n.id for n in ast.walk(target.elts[1]) if isinstance(n, ast.Name)}
        target = target.elts[0]
        if isinstance(target, ast.Name) and target.id in rest:
            return None
    elif not _calls(loop.iter, "range"):
        return None
    return target.id if isinstance(target, ast.Name) else None


def _calls(node: ast.expr, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _named(iterated: ast.expr) -> set[str] | None:
    """The names that a permitted loop runs over; None if something in it has no name."""
    if not isinstance(iterated, ast.Call) or not iterated.args:
        return None
    arguments = [*iterated.args, *(keyword.value for keyword in iterated.keywords)]
    names: set[str] = set()
    for argument in arguments:
        if isinstance(argument, ast.UnaryOp):
            argument = argument.operand
        if isinstance(argument, ast.Name):
            names.add(argument.id)
        elif not isinstance(argument, ast.Constant):
            return None
    if _calls(iterated, "enumerate") and not isinstance(iterated.args[0], ast.Name):
        return None
    return names


def _bound(body: list[ast.stmt]) -> set[str]:
    """Names that these statements bind or delete, also from functions defined in them."""
    names: set[str] = set()
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.MatchAs, ast.MatchStar)):
            names.add(node.name or "")
        elif isinstance(node, ast.Nonlocal):
            names.update(node.names)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
    return names
