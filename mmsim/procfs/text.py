"""Text that somebody pasted: its lines, its numbers, and one sentence when it can't be read.

Interface: PasteError, Line, file_of, lines_of, count, refuse; ZONE, Key, key_of,
check_orders

A paste comes from a terminal, a mail or a web page: Windows line ends, blank lines, indentation, a
shell prompt before or after it do no harm.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

CHARS_MAX = 2_000_000
SHOWN_MAX = 50

_COMMAND = r"(.*\bcat /\S+.*|\[sudo\].*|In \[\d*\]:.*)"
_PROMPT = re.compile(rf"(?!Node\b)({_COMMAND}|[^<]*[$#%>❯]( .*)?)")
_COUNT = re.compile(r"[0-9]{1,19}")

BUDDYINFO, PAGETYPEINFO, ZONEINFO = "/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/zoneinfo"

ORDERS_MIN, ORDERS_MAX = 8, 32
"""Fewer columns count as cut off: ordinary kernels have 9 (large pages) to 14."""

ZONE = re.compile(r"Node ([0-9]{1,6}), zone ([\w.-]{1,32})(?:, type ([\w.-]{1,32}))?(?: (.*))?")
"""Groups: node, zone, migratetype or None, the rest or None."""

Key = tuple[int, str]
"""Node and zone."""

# file -> what only its text has; the first that fits counts
_LOOKS_LIKE = {
    ZONEINFO: re.compile(r"per-node stats|pages free\b.*|Node \d+, zone \w+"),
    PAGETYPEINFO: re.compile(r"Page block order:.*|Pages per block:.*|Node.*, type .*"),
    BUDDYINFO: re.compile(r"Node \d+, zone \w+( [0-9]+)+"),
    "/proc/meminfo": re.compile(r"\w+(\(\w+\))?: \d+ kB"),
    "/proc/vmstat": re.compile(r"nr_\w+ \d+"),
}


class PasteError(ValueError):
    """A pasted text that can't be read; the message is one sentence for the user."""


class Line(NamedTuple):
    """A line with something on it, its words one blank apart; `number` counts all lines from 1."""

    number: int
    text: str


def lines_of(text: str, file: str) -> list[Line]:
    """The lines of a text of `file`, without blank ones and prompts; PasteError if none is left."""
    if not isinstance(text, str):
        raise PasteError(
            f"this is {type(text).__name__} instead of text: "
            f"give what 'cat {file}' prints, in quotes"
        )
    if len(text) > CHARS_MAX:
        raise PasteError(
            f"this text has {len(text)} characters, more than {CHARS_MAX}: paste {file} alone"
        )
    lines = [
        Line(number, " ".join(line.split()))
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1)
        if line.split()
    ]
    while lines and _PROMPT.fullmatch(lines[0].text):
        lines.pop(0)
    while lines and _PROMPT.fullmatch(lines[-1].text):
        lines.pop()
    if not lines:
        raise PasteError(f"line 1: there is no text here: paste what 'cat {file}' prints")
    return lines


def file_of(text: str) -> str:
    """Which of the three files this text is, /proc/buddyinfo if nothing speaks for another one."""
    ours = (ZONEINFO, PAGETYPEINFO, BUDDYINFO)
    for line in lines_of(text, BUDDYINFO):
        for file in ours:
            if _LOOKS_LIKE[file].fullmatch(line.text):
                return file
    return next((file for file in ours if file in text), BUDDYINFO)


def count(line: Line, word: str, what: str) -> int:
    """`word` as a number, 0 or more; PasteError that names `what` it should be."""
    if _COUNT.fullmatch(word):
        return int(word)
    raise PasteError(
        f"line {line.number}: {word[:SHOWN_MAX]!r} is not {what}, which is 0 or more: "
        "paste the text again, unchanged"
    )


def refuse(line: Line, file: str, where: str = "") -> NoReturn:
    """PasteError for a line that does not belong into `file`, with the likeliest reason."""
    place = f"line {line.number}: "
    if "permission denied" in line.text.lower():
        raise PasteError(
            f"{place}only root may read {file} there: paste what 'sudo cat {file}' prints"
        )
    other = next((name for name, form in _LOOKS_LIKE.items() if form.fullmatch(line.text)), file)
    if other != file:
        raise PasteError(
            f"{place}this looks like {other}: paste what 'cat {file}' prints, and nothing else"
        )
    raise PasteError(
        f"{place}{line.text[:SHOWN_MAX]!r} is no line of {file}{where}: "
        f"paste all that 'cat {file}' prints, and nothing else"
    )


# -- lines that begin with a node and a zone


def key_of(line: Line, match: re.Match[str], first: dict[Key, Line]) -> Key:
    """Node and zone of a line; PasteError if an earlier line has both."""
    key = (int(match[1]), match[2])
    if key in first:
        raise PasteError(
            f"line {line.number}: node {key[0]}, zone {key[1]} stands in line "
            f"{first[key].number} already: paste one reading, not several"
        )
    first[key] = line
    return key


def check_orders(line: Line, found: int, model: Line, expected: int | None) -> None:
    """As many counts as in the line `model`, or a number of orders that a kernel may have."""
    place = f"line {line.number}: there are {found} counts here"
    if expected is not None and found != expected:
        raise PasteError(
            f"{place} where line {model.number} has {expected}: one of the two lines is not "
            "whole, paste all of it again"
        )
    if expected is None and not ORDERS_MIN <= found <= ORDERS_MAX:
        raise PasteError(
            f"{place}, one for each order makes {ORDERS_MIN} to {ORDERS_MAX}: the line is not "
            "whole, paste all of it again"
        )
