"""Knobs: what can be set, to which values, and what a wrong value is told.

Knobs are data, so that the command line, the sliders of a lesson and the help text are all made
from the same list."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from mmsim.constants import MIGRATE_PASSES
from mmsim.errors import UserError, nearest
from mmsim.mm.seams import INVERTED, ISOLATIONS, MEANT, Version
from mmsim.scenarios.script import SITES, PassSite

Value = int | str
Knobs = dict[str, Any]
"""Settled: a number where the knob is one, else a word."""


NOBODY = "nobody"


class Knob(NamedTuple):
    """One thing to set.  `allowed` lists words; otherwise it is a number from `low` to `high`.

    `several`: it is a list of these words, with commas between.  `is_pass_site`: one of these
    words, or a site of a pass; there are many, and a control shows those that are `offered`."""

    name: str
    default: Value
    what: str
    low: int = 0
    high: int = 0
    allowed: tuple[str, ...] = ()
    is_pass_site: bool = False
    offered: tuple[str, ...] = ()
    several: bool = False

    @property
    def values(self) -> str:
        """What it can be, for people."""
        if self.is_pass_site:
            words = " or ".join(self.allowed)
            return f"{words}, PASS (0-{MIGRATE_PASSES - 1}) or PASS.SITE ({', '.join(SITES)})"
        if self.several:
            return f"{NOBODY}, or some of {', '.join(self.allowed)}, with commas between"
        return ", ".join(self.allowed) if self.allowed else f"{self.low}-{self.high}"

    def read(self, given: object) -> Value:
        """The value as the scenario uses it; raises UserError."""
        text = str(given).strip()
        if self.is_pass_site:
            if text in self.allowed:
                return text
            pass_, point, site = text.partition(".")
            if pass_ not in map(str, range(MIGRATE_PASSES)) or (point and not site):
                raise UserError(f"{self.name} must be {self.values}, not {text!r}")
            if point and site not in SITES:
                raise UserError(f"{self.name} names no site {site!r}{nearest(site, SITES)}")
            return pass_ if site == SITES[0] else text
        if self.several:
            listed = given if isinstance(given, (list, tuple)) else text.split(",")
            words = {str(word).strip() for word in listed} - {"", NOBODY}
            known = [self._known(word) for word in words]
            return ",".join(sorted(known, key=self.allowed.index)) or NOBODY
        if self.allowed:
            return self._known(text)
        if isinstance(given, bool) or not re.fullmatch(r"-?\d{1,9}", text):
            raise UserError(f"{self.name} must be a whole number, {self.values}, not {given!r}")
        if not self.low <= int(text) <= self.high:
            raise UserError(f"{self.name} must be {self.values}, not {text}")
        return int(text)

    def _known(self, word: str) -> str:
        if word not in self.allowed:
            raise UserError(f"{self.name} can't be {word!r}{nearest(word, self.allowed)}")
        return word


def number(name: str, default: int, low: int, high: int, what: str) -> Knob:
    """A knob with a whole number."""
    return Knob(name, default, what, low, high)


def one_of(name: str, default: str, allowed: Sequence[str], what: str) -> Knob:
    """A knob with a choice of words."""
    return Knob(name, default, what, allowed=tuple(allowed))


def when_taken(what: str) -> Knob:
    """The knob for when somebody comes: at the start, or at a site of a pass."""
    freezes = ("0.split.freeze", "0.move.freeze")
    return Knob("taken", "start", what, allowed=("start",), is_pass_site=True, offered=freezes)


def when_released(what: str, default: str = "never") -> Knob:
    """The knob for when somebody goes: never, or at a site of a pass."""
    passes = tuple(map(str, range(1, MIGRATE_PASSES)))
    return Knob("released", default, what, allowed=("never",), is_pass_site=True, offered=passes)


def read_pass_site(when: Value) -> PassSite:
    """`"3"`: the beginning of pass 3; `"0.split.freeze"`: before a split's freeze in pass 0."""
    pass_, _, site = str(when).partition(".")
    return PassSite.at(site or SITES[0], int(pass_))


def read_span(knobs: Knobs) -> tuple[PassSite | None, PassSite | None]:
    """When somebody comes (None: at the start) and goes (None: never), by the two knobs.

    Whoever comes has to find a pass; whoever goes may do so behind the last one."""
    taken, released = knobs.get("taken", "start"), knobs["released"]
    start = None if taken == "start" else read_pass_site(taken)
    end = None if released == "never" else read_pass_site(released)
    passes = knobs.get("passes", MIGRATE_PASSES)
    if start is not None and start.pass_ >= passes:
        raise UserError(f"taken is {taken}, but with passes={passes} the last pass is {passes - 1}")
    if start is not None and end is not None and end <= start:
        raise UserError(f"released ({released}) must come after taken ({taken})")
    return start, end


def check_number(knobs: Knobs, knob: str, there: str, what: str) -> None:
    """Raise UserError if a knob asks for more than there are by another knob."""
    if int(knobs[knob]) > int(knobs[there]):
        raise UserError(
            f"{knob} is {knobs[knob]}, but there are only {knobs[there]} {what} ({there})"
        )


def check_isolation(version: Version, pins: bool) -> None:
    """Raise UserError for the inverted isolation test where nobody pins for a long time."""
    if version.isolate_inverted and not pins:
        raise UserError(f"isolation={INVERTED} is about a long-term pin, and here nobody pins")


def chosen(whose: str, knobs: Sequence[Knob], names: Collection[str]) -> list[Knob]:
    """The knobs of these names; raises UserError if there is none of a name."""
    known = [knob.name for knob in knobs]
    for name in names:
        if name not in known:
            raise UserError(f"{whose} has no knob {name!r}{nearest(name, known)}")
    return [knob for knob in knobs if knob.name in names]


def settle(whose: str, knobs: Sequence[Knob], given: Mapping[str, object]) -> Knobs:
    """Every knob with its value: the given one, or its default; raises UserError."""
    chosen(whose, knobs, given)
    return {knob.name: knob.read(given.get(knob.name, knob.default)) for knob in knobs}


ISOLATION_KNOB = one_of(
    "isolation", MEANT, ISOLATIONS, "the pin's isolation test: as meant, or as it was until 6.2"
)
"""The last knob of every scenario that pins for a long time."""
PASSES_KNOB = number(
    "passes", MIGRATE_PASSES, 1, MIGRATE_PASSES, "passes of migrate_pages(); 6.12 makes at least 2"
)
