"""What an answer may look like, and what becomes of it: reading a learner's value before it is
judged.

Interface: Verdict, passed, failed, UNTOUCHED, FormError, Allowed, Choices, Parts, plain, read,
unanswered, still_open

A misspelt name or a number written as text is told before anything is judged.  What can be meant
in two ways only by its form, such as `True` and "yes", is read as it is meant."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from numbers import Integral
from types import GenericAlias
from typing import Any, NamedTuple, cast, get_args, get_origin

from mmsim.constants import REPORTED
from mmsim.engine.trace import Trace
from mmsim.errors import nearest, shown, with_article
from mmsim.scenarios import Situation
from mmsim.scenarios.policy import learners_own


class Verdict(NamedTuple):
    """What became of an answer.  `state`: passed, failed or not attempted.

    `judged`: False if its form was wrong, so that it is no answer yet.  `second`: what a card tells
    instead of `why` at a second wrong answer, because it gives the outcome away."""

    state: str
    why: str
    detail: str = ""
    judged: bool = True
    second: str = ""

    def __str__(self) -> str:
        sign = {"passed": "✔ passed", "failed": "✘ not yet", "not attempted": "○ not attempted"}
        first = f"{sign[self.state]}: {self.why}" if self.why else sign[self.state]
        return f"{first}\n{self.detail}" if self.detail else first


UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")


class Choices(dict[Hashable, str]):
    """What can be chosen, with words for each: `Choices(a="mmap()", b="VFIO_IOMMU_MAP_DMA")`."""


Allowed = type | GenericAlias | tuple[Hashable, ...] | Choices
Parts = Mapping[Any, Allowed]
"""What an answer is made of: each part's name, and its type or the values it can have.

Values are a tuple, or Choices if they need words.
`tuple[int, int]` and `tuple[str, ...]` are members in order, and a list will do; `list[str]` are
members in any order, and a tuple, a set or one member alone will do."""

_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_KINDS = {int: "a whole number", bool: "True or False", str: "a text in quotes"}


class FormError(ValueError):
    """An answer that can't be judged; the message says what it should look like."""


def passed(why: str, detail: str = "") -> Verdict:
    """The answer is right."""
    return Verdict("passed", why, detail)


def failed(why: str, detail: str = "", second: str = "") -> Verdict:
    """The answer is wrong; `why` says what speaks against it, `second` how it really is."""
    return Verdict("failed", why, detail, second=second)


MEMBERS_MAX = 1_000
DEEP_MAX = 10


def plain(answer: Any) -> Any:
    """The answer in Python's own types: nothing of a class that a learner wrote is called later.

    What is none of Python's own, such as a run, stays as it is.  Raises FormError for what does
    not end, is nested too deeply or too long to be meant, or is of a class that a learner wrote."""
    left = MEMBERS_MAX

    def own(value: Any, deep: int) -> Any:
        nonlocal left
        kind = type(value)
        left -= 1
        if left < 0 or deep > DEEP_MAX:
            raise FormError("this is longer, or nested more deeply, than any answer")
        if hasattr(kind, "__next__"):
            raise FormError(f"{with_article(kind.__name__)} may have no end: write a list")
        if kind.__module__.startswith("mmsim."):
            return value
        if issubclass(kind, dict):
            return {own(k, deep + 1): own(v, deep + 1) for k, v in dict.items(value)}
        for made in (list, tuple, set):
            if issubclass(kind, made):
                return made(own(member, deep + 1) for member in made.__iter__(value))
        if isinstance(value, int):
            return value if kind is bool else int.__int__(value)
        if issubclass(kind, Integral):  # such as a number out of a table
            return int(value)
        if issubclass(kind, str):
            return str.__str__(value)
        if not callable(value) and any(map(learners_own, kind.__mro__)):
            raise FormError(f"{with_article(kind.__name__)} of your own is no answer")
        return value

    return own(answer, 0)


def unanswered(answer: Any) -> bool:
    """Is this, or any part of it, one of the marks that stand where an answer will be written?"""
    if isinstance(answer, dict):
        return not answer or any(map(unanswered, answer.values()))
    if isinstance(answer, list | tuple | set):
        return not answer or any(map(unanswered, answer))
    return answer is None or answer is ...


