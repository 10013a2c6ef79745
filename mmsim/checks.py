"""Self-checks of the lessons: `check("04.pair", answer)` says passed, failed because, or not
attempted.

Interface: check, hint, task, Verdict, TASKS, ANSWERED

A check never raises: a learner's wrong type gets a hint.  A task is a function from an answer to a
`Verdict`, registered with its hints; the tasks themselves stand in `mmsim.tasks_NN`, one file a
lesson."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mmsim.hints import nearest


class Verdict(NamedTuple):
    """What became of an answer.  `state`: passed, failed or not attempted."""

    state: str
    why: str
    detail: str = ""

    def __str__(self) -> str:
        sign = {"passed": "✔ passed", "failed": "✘ not yet", "not attempted": "○ not attempted"}
        first = f"{sign[self.state]}: {self.why}" if self.why else sign[self.state]
        return f"{first}\n{self.detail}" if self.detail else first


class Task(NamedTuple):
    """One task: what a right answer looks like, how it is judged, up to three hints."""

    form: str
    judge: Callable[[Any], Verdict]
    hints: tuple[str, ...]


TASKS: dict[str, Task] = {}
ANSWERED: set[str] = set()  # tasks that an answer was handed in for, right or wrong


def passed(why: str, detail: str = "") -> Verdict:
    """The answer is right."""
    return Verdict("passed", why, detail)


def failed(why: str, detail: str = "") -> Verdict:
    """The answer is wrong; `why` says what speaks against it."""
    return Verdict("failed", why, detail)


def task(
    name: str, form: str, *hints: str
) -> Callable[[Callable[[Any], Verdict]], Callable[[Any], Verdict]]:
    """Register a judge under a name; `form` says what an answer looks like."""

    def register(judge: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
        TASKS[name] = Task(form, judge, hints)
        return judge

    return register


def _find(name: object) -> Task | None:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name.startswith("tasks_"):
            importlib.import_module(f"mmsim.{module.name}")
    return TASKS.get(name) if isinstance(name, str) else None


def _unanswered(answer: Any) -> bool:
    if isinstance(answer, dict):
        return not answer or any(map(_unanswered, answer.values()))
    if isinstance(answer, list | tuple):
        return not answer or any(map(_unanswered, answer))
    return answer is None or answer is ...


def judge(name: str, answer: Any) -> Verdict:
    """The verdict on an answer; never raises."""
    found = _find(name)
    if found is None:
        return failed(f"there is no task {name!r}{nearest(str(name), TASKS)}")
    if _unanswered(answer):
        return Verdict("not attempted", f"the answer is {found.form}")
    try:
        return found.judge(answer)
    except Exception as error:
        # Whatever a learner hands in: say what was expected instead of showing a traceback.
        what = type(answer).__name__
        return failed(f"the answer should be {found.form}; this {what} could not be used ({error})")


def check(name: str, answer: Any = None) -> None:
    """Judge an answer, print the verdict, and unlock what waited for an answer."""
    verdict = judge(name, answer)
    if verdict.state != "not attempted" and _find(name):
        ANSWERED.add(name)
    print(verdict)


def hint(name: str, number: int = 1) -> None:
    """Print a hint for a task: 1 is gentle, 3 nearly gives it away."""
    found = _find(name)
    if found is None:
        print(f"There is no task {name!r}{nearest(str(name), TASKS)}")
    elif not 1 <= number <= len(found.hints):
        print(f"{name} has hints 1 to {len(found.hints)}.")
    else:
        print(f"Hint {number} of {len(found.hints)}: {found.hints[number - 1]}")
