"""A trace whose set-up is not told: its counters, six of its lines, and what happens in them.

Interface: unnamed_trace, unnamed_lines, EVENTS, LABELS, label, in_words
"""

from __future__ import annotations

import textwrap

from mmsim import errno
from mmsim.evidence.ftrace import Line, RealTrace, raw_lines, real_trace

UNNAMED = "S3_held_4_v2_retfix1.txt"
LINE_MAX = 90
EVENTS = {"A": 17, "B": 19, "C": 22, "D": 29, "E": 67, "F": 70}
NO_HUGE, REFUSED, SPLIT = "no huge page is free", "a split is refused", "a split has worked"
PASS_ENDS, COUNTED = "a pass ends", "the call adds up its counters"
GIVES_UP = "the pin gives up"
LABELS = (
    NO_HUGE,
    REFUSED,
    SPLIT,
    PASS_ENDS,
    COUNTED,
    GIVES_UP,
    "a huge page has moved whole",
    "the stranger lets go",
    "memory is compacted",
)

SAID = {
    "thp": "one huge page was tried, and unmap_and_move() returned {rc}",
    "split": "a split found {ref} references, and returned {ret}",
    "loop": "pass {pass} has seen {seen} pages, and would like to try {thp_retry} of them again",
    "mm_migrate_pages": "{nr_succeeded} pages have moved in all, and {nr_failed} have failed",
    "gup_longterm": "{pinned} pages were found; moving them out of CMA gave {check_and_migrate}",
}
CODES = ("rc", "ret", "check_and_migrate")


def unnamed_trace() -> RealTrace:
    """A trace of a real kernel; what was set up is to be found out from its counters."""
    return real_trace(UNNAMED)


def unnamed_lines() -> None:
    """Print the six lines, each with its letter."""
    for letter, line in zip(EVENTS, raw_lines(UNNAMED, [*EVENTS.values()]), strict=True):
        print(textwrap.fill(f"{letter}  {line}", LINE_MAX, subsequent_indent="   "))


def label(line: Line) -> str:
    """What happens in a line of a trace, as one of LABELS."""
    if line.kind == "split":
        return REFUSED if line.fields["ret"] else SPLIT
    return {
        "thp": NO_HUGE,
        "loop": PASS_ENDS,
        "mm_migrate_pages": COUNTED,
        "gup_longterm": GIVES_UP,
    }[line.kind]


def in_words(line: Line) -> str:
    """What a line says, for people."""
    fields = {
        name: errno.name(int(value)) if name in CODES else value
        for name, value in line.fields.items()
    }
    return SAID[line.kind].format_map(fields)