def still_open(answer: Any) -> str:
    """Which parts of a dict are not answered yet, if others are; empty if none or all are."""
    if not isinstance(answer, dict):
        return ""
    left = [_named(part) for part, value in answer.items() if unanswered(value)]
    return ", ".join(left) if len(left) < len(answer) else ""


def _named(part: object) -> str:
    return repr(part) if isinstance(part, tuple) else str(part)


def read(answer: Any, parts: Parts | Allowed, form: str = "") -> Any:
    """The answer as its judge expects it; raises FormError."""
    if isinstance(parts, Choices) or not isinstance(parts, Mapping):
        one: Any = parts
        return read_one("the answer", answer, one, form)
    if not isinstance(answer, dict):
        what = with_article(type(answer).__name__)
        raise FormError(f"write a dict with the parts {', '.join(map(_named, parts))}, not {what}")
    for part in answer:
        if part not in parts:
            known = {_named(name): name for name in parts}
            name = shown(_named(part), 60)
            raise FormError(f"there is no part {name!r}{nearest(name, known)}")
    named = cast("Parts", parts)
    missing = [_named(part) for part in parts if part not in answer]
    if missing:
        raise FormError(f"missing: {', '.join(missing)}")
    return {part: read_one(_named(part), answer[part], allowed) for part, allowed in named.items()}


def read_one(name: str, value: Any, allowed: Allowed, form: str = "") -> Any:
    """A value as it is meant: a word whatever its case, a pair whatever its brackets."""
    one_only = isinstance(allowed, tuple | Choices) or allowed in _KINDS
    if one_only and isinstance(value, list | tuple | set) and len(value) == 1:
        (value,) = value
    if isinstance(allowed, tuple | Choices):
        for same in (_same_kind, _same_words):
            for one in allowed:
                if same(value, one):
                    return one
        raise FormError(f"{name} can be {', '.join(map(repr, allowed))}, not {shown(value, 60)}")
    if isinstance(allowed, GenericAlias):
        return _members(name, value, allowed, form)
    if allowed is bool and isinstance(value, str):
        value = _YES_NO.get(_folded(value), value)
    if isinstance(value, allowed) and (allowed in (bool, object) or not isinstance(value, bool)):
        return value
    wanted = _KINDS.get(allowed) or form or with_article(allowed.__name__)
    raise FormError(f"{name} should be {wanted}, not {shown(value, 60)}")


def _same_kind(value: Any, one: Any) -> bool:
    return type(value) is type(one) and bool(_folded(value) == _folded(one))


def _same_words(value: Any, one: Any) -> bool:
    """Do they say the same, as 512 and "512", or True and "yes"?"""
    if isinstance(value, bool) or isinstance(one, bool):
        words = [_YES_NO.get(_folded(v), v) if isinstance(v, str) else v for v in (value, one)]
        return all(isinstance(word, bool) for word in words) and words[0] is words[1]
    return isinstance(value, str) and bool(_folded(value) == _folded(str(one)))


def _members(name: str, value: Any, allowed: GenericAlias, form: str) -> Any:
    """A list or tuple as it is meant, each member fitted."""
    brackets, kinds = get_origin(allowed), get_args(allowed)
    ordered = brackets is tuple
    if not ordered and kinds and isinstance(value, kinds[0]) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, list | tuple) or (isinstance(value, set) and not ordered):
        given = sorted(value, key=repr) if isinstance(value, set) else value
        if not ordered or kinds[-1] is ...:
            kinds = kinds[:1] * len(given)
        if len(given) == len(kinds):
            return brackets(map(read_one, [f"each of {name}"] * len(given), given, kinds))
    many = "" if not ordered or kinds[-1] is ... else f" of {len(kinds)}"
    raise FormError(f"{name} should be {form or f'a list{many}'}, not {shown(value, 60)}")


def _folded(value: Any) -> Any:
    """A word without what is not meant: case, blanks around it, a hyphen for a blank."""
    return value.strip().casefold().replace("-", " ") if isinstance(value, str) else value


def counters_of(trace: Trace) -> dict[str, int]:
    """The two counters of the report at the end of a run."""
    return {name: trace.last.world.vmstat[name] for name in REPORTED}


def ran(answer: object) -> tuple[Situation, Trace] | None:
    """A situation and its run, also if the run itself was handed in; None if it is neither."""
    trace = answer.run() if isinstance(answer, Situation) else answer
    if isinstance(trace, Trace) and isinstance(trace.scenario, Situation):
        return trace.scenario, trace
    return None
