"""Four suspects of the report: what each of them is, and the situation in which it is to blame.

Interface: SUSPECTS, Suspect, suspect
"""

from __future__ import annotations

from typing import NamedTuple

from mmsim.scenarios import Situation, make


class Suspect(NamedTuple):
    """Something that can keep a huge page from being split, and how to set it up."""

    what: str
    knobs: dict[str, object]


SUSPECTS = {
    "reference": Suspect("somebody else holds a reference on the huge page", {}),
    "truncated": Suspect(
        "the file was shortened just now, and the huge page no longer belongs to it",
        {"stranger": 0, "trouble": "truncated"},
    ),
    "nomem": Suspect(
        "512 small pages need more room in the file's list of pages, and there is no memory for it",
        {"stranger": 0, "trouble": "nomem"},
    ),
    "writeback": Suspect(
        "the huge page is being written to disk or swap",
        {"stranger": 0, "trouble": "writeback"},
    ),
}


def suspect(name: str) -> Situation:
    """The situation in which one suspect alone is to blame: base, no free huge page."""
    return make("vfio_map", "base", SUSPECTS[name].knobs)
