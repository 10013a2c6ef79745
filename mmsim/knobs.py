"""Knobs of a scenario: what can be set, to which values, and what a wrong value is told.

Interface: Knob, KnobError, number, one_of, some_of, words_of, moment,
read_span, settle

Knobs are data, so that the command line, the sliders of a lesson and the help text are all made
from the same list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mmsim.constants import MIGRATE_PASSES
from mmsim.errors import nearest
from mmsim.script import SITES, Position

Value = int | str


class KnobError(ValueError):
    """A knob that does not exist or can't have this value; the message says what it can."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence.  Where in this package it arose helps nobody."""
        return [str(self)]


NOBODY = "nobody"


class Knob(NamedTuple):
    """One thing to set.  `allowed` lists words; otherwise it is a number from `low` to `high`.

    With `each_max` it is a list of words, separated by commas, each at most so often."""

    name: str
    default: Value
    what: str
    low: int = 0
    high: int = 0
    allowed: tuple[str, ...] = ()
    is_moment: bool = False
    each_max: int = 0

    @property
    def values(self) -> str:
        """What it can be, for people."""
        if self.is_moment:
            words = " or ".join(self.allowed)
            return f"{words}, PASS (0-{MIGRATE_PASSES - 1}) or PASS.SITE ({', '.join(SITES)})"
        if self.each_max:
            return f"{NOBODY}, or some of {', '.join(self.allowed)}, with commas between"
        return ", ".join(self.allowed) if self.allowed else f"{self.low}-{self.high}"

    def read(self, given: object) -> Value:
        """The value as the scenario uses it; raises KnobError."""
        text = str(given).strip()
        if self.is_moment:
            if text not in self.allowed:
                read_moment(text, self)
            return text
        if self.each_max:
            return self._some(given if isinstance(given, (list, tuple)) else text.split(","))
        if self.allowed:
            if text not in self.allowed:
                raise KnobError(f"{self.name} can't be {text!r}{nearest(text, self.allowed)}")
            return text
        if isinstance(given, bool) or not re.fullmatch(r"-?\d{1,9}", text):
            raise KnobError(f"{self.name} must be a whole number, {self.values}, not {given!r}")
        if not self.low <= int(text) <= self.high:
            raise KnobError(f"{self.name} must be {self.values}, not {text}")
        return int(text)

    def _some(self, given: Sequence[object]) -> str:
        """The words in the order of `allowed`, with commas between: equal sets, equal text."""
        words = [str(word).strip() for word in given]
        if words == [NOBODY] or not any(words):
            return NOBODY
        for word in words:
            if word not in self.allowed:
                raise KnobError(f"{self.name} can't have {word!r}{nearest(word, self.allowed)}")
            if words.count(word) > self.each_max:
                raise KnobError(f"{self.name} has {word!r} more than {self.each_max} times")
        return ",".join(sorted(words, key=self.allowed.index))


def number(name: str, default: int, low: int, high: int, what: str) -> Knob:
    """A knob with a whole number."""
    return Knob(name, default, what, low, high)


def one_of(name: str, default: str, allowed: Sequence[str], what: str) -> Knob:
    """A knob with a choice of words."""
    return Knob(name, default, what, allowed=tuple(allowed))


def some_of(
    name: str, default: str, allowed: Sequence[str], what: str, *, each_max: int = 1
) -> Knob:
    """A knob with a list of words, each at most `each_max` times."""
    return Knob(name, default, what, allowed=tuple(allowed), each_max=each_max)


def words_of(value: Value) -> list[str]:
    """The words of a knob made by `some_of`."""
    return [] if value == NOBODY else str(value).split(",")


def moment(name: str, default: str, words: Sequence[str], what: str) -> Knob:
    """A knob with a moment of a migration: a word, a pass, or a site of a pass."""
    return Knob(name, default, what, allowed=tuple(words), is_moment=True)


def read_moment(text: str, knob: Knob) -> Position:
    """`"3"` is the beginning of pass 3, `"0.site2"` the moment before the freeze in pass 0."""
    pass_, _, site = text.partition(".")
    site = site or "alloc"
    if not re.fullmatch(r"\d{1,2}", pass_) or int(pass_) >= MIGRATE_PASSES:
        raise KnobError(f"{knob.name} must be {knob.values}, not {text!r}")
    if site not in SITES:
        raise KnobError(f"{knob.name} names no site {site!r}{nearest(site, SITES)}")
    return Position.at(site, int(pass_))


def read_span(
    knobs: Sequence[Knob], taken: Value, released: Value
) -> tuple[Position | None, Position | None]:
    """When somebody comes (None: at the start) and goes (None: never), from the two knobs."""
    knob = {knob.name: knob for knob in knobs}
    start = None if taken == "start" else read_moment(str(taken), knob["taken"])
    end = None if released == "never" else read_moment(str(released), knob["released"])
    if start is not None and end is not None and end <= start:
        raise KnobError(f"released ({released}) must come after taken ({taken})")
    return start, end


def settle(scenario: str, knobs: Sequence[Knob], given: Mapping[str, object]) -> dict[str, Value]:
    """Every knob with its value: the given one, or its default; raises KnobError."""
    names = [knob.name for knob in knobs]
    for name in given:
        if name not in names:
            raise KnobError(f"{scenario} has no knob {name!r}{nearest(name, names)}")
    return {knob.name: knob.read(given.get(knob.name, knob.default)) for knob in knobs}
