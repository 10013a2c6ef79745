"""Self-checks of the lessons: `check("04.pair", answer)` says passed, failed because, or not
attempted.

Interface: check, hint, task, letters, passed, failed, Verdict, TASKS, ANSWERED

A check never raises: a learner's wrong type gets a hint.  A task is a function from an answer to a
`Verdict`, registered with its hints and with what its answers are made of, so that a misspelt name
or a number written as text is told before anything is judged.  The tasks themselves stand in
the package `mmsim.tasks`, a file or two for each lesson."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from types import GenericAlias
from typing import Any, NamedTuple, get_args, get_origin

from mmsim.errors import nearest


class Verdict(NamedTuple):
    """What became of an answer.  `state`: passed, failed or not attempted.

    `judged`: False if its form was wrong, so that it is no answer yet."""

    state: str
    why: str
    detail: str = ""
    judged: bool = True

    def __str__(self) -> str:
        sign = {"passed": "✔ passed", "failed": "✘ not yet", "not attempted": "○ not attempted"}
        first = f"{sign[self.state]}: {self.why}" if self.why else sign[self.state]
        return f"{first}\n{self.detail}" if self.detail else first


Allowed = type | GenericAlias | tuple[Hashable, ...]
Parts = Mapping[Any, Allowed]
"""What an answer is made of: each part's name, and its type or the values it can have.

`tuple[int, int]` and `tuple[str, ...]` are members in order, and a list will do; `list[str]` are
members in any order, and a tuple or a set will do."""


class FormError(ValueError):
    """An answer that can't be judged; the message says what it should look like."""


class Task(NamedTuple):
    """One task: what a right answer looks like, how it is judged, up to three hints."""

    form: str
    judge: Callable[[Any], Verdict]
    hints: tuple[str, ...]
    parts: Parts | Allowed | None = None


TASKS: dict[str, Task] = {}
ANSWERED: set[str] = set()  # tasks that an answer was judged for, right or wrong
HINTED: dict[str, int] = {}  # task -> the number of the hint that was shown last


def passed(why: str, detail: str = "") -> Verdict:
    """The answer is right."""
    return Verdict("passed", why, detail)


def failed(why: str, detail: str = "") -> Verdict:
    """The answer is wrong; `why` says what speaks against it."""
    return Verdict("failed", why, detail)


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


def _unanswered(answer: Any) -> bool:
    if isinstance(answer, dict):
        return not answer or any(map(_unanswered, answer.values()))
    if isinstance(answer, list | tuple | set):
        return not answer or any(map(_unanswered, answer))
    return answer is None or answer is ...


def _open(answer: Any) -> str:
    """Which parts of a dict are not answered yet, if others are; empty if none or all are."""
    if not isinstance(answer, dict):
        return ""
    left = [_named(part) for part, value in answer.items() if _unanswered(value)]
    return ", ".join(left) if len(left) < len(answer) else ""


def _named(part: object) -> str:
    return repr(part) if isinstance(part, tuple) else str(part)


def _read(answer: Any, parts: Parts | Allowed, form: str) -> Any:
    """The answer as its judge expects it; raises FormError."""
    if not isinstance(parts, Mapping):
        return _fitted("the answer", answer, parts, form)
    if not isinstance(answer, dict):
        what = _with_article(type(answer).__name__)
        raise FormError(f"write a dict with the parts {', '.join(map(_named, parts))}, not {what}")
    for part in answer:
        if part not in parts:
            known = {_named(name): name for name in parts}
            raise FormError(f"there is no part {_named(part)!r}{nearest(_named(part), known)}")
    missing = [_named(part) for part in parts if part not in answer]
    if missing:
        raise FormError(f"missing: {', '.join(missing)}")
    return {part: _fitted(_named(part), answer[part], allowed) for part, allowed in parts.items()}


def _fitted(name: str, value: Any, allowed: Allowed, form: str = "") -> Any:
    """A value as it is meant: a word whatever its case, a pair whatever its brackets."""
    if isinstance(allowed, tuple):
        for one in allowed:
            if type(value) is type(one) and _plain(value) == _plain(one):
                return one
        raise FormError(f"{name} can be {', '.join(map(repr, allowed))}, not {value!r}")
    if isinstance(allowed, GenericAlias):
        return _members(name, value, allowed, form)
    if isinstance(value, allowed) and (allowed in (bool, object) or not isinstance(value, bool)):
        return value
    wanted = _KINDS.get(allowed) or form or _with_article(allowed.__name__)
    raise FormError(f"{name} should be {wanted}, not {value!r}")


_KINDS = {int: "a whole number", bool: "True or False", str: "a text in quotes"}


def _members(name: str, value: Any, allowed: GenericAlias, form: str) -> Any:
    """A list or tuple as it is meant, each member fitted."""
    brackets, kinds = get_origin(allowed), get_args(allowed)
    ordered = brackets is tuple
    if isinstance(value, list | tuple) or (isinstance(value, set) and not ordered):
        given = sorted(value, key=repr) if isinstance(value, set) else value
        if not ordered or kinds[-1] is ...:
            kinds = kinds[:1] * len(given)
        if len(given) == len(kinds):
            return brackets(map(_fitted, [f"each of {name}"] * len(given), given, kinds))
    many = "" if not ordered or kinds[-1] is ... else f" of {len(kinds)}"
    raise FormError(f"{name} should be {form or f'a list{many}'}, not {value!r}")


def _plain(value: Any) -> Any:
    """A word without what is not meant: case, blanks around it, a hyphen for a blank."""
    return value.strip().casefold().replace("-", " ") if isinstance(value, str) else value


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def judge(name: str, answer: Any) -> Verdict:
    """The verdict on an answer; never raises."""
    found = _find(name)
    if found is None:
        return failed(f"there is no task {name!r}{nearest(str(name), TASKS)}")
    if _unanswered(answer):
        left = _open(answer)
        return Verdict(
            "not attempted", f"still open: {left}" if left else f"the answer is {found.form}"
        )
    try:
        read = answer if found.parts is None else _read(answer, found.parts, found.form)
        return found.judge(read)
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
