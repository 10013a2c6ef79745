"""A function that a learner wrote, called so that nothing in it can hang or break a lesson.

It may take STEPS_MAX steps, and is then stopped.  A step is an instruction or a line of Python; a
call into the model or the library counts as CALL_STEPS of them, whatever happens in there.  An
`except` or a `with` that would catch what stops it is refused.

Left out, and so not stopped: one such call that never ends; a `finally` that goes on with its loop;
BaseException under another name; a context manager of the learner's own that swallows everything;
any of these in a function whose text can't be read."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import sys
import sysconfig
import textwrap
from collections.abc import Callable
from functools import lru_cache
from inspect import CO_GENERATOR
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from mmsim.errors import UserError, shown

STEPS_MAX, CALL_STEPS = 500_000, 5_000
# Where code lies that is not the learner's: the model, the library, and what they make up.
NOT_THEIRS = (
    str(Path(__file__).parent) + os.sep,
    "<frozen ",
    "<string>",
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")},
)


class SandboxError(UserError):
    """A learner's function that can't be used; the message is one sentence: what, and where."""


class _Stopped(BaseException):
    """Raised inside the function that is stopped; no `except Exception` of its own catches it."""


def limited(
    what: str,
    function: Callable[..., Any],
    *arguments: Any,
    steps_max: int = STEPS_MAX,
    call_steps: int = CALL_STEPS,
) -> Any:
    """Call a learner's function; whatever goes wrong in it is one sentence, a SandboxError.

    `what`: what the function is called in that sentence.  `steps_max` and `call_steps` are for
    functions that call the model often.  It is stopped only at an instruction of its own, or where
    it calls somebody else: an exception inside the model would leave things half done."""
    steps, line = 0, ("", 0)

    def count(some: int) -> None:
        nonlocal steps
        steps += some
        if steps > steps_max:
            raise _Stopped

    def see(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal line
        # From Python 3.12 on the first call of a function may tell of its lines alone.
        if event in ("opcode", "line"):
            # What the compiler added to an `except` stands in no line.
            line = frame.f_code.co_filename, frame.f_lineno or line[1]
            count(1)
        return see

    def enter(frame: FrameType, event: str, arg: object) -> Any:
        if _theirs(frame):
            if at := _catches_all(frame.f_code):
                raise _Stopped(at)
            frame.f_trace_opcodes = True
            return see
        # A path of the model that is thrown away goes on once more, to be closed: that is no call.
        if _theirs(frame.f_back) and not frame.f_code.co_flags & CO_GENERATOR:
            count(call_steps)
        return None

    def where() -> str:
        text = linecache.getline(*line).strip()
        return (f" in line {line[1]}" if line[1] else "") + (f" ({text[:60]})" if text else "")

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        return function(*arguments)
    except _Stopped as stop:
        told = f"was stopped after {steps_max:,} steps{where()}: does a loop end?"
        if stop.args:
            told = f"catches every exception in line {stop.args[0]}: write 'except Exception:'"
        raise SandboxError(f"the {what} {told}") from None
    except (KeyboardInterrupt, SandboxError):
        raise
    except BaseException as error:
        text = shown(error)
        said = f"{type(error).__name__}: {text}" if text else type(error).__name__
        raise SandboxError(f"the {what} raised {said}{where()}") from None
    finally:
        sys.settrace(before)


def _theirs(frame: FrameType | None) -> bool:
    return frame is not None and not frame.f_code.co_filename.startswith(NOT_THEIRS)


def learners_own(kind: type) -> bool:
    """Did a learner write this class, so that its methods may do anything?"""
    module = sys.modules.get(kind.__module__)
    file = getattr(module, "__file__", None) or ""
    written = kind.__module__ == "__main__" or bool(file)
    return written and not file.startswith(NOT_THEIRS)


@lru_cache(maxsize=256)
def _catches_all(code: CodeType) -> int:
    """The line of this code that would catch even what stops it; 0 if none does."""
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, SyntaxError, ValueError):  # no source, or a lambda in the middle of a line
        return 0
    handling = (ast.ExceptHandler, ast.With, ast.AsyncWith)
    for node in ast.walk(tree):
        if isinstance(node, handling) and _swallows_all(node):
            return max(first, 1) + node.lineno - 1
    return 0


def _swallows_all(node: ast.ExceptHandler | ast.With | ast.AsyncWith) -> bool:
    """Does the program go on after this `except`, or `with suppress(...)`, whatever was raised?"""
    if not isinstance(node, ast.ExceptHandler):
        return any("BaseException" in ast.unparse(item) for item in node.items)
    named = "BaseException" if node.type is None else ast.unparse(node.type)
    return "BaseException" in named and not _raises_it_again(node)


def _raises_it_again(handler: ast.ExceptHandler) -> bool:
    """Does it end in a bare `raise`, with no other way out before that?"""
    for node in ast.walk(handler):
        if isinstance(node, ast.Return | ast.Break | ast.Continue):
            return False
        if isinstance(node, ast.Raise) and node.exc is not None:
            return False
    return isinstance(handler.body[-1], ast.Raise)
