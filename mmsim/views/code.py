"""Where an actor stands in the model's own source.

Interface: CodeLine, Listing, listing, code_lines, breadcrumb, LINES_MAX
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from pathlib import PurePath
from types import CodeType
from typing import NamedTuple

from mmsim.engine.actor import Local
from mmsim.engine.trace import Trace

LINES_MAX = 18
SEAM = "version."
_PACKAGE = "mmsim"


class CodeLine(NamedTuple):
    """One line: its number in the file (0: lines left out), text, marks."""

    number: int
    text: str
    current: bool = False
    seam: bool = False


class Listing(NamedTuple):
    """The function an actor stands in, and how it got there.

    `file` is relative to the package.  `past`: the marked line has just been carried out;
    otherwise it comes next.
    """

    file: str
    chain: tuple[str, ...]
    lines: tuple[CodeLine, ...]
    past: bool


def _standing(trace: Trace, position: int, actor: str) -> tuple[Local, bool]:
    if position and trace.events[position - 1].actor == actor:
        return trace.events[position - 1].local, True
    state = trace.state(position)
    return trace.scenario.local(state, actor), False


def _relative(file: str) -> str:
    parts = PurePath(file.replace("\\", "/")).parts
    if _PACKAGE in parts:
        last = len(parts) - 1 - parts[::-1].index(_PACKAGE)
        return "/".join(parts[last + 1 :])
    return parts[-1] if parts else file


@cache
def _source(code: CodeType) -> tuple[tuple[int, str], ...]:
    """The function's numbered lines, dedented, without its docstring."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return ()
    text = textwrap.dedent("".join(lines))
    function = ast.parse(text).body[0]
    skipped = range(0)
    if isinstance(function, ast.FunctionDef) and ast.get_docstring(function) is not None:
        doc = function.body[0]
        skipped = range(doc.lineno, (doc.end_lineno or doc.lineno) + 1)
    numbered = [
        (first + i, line.rstrip())
        for i, line in enumerate(text.splitlines())
        if i + 1 not in skipped
    ]
    while numbered and not numbered[-1][1]:
        numbered.pop()
    return tuple(numbered)


@cache
def _statement(code: CodeType, line: int) -> range:
    """The lines of the statement at `line`: which of them a frame names differs between Pythons."""
    try:
        lines, first = inspect.getsourcelines(code)
    except (OSError, TypeError):
        return range(line, line + 1)
    for node in ast.walk(ast.parse(textwrap.dedent("".join(lines)))):
        if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)):
            found = range(node.lineno + first - 1, (node.end_lineno or node.lineno) + first)
            if line in found:
                return found
    return range(line, line + 1)


def _window(numbered: tuple[tuple[int, str], ...], line: int, most: int) -> list[tuple[int, str]]:
    """At most `most` lines around `line`; what is left out shows as line number 0."""
    if len(numbered) <= most:
        return list(numbered)
    numbered = tuple(item for item in numbered if item[1])
    if len(numbered) <= most:
        return list(numbered)
    here = next((i for i, (n, _) in enumerate(numbered) if n == line), 0)
    start = max(0, min(here - most * 3 // 5, len(numbered) - most))
    shown = list(numbered[start : start + most])
    if start:
        del shown[:2]
    if start + most < len(numbered):
        shown.pop()
    # What is nested deep moves to the left, so that it fits beside the rest of a picture.
    spare = min((len(text) - len(text.lstrip()) for _, text in shown if text[:1] == " "), default=4)
    shown = [(n, text[max(spare - 4, 0) :] if text[:1] == " " else text) for n, text in shown]
    if start:
        shown[:0] = [numbered[0], (0, "    …")]
    if start + most < len(numbered):
        shown.append((0, "    …"))
    return shown


def listing(trace: Trace, position: int, actor: str, *, lines_max: int = LINES_MAX) -> Listing:
    """The innermost function of an actor, its current line marked; empty if it has returned."""
    local, past = _standing(trace, position, actor)
    frames = local.frames()
    if not frames:
        return Listing("", (), (), past)
    code, line = local.where[-1][0], frames[-1].line
    marked = _statement(code, line)
    shown = [
        CodeLine(n, text, n in marked, SEAM in text.partition("#")[0])
        for n, text in _window(_source(code), marked[0], lines_max)
    ]
    return Listing(
        _relative(frames[-1].file), tuple(f.function for f in frames), tuple(shown), past
    )


def code_lines(trace: Trace, position: int, actor: str) -> list[CodeLine]:
    """The lines of `listing`."""
    return list(listing(trace, position, actor).lines)


def breadcrumb(trace: Trace, position: int, actor: str) -> str:
    """The call chain: `pin_user_pages_remote > ... > _split`; empty if the actor has returned."""
    return " > ".join(listing(trace, position, actor).chain)
