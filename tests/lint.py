"""The shape a kernel path must have so that looking at its frames shows all of its state.

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
from collections.abc import Iterable, Iterator

PLACE = (
    "a yield is a statement, a whole condition or the whole right side of an assignment, and "
    "`yield from` calls a path; write `name = yield ...` and use the name"
)
LOOP = (
    "a loop that yields counts, `for index, item in enumerate(NAME)` or `in range(NAME)`, and "
    "binds none of these names anew; no try or with has a yield inside"
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
YIELDS = (ast.Yield, ast.YieldFrom)
CLOSED = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
NO_PATHS = {"enumerate", "filter", "iter", "list", "map", "range", "reversed", "tuple", "zip"}


def problems(source: str, filename: str) -> list[str]:
    """What a reader of frames would not see: `file:line: what to write instead`."""
    functions = [n for n in ast.walk(ast.parse(source, filename)) if isinstance(n, FUNCTIONS)]
    found = sorted({problem for function in functions for problem in _function(function)})
    return [f"{filename}:{line}: {text}" for line, text in found]


def _frame(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """These and what is in them, but for what runs in a frame of its own."""
    for node in nodes:
        yield node
        if isinstance(node, FUNCTIONS):
            yield from _frame([node.args, *getattr(node, "decorator_list", ())])
        else:
            yield from _frame(ast.iter_child_nodes(node))


def _function(function: ast.AST) -> Iterator[tuple[int, str]]:
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    nodes = list(_frame(body))
    whole = []
    for node in nodes:
        if isinstance(node, (ast.If, ast.While)):
            whole.append(node.test)
        elif isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)):
            whole.append(node.value)
        elif isinstance(node, (*CLOSED, ast.For, ast.AsyncFor)):
            inside = [node] if isinstance(node, CLOSED) else node.body
            if any(isinstance(each, YIELDS) for each in _frame(inside)) and not _counts(node):
                yield node.lineno, LOOP
    for node in nodes:
        if isinstance(node, YIELDS) and not (node in whole and _calls_a_path(node)):
            yield node.lineno, PLACE


def _calls_a_path(node: ast.AST) -> bool:
    call = node.value
    named = isinstance(call, ast.Call) and getattr(call.func, "id", "") not in NO_PATHS
    return named or isinstance(node, ast.Yield)


def _counts(loop: ast.AST) -> bool:
    """It counts with names, and nothing in it binds them anew."""
    call = getattr(loop, "iter", None)
    kind = getattr(getattr(call, "func", None), "id", "")
    if kind not in ("enumerate", "range"):
        return False
    target, rebinds = loop.target, loop.body
    if kind == "enumerate":
        if not isinstance(target, ast.Tuple):
            return False
        target, rebinds = target.elts[0], [*target.elts[1:], *rebinds]
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    given = [each.operand if isinstance(each, ast.UnaryOp) else each for each in given]
    names = {node for part in rebinds for node in ast.walk(part) if isinstance(node, ast.Name)}
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    return all(
        isinstance(each, ast.Constant) or (isinstance(each, ast.Name) and each.id not in bound)
        for each in (target, *given)
    )
