"""A policy of one's own: a plain Python function in the place of the last seam.

Floor 4.  Interface: own_policy, limited, PolicyError, STEPS_MAX

The function gets an `Attempt` (`mmsim.mm.versions`) and answers one of its DECISIONS.  It is asked
once for each different attempt and the answer is kept, so it can't make the model forget what it
did before.  It may begin STEPS_MAX lines, a call into the model counting as CALL_STEPS of them;
then it is stopped.  Left out: one call of the library that never ends, or a loop that catches every
exception, is not stopped."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections.abc import Callable
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from mmsim.hints import nearest
from mmsim.mm.versions import DECISIONS, LATEST, Attempt, Version

STEPS_MAX, CALL_STEPS = 100_000, 1_000
PACKAGE = str(Path(__file__).parent)
LIBRARY = ("<frozen ", *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class PolicyError(ValueError):
    """A policy that can't be used; the message is one sentence that says what and where."""


class _TooLong(BaseException):
    """Raised inside the function that is stopped; no `except Exception` of its own catches it."""


def own_policy(decide: Callable[[Attempt], str], name: str = "own") -> Version:
    """The last version with this function as its policy; raises PolicyError if it is none.

    Whatever goes wrong in the function later is a PolicyError of the run that asks it."""
    if not callable(decide):
        raise PolicyError(f"a policy is a function of an attempt, not {type(decide).__name__}")
    known: dict[Attempt, str] = {}

    def policy(attempt: Attempt) -> str:
        if attempt not in known:
            known[attempt] = _answer(decide, attempt)
        return known[attempt]

    title = f"{LATEST.name}, and a policy of your own"
    return LATEST._replace(name=name, title=title, policy=policy)


def _answer(decide: Callable[[Attempt], str], attempt: Attempt) -> str:
    answer = limited("policy", decide, attempt)
    if isinstance(answer, str) and answer in DECISIONS:
        return answer
    if not isinstance(answer, str):
        given = "nothing" if answer is None else f"{answer!r:.40}"
        asked = f"for a {attempt.what}, {attempt.code}, at try {attempt.tries}"
        allowed = ", ".join(map(repr, DECISIONS))
        raise PolicyError(f"the policy must return one of {allowed}, and returned {given} {asked}")
    raise PolicyError(f"the policy returned {answer[:40]!r}{nearest(answer, DECISIONS)}")


def limited(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a learner's function; whatever goes wrong in it is one sentence, a PolicyError.

    `what`: what the function is called in that sentence."""
    limit = _Limit()
    try:
        return limit.call(function, *arguments)
    except _TooLong:
        raise PolicyError(
            f"the {what} was stopped after {STEPS_MAX:,} steps{limit.where()}: does a loop end?"
        ) from None
    except (Exception, SystemExit) as error:
        limit.at(error.__traceback__)
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise PolicyError(f"the {what} raised {said}{limit.where()}") from None


class _Limit:
    """Counts the steps that a call takes, and remembers the last line.

    It stops a function where a line of its own begins, or a call into the model, and nowhere else:
    an exception inside the model, or between two instructions of one expression, would leave things
    half done.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.last: tuple[str, int] | None = None
        self.model: FrameType | None = None  # where the model was entered, while in there
        self.at_instruction: tuple[FrameType, int] | None = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return function(*arguments)
        finally:
            sys.settrace(before)
            self.model = self.at_instruction = None

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any:
        """A function begins, or a generator goes on: whose is it?"""
        file = frame.f_code.co_filename
        if file.startswith(PACKAGE):
            return self._into_the_model(frame)
        if file.startswith(LIBRARY) or (self.model is not None and file.startswith("<")):
            self.steps += self.model is None
            return None
        # A loop that is one instruction, `while True: pass`, begins no line in Python 3.11.
        frame.f_trace_opcodes = True
        return self._see

    def _see(self, frame: FrameType, event: str, arg: object) -> Any:
        here = (frame, frame.f_lasti)
        again = event == "opcode" and here == self.at_instruction
        self.at_instruction = here
        if event == "line" or again:
            self.steps += 1
            self.last = (frame.f_code.co_filename, frame.f_lineno)
            if self.steps > STEPS_MAX:
                raise _TooLong
        return self._see

    def _into_the_model(self, frame: FrameType) -> Any:
        """A function of the model is called; what it does is not looked at."""
        if self.model is not None:
            return None
        self.steps += CALL_STEPS
        # A path of the model that is thrown away goes on once more, to be closed: that is no call.
        if self.steps > STEPS_MAX and not frame.f_code.co_flags & CO_GENERATOR:
            raise _TooLong
        self.model = frame
        frame.f_trace_lines = False
        return self._leave

    def _leave(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "return":  # or an exception goes through
            self.model = None
        return self._leave

    def at(self, traceback: TracebackType | None) -> None:
        """The innermost place of an exception that lies outside this file."""
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename != __file__:
                self.last = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
            traceback = traceback.tb_next

    def where(self) -> str:
        """The line, with its text where that is known."""
        if self.last is None:
            return ""
        text = linecache.getline(*self.last).strip()
        return f" in line {self.last[1]}" + (f" ({text[:60]})" if text else "")
