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
from collections import Counter
from collections.abc import Iterator

PLACE = "a yield inside a larger statement or expression; write `name = yield ...` and use the name"
LINE = "a yield shares its line; give it a line of its own"
HIDDEN = "`yield from` what is no call of a path: its position is hidden; write a loop that counts"
INSIDE = "a yield inside a try, with, lambda or comprehension; write a plain loop, check the answer"
LOOP = "a loop that yields must count: `for index, item in enumerate(NAME)` or `in range(NAME)`"
REBOUND = "the loop yields and rebinds what it counts with; use another name in its body"

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
YIELDS = (ast.Yield, ast.YieldFrom)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
CLOSED = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith, *COMPREHENSIONS)
NO_PATHS = {"enumerate", "filter", "iter", "list", "map", "range", "reversed", "tuple", "zip"}


def problems(source: str, filename: str) -> list[str]:
    """What a reader of frames would not see: `file:line: what; what to write instead`."""
    functions = [node for node in ast.walk(ast.parse(source, filename)) if _is(node, FUNCTIONS)]
    found = sorted({problem for function in functions for problem in _function(function)})
    return [f"{filename}:{line}: {text}" for line, text in found]


def _is(node: ast.AST, kinds: tuple[type[ast.AST], ...]) -> bool:
    return isinstance(node, kinds)


def _inside(parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every (node, parent) below it in the same frame: not the bodies of functions inside."""
    for node in ast.iter_child_nodes(parent):
        yield node, parent
        if not _is(node, FUNCTIONS):
            yield from _inside(node)
        else:  # its defaults and decorators are evaluated here
            yield from _inside(node.args)
            for decorator in getattr(node, "decorator_list", ()):
                yield from _inside(ast.Expr(decorator))


def _has_yield(nodes: list[ast.stmt] | list[ast.AST]) -> bool:
    return any(_is(node, YIELDS) for node, _ in _inside(ast.Module(nodes, [])))


def _function(function: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(function, ast.Lambda):
        if _has_yield([ast.Expr(function.body)]):
            yield function.lineno, INSIDE
        return
    nodes = list(_inside(ast.Module(function.body, [])))
    starts = Counter(node.lineno for node, _ in nodes if isinstance(node, ast.stmt))
    for node, parent in nodes:
        if _is(node, YIELDS):
            yield from ((node.lineno, text) for text in _place(node, parent, starts))
        elif _is(node, CLOSED) and _has_yield([node]):
            yield node.lineno, INSIDE
        elif _is(node, (ast.For, ast.AsyncFor)) and _has_yield(node.body):
            counts = _counts(node)
            if not counts:
                yield node.lineno, LOOP
            elif counts & _bound(node.body):
                yield node.lineno, REBOUND


def _place(node: ast.AST, parent: ast.AST, starts: Counter[int]) -> Iterator[str]:
    condition = _is(parent, (ast.If, ast.While)) and parent.test is node
    assigned = _is(parent, (ast.Assign, ast.AnnAssign)) and parent.value is node
    if not (condition or assigned or isinstance(parent, ast.Expr)):
        yield PLACE
    elif starts[parent.lineno] > 1:
        yield LINE
    if isinstance(node, ast.YieldFrom):
        call = node.value
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") in NO_PATHS:
            yield HIDDEN


def _counts(loop: ast.For) -> set[str]:
    """The names that show how far a loop is, and what it runs over; none if one has no name."""
    target, call = loop.target, loop.iter
    kind = getattr(getattr(call, "func", None), "id", "")
    items: set[str] = set()
    if kind == "enumerate" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
        target, item = target.elts
        items = {node.id for node in ast.walk(item) if isinstance(node, ast.Name)}
        if not (call.args and isinstance(call.args[0], ast.Name)):
            return set()
    elif kind != "range":
        return set()
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    given = [each.operand if isinstance(each, ast.UnaryOp) else each for each in given]
    named = isinstance(target, ast.Name) and target.id not in items
    if not named or not all(_is(each, (ast.Name, ast.Constant)) for each in given):
        return set()
    return {target.id, *(each.id for each in given if isinstance(each, ast.Name))}


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
