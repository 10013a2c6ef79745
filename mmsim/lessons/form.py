"""What an answer may look like, and what becomes of it: reading a learner's value before it is
judged.

A misspelt name or a word in place of a number is told before anything is judged.  What can be
meant in two ways only by its form, such as `True` and "yes" or 1027 and "1,027", is read as it is
meant."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from numbers import Integral
from typing import Any, NamedTuple

from mmsim.engine.trace import Trace
from mmsim.errors import nearest, shown, with_article
from mmsim.sandbox import learners_own
from mmsim.scenarios import Situation

MEMBERS_MAX, DEEP_MAX, BITS_MAX = 1_000, 10, 64


class Verdict(NamedTuple):
    """What became of an answer.  `state`: passed, failed, noted or not attempted.

    `second`: what a card tells instead of `why` at a second wrong answer, because it gives the
    outcome away."""

    state: str
    why: str
    detail: str = ""
    second: str = ""


UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")


class Choices(dict[Hashable, str]):
    """What can be chosen, with words for each: `Choices(a="mmap()", b="VFIO_IOMMU_MAP_DMA")`."""


Allowed = type | tuple[Hashable, ...] | Choices
Parts = Mapping[str, Allowed]
"""What an answer is made of: each part's name, and its type or the values it can have.

Values are a tuple, or Choices if they need words."""

FUNCTION = "a function"  # the form of an answer that is one
ONLY = "answer"  # the name of the part of an answer that has a single one

# 1027, 1,027, 1 027; the blank may be one at which no line is broken
_WHOLE = re.compile(r"[-+]?([0-9]{1,18}|[0-9]{1,3}([,\s][0-9]{3}){1,5})")
_KINDS = {int: "a whole number", bool: "True or False", str: "a text in quotes"}


class FormError(ValueError):
    """An answer that can't be judged; the message says what it should look like."""


def passed(why: str, detail: str = "") -> Verdict:
    """The answer is right."""
    return Verdict("passed", why, detail)


def failed(why: str, detail: str = "", second: str = "") -> Verdict:
    """The answer is wrong; `why` says what speaks against it, `second` how it really is."""
    return Verdict("failed", why, detail, second)


def noted() -> Verdict:
    """The answer is kept, and nothing of it is right or wrong."""
    return Verdict("noted", "")


def plain(answer: Any) -> Any:
    """The answer in Python's own types: nothing of a class that a learner wrote is called later.

    What is none of Python's own, such as a run, stays as it is.  Raises FormError for what does
    not end, is nested too deeply or too long to be meant, or is of a class that a learner wrote."""
    left = MEMBERS_MAX

    def own(value: Any, deep: int) -> Any:
        nonlocal left
        kind = type(value)
        left -= 1
        huge = issubclass(kind, int) and int.bit_length(value) > BITS_MAX
        if left < 0 or deep > DEEP_MAX or huge:
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
    left = [str(part) for part, value in answer.items() if unanswered(value)]
    return ", ".join(left) if len(left) < len(answer) else ""


def read(answer: Any, parts: Parts, form: str = "") -> dict[str, Any]:
    """The answer as its judge expects it; raises FormError."""
    if not isinstance(answer, dict):
        what = with_article(type(answer).__name__)
        raise FormError(f"write a dict with the parts {', '.join(parts)}, not {what}")
    for part in answer:
        if part not in parts:
            name = shown(part, 60)
            raise FormError(f"there is no part {name!r}{nearest(name, parts)}")
    missing = [part for part in parts if part not in answer]
    if missing:
        raise FormError(f"missing: {', '.join(missing)}")
    return {part: read_one(part, answer[part], allowed, form) for part, allowed in parts.items()}


def read_one(name: str, value: Any, allowed: Allowed, form: str = "") -> Any:
    """A value as it is meant: a word whatever its case, one member alone for a list of it."""
    if allowed is not object and isinstance(value, list | tuple | set) and len(value) == 1:
        (value,) = value
    if isinstance(allowed, tuple | Choices):
        for one in allowed:
            if _meant(value) == _meant(one):
                return one
        raise FormError(f"{name} can be {', '.join(map(repr, allowed))}, not {shown(value, 60)}")
    if allowed is int and isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(re.sub(r"[,\s]", "", value))
    if allowed is bool:
        value = {"true": True, "false": False}.get(_meant(value), value)
    if isinstance(value, allowed) and (allowed in (bool, object) or not isinstance(value, bool)):
        return value
    wanted = _KINDS.get(allowed) or form or with_article(allowed.__name__)
    raise FormError(f"{name} should be {wanted}, not {shown(value, 60)}")


def _meant(value: Any) -> str:
    """What a value says: 512 is "512", True is "yes"; case and a hyphen for a blank don't count."""
    words = shown(value).strip().casefold().replace("-", " ")
    return {"yes": "true", "no": "false"}.get(words, words)


def options(allowed: Allowed) -> list[Any]:
    """The values that can be chosen; empty if any value of a type can be written."""
    if allowed is bool:
        return [True, False]
    return list(allowed) if isinstance(allowed, tuple | Choices) else []


def said(value: Any, allowed: Allowed) -> str:
    """A value as a learner reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(allowed, Choices) and value in allowed:
        return f"{value} ({allowed[value]})"
    return shown(value)


def ran(answer: object, wanted: str) -> tuple[Situation, Trace]:
    """A situation and its run, also if the run itself was handed in.

    Raises FormError for what is neither, which says what is `wanted`."""
    trace = answer.run() if isinstance(answer, Situation) else answer
    if isinstance(trace, Trace) and isinstance(trace.scenario, Situation):
        return trace.scenario, trace
    raise FormError(f"the answer should be {wanted}")
