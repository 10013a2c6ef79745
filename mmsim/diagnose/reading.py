"""What moved: from two texts of /proc/vmstat, a list of counters, or lines of ftrace.

Interface: Delta, DiagnoseError, read, delta, load, BYTES_MAX

Every mistake is told in one sentence, with the name of the text it is about.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from mmsim import ftracefile
from mmsim.constants import MIGRATE_COUNTERS, REPORTED
from mmsim.diagnose.family import EVIDENCE, PIN
from mmsim.errors import nearest
from mmsim.probe import COUNTS

BYTES_MAX = 1_000_000
WHOLE = 40
"""A text with more counters than this is a whole /proc/vmstat."""

_COUNTER = re.compile(r"([a-z][a-z0-9_]*)\s+(-?\d{1,19})")
_MOVED = re.compile(r"([a-z][a-z0-9_]*)[\s:=]+([+-]?\d{1,19})")
_CALL = re.compile(r"mm_migrate_pages: (.*)")
_VALUE = re.compile(r"(\w+)=(\S+)")


class DiagnoseError(ValueError):
    """A text that can't be used; the message is one sentence."""


class Delta(NamedTuple):
    """What is known.  `given`: counters of EVIDENCE; one that is missing is not known.

    `others`: what else moved, and is not looked at.  `reason`: for whom pages were migrated, if a
    trace said so."""

    given: dict[str, int]
    others: dict[str, int]
    reason: str = ""

    @property
    def moved(self) -> dict[str, int]:
        """The given counters that moved."""
        return {name: n for name, n in self.given.items() if n}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Counters of EVIDENCE that the text says nothing about."""
        return tuple(name for name in EVIDENCE if name not in self.given)


def load(name: str) -> str:
    """The text of a file, or of standard input for "-"; raises DiagnoseError."""
    told = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise DiagnoseError(f"{name} can't be read: {error.strerror}") from None
    return decoded(content, told)


def decoded(content: bytes, name: str) -> str:
    """Bytes as text; raises DiagnoseError if there are too many, or if they are no text."""
    if len(content) > BYTES_MAX:
        raise DiagnoseError(
            f"{name} has more than {BYTES_MAX:,} bytes; a /proc/vmstat has about 5,000"
        )
    if b"\0" in content:
        raise DiagnoseError(f"{name} is not a text but a binary file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DiagnoseError(f"{name} is not UTF-8 text (byte {error.start})") from None


def read(
    before: str, after: str | None = None, names: tuple[str, str] = ("BEFORE", "AFTER")
) -> Delta:
    """What moved, from one text or two; raises DiagnoseError."""
    for text, name in zip((before, after or ""), names, strict=True):
        if len(text) > BYTES_MAX:
            raise DiagnoseError(
                f"{name} has more than {BYTES_MAX:,} characters; a /proc/vmstat has about 5,000"
            )
    if after is not None:
        return _between(_vmstat(before, names[0]), _vmstat(after, names[1]), names)
    name = names[0]
    lines = _lines(before)
    if not lines:
        raise DiagnoseError(f"{name} is empty")
    if "==== trace" in before:
        try:
            return _sorted(ftracefile.read(before).delta)
        except ValueError as error:
            raise DiagnoseError(f"{name}, {error}") from None
    calls = [match[1] for _, line in lines if (match := _CALL.search(line))]
    return _calls(calls, name) if calls else _listed(lines, name)


def delta(before: dict[str, int], after: dict[str, int]) -> Delta:
    """What moved between two states of the counters."""
    return _sorted({name: n - before.get(name, 0) for name, n in after.items()})


def _lines(text: str) -> list[tuple[int, str]]:
    numbered = enumerate(text.splitlines(), start=1)
    stripped = ((number, line.partition("#")[0].strip()) for number, line in numbered)
    return [(number, line) for number, line in stripped if line]


def _sorted(moved: dict[str, int]) -> Delta:
    given = {name: moved[name] for name in EVIDENCE if name in moved}
    return Delta(given, {n: v for n, v in moved.items() if n not in EVIDENCE and v})


# -- two texts


def _vmstat(text: str, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    lines = _lines(text)
    if not lines:
        raise DiagnoseError(f"{name} is empty")
    for number, line in lines:
        match = _COUNTER.fullmatch(line)
        if match is None:
            raise DiagnoseError(
                f"{name} is no text of /proc/vmstat: line {number} is no name and number, "
                f"but {line[:40]!r}"
            )
        found[match[1]] = int(match[2])
    for counter in REPORTED:
        if counter not in found:
            raise DiagnoseError(
                f"{name} has no counter {counter}: it is cut off, "
                "or from a kernel without huge pages"
            )
    return found


def _is_event(name: str) -> bool:
    return not name.startswith("nr_")


def _between(before: dict[str, int], after: dict[str, int], names: tuple[str, str]) -> Delta:
    alone = sorted(set(before) ^ set(after))
    if alone:
        which = names[0] if alone[0] in before else names[1]
        raise DiagnoseError(f"the texts are from different kernels: only {which} has {alone[0]}")
    moved = {name: after[name] - n for name, n in before.items()}
    back = [name for name, n in moved.items() if n < 0 and _is_event(name)]
    forward = [name for name, n in moved.items() if n > 0 and _is_event(name)]
    if back and not forward:
        raise DiagnoseError(
            f"every counter that moved went back ({_went(back[0], before, after)}): "
            f"swap {names[0]} and {names[1]}, unless the machine was started anew in between"
        )
    if back:
        raise DiagnoseError(
            "the texts are from different boots: counters went back, for instance "
            f"{_went(back[0], before, after)}"
        )
    return _sorted(moved)


def _went(name: str, before: dict[str, int], after: dict[str, int]) -> str:
    return f"{name} from {before[name]} to {after[name]}"


# -- one text


def _listed(lines: list[tuple[int, str]], name: str) -> Delta:
    moved: dict[str, int] = {}
    for number, line in lines:
        match = _MOVED.fullmatch(line)
        if match is None:
            raise DiagnoseError(
                f"{name}, line {number}: write a counter and by how much it moved, "
                f"for instance 'thp_migration_fail +1', not {line[:40]!r}"
            )
        counter, value = match.groups()
        if counter in moved:
            raise DiagnoseError(f"{name}, line {number}: {counter} stands there twice")
        moved[counter] = int(value)
    if len(moved) > WHOLE:
        raise DiagnoseError(
            f"{name} is a whole /proc/vmstat; give two of them, from before and from after"
        )
    known = [counter for counter in moved if counter in EVIDENCE]
    if not known:
        first = next(iter(moved))
        raise DiagnoseError(
            f"{name} has no counter of the model: {first!r}{nearest(first, EVIDENCE)}"
        )
    for counter in known:
        if moved[counter] < 0:
            raise DiagnoseError(
                f"{name}: {counter} went back by {-moved[counter]}; counters never do"
            )
    return _sorted(moved)


def _calls(calls: list[str], name: str) -> Delta:
    """The tracepoint mm_migrate_pages, summed up over the calls for one reason."""
    sums: dict[str, dict[str, int]] = {}
    for call in calls:
        values = dict(_VALUE.findall(call))
        missing = [key for key in (*COUNTS, "reason") if key not in values]
        if missing:
            raise DiagnoseError(f"{name}: a line of mm_migrate_pages has no value {missing[0]}")
        total = sums.setdefault(values["reason"], dict.fromkeys(MIGRATE_COUNTERS, 0))
        for counter, key in zip(MIGRATE_COUNTERS, COUNTS, strict=True):
            if not values[key].isdigit():
                raise DiagnoseError(f"{name}: {key} is no number: {values[key]!r}")
            total[counter] += int(values[key])
    reason = PIN if PIN in sums else next(iter(sums))
    others = {f"mm_migrate_pages calls for {r}": sum(t.values()) for r, t in sums.items()}
    others.pop(f"mm_migrate_pages calls for {reason}")
    return Delta(sums[reason], others, reason)
