"""Self-checks of the lessons: `check("04.pair", answer)` says passed, failed because, or not
attempted.

Interface: check, hint, task, letters, TASKS, ANSWERED
From lessons.form: passed, failed, Verdict, FormError

A check never raises: a learner's wrong type gets a hint.  A task is a function from an answer to a
`Verdict`, registered with its hints and with what its answers are made of, so that a misspelt name
or a number written as text is told before anything is judged.  The tasks themselves stand in
the package `mmsim.tasks`, a file or two for each lesson."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmsim.hints import nearest
from mmsim.lessons.form import (
    Allowed,
    FormError,
    Parts,
    Verdict,
    failed,
    passed,
    read,
    still_open,
    unanswered,
)

__all__ = ["FormError", "Verdict", "check", "failed", "hint", "letters", "passed", "task"]


class Task(NamedTuple):
    """One task: what a right answer looks like, how it is judged, up to three hints."""

    form: str
    judge: Callable[[Any], Verdict]
    hints: tuple[str, ...]
    parts: Parts | Allowed | None = None


TASKS: dict[str, Task] = {}
ANSWERED: set[str] = set()  # tasks that an answer was judged for, right or wrong
HINTED: dict[str, int] = {}  # task -> the number of the hint that was shown last


def task(
    name: str, form: str, *hints: str, parts: Parts | Allowed | None = None
) -> Callable[[Callable[[Any], Verdict]], Callable[[Any], Verdict]]:
    """Register a judge under a name; `form` says what an answer looks like.

    `parts`: names and values of an answer that is a dict, or what a single answer can be.
    """

    def register(judge: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
        TASKS[name] = Task(form, judge, hints, parts)
        return judge

    return register


def letters(
    name: str,
    key: Mapping[str, tuple[str, str]],
    *hints: str,
    choices: str = "abc",
    facts: Callable[[], Mapping[str, object]] = dict,
) -> None:
    """Register questions that are answered by a letter each, such as a lesson's recall.

    `key`: question -> its letter, and why.  What stands in braces in a reason is filled in from
    `facts`, which is asked only when a reason is told."""

    @task(
        name,
        "a dict: question -> one letter",
        *hints,
        parts=dict.fromkeys(key, tuple(choices)),
    )
    def judged(answer: dict[str, str]) -> Verdict:
        for question, (letter, why) in key.items():
            if answer[question] != letter:
                told = why.format_map(facts())
                return failed(f"{question} is not {answer[question]!r}: {told}")
        return passed("all are still there")


def _find(name: object) -> Task | None:
    for module in pkgutil.iter_modules([str(Path(__file__).parent / "tasks")]):
        importlib.import_module(f"mmsim.tasks.{module.name}")
    return TASKS.get(name) if isinstance(name, str) else None


def judge(name: str, answer: Any) -> Verdict:
    """The verdict on an answer; never raises."""
    found = _find(name)
    if found is None:
        return failed(f"there is no task {name!r}{nearest(str(name), TASKS)}")
    if unanswered(answer):
        left = still_open(answer)
        return Verdict(
            "not attempted", f"still open: {left}" if left else f"the answer is {found.form}"
        )
    try:
        if found.parts is not None:
            answer = read(answer, found.parts, found.form)
        return found.judge(answer)
    except FormError as error:
        return Verdict("failed", str(error), judged=False)
    except Exception as error:
        # Whatever a learner hands in: say what was expected instead of showing a traceback.
        what = type(answer).__name__
        return failed(f"the answer should be {found.form}; this {what} could not be used ({error})")


def check(name: str, answer: Any = None) -> None:
    """Judge an answer, print the verdict, and unlock what waited for an answer."""
    verdict = judge(name, answer)
    if verdict.state != "not attempted" and verdict.judged and _find(name):
        ANSWERED.add(name)
    print(verdict)


def hint(name: str, number: int | None = None) -> None:
    """Print a hint for a task: at each call the next one, or the one with this number.

    1 is gentle, 3 nearly gives it away; after the last one comes the last one again."""
    found = _find(name)
    if found is None:
        print(f"There is no task {name!r}{nearest(str(name), TASKS)}")
        return
    last = len(found.hints)
    if number is None:
        number = min(HINTED.get(name, 0) + 1, last)
    if not last:
        print(f"There are no hints for {name}.")
    elif not 1 <= number <= last:
        print(f"{name} has hints 1 to {last}.")
    else:
        HINTED[name] = number
        print(f"Hint {number} of {last}: {found.hints[number - 1]}")
