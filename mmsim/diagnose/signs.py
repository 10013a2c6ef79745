"""What to look at next: how paths can be told apart that the given counters can't tell apart.

Interface: next_counters, signs, hints

The differences are found, not known: the counters that paths would move, and what return probes and
tracepoints would show of their runs in the model.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmsim import errno
from mmsim.diagnose.explain import Diagnosis, Group, Path
from mmsim.diagnose.family import EVIDENCE
from mmsim.probe import marks
from mmsim.scenarios.situation import MISSED, NOT_MOVED, NOT_SPLIT, SINGLE

_PROBES = {
    "split_ret": ("ret", "return probe on split_huge_page_to_list()"),
    "return": ("return", "return probe on migrate_pages()"),
}
_REFERENCE = (
    "who refers to the page: the trace events page_ref (CONFIG_DEBUG_PAGE_REF), and what else ran "
    "at that time"
)
_HINTS = {
    NOT_SPLIT: _REFERENCE,
    NOT_MOVED: _REFERENCE,
    SINGLE: f"{_REFERENCE}; a page that waits in a per-CPU batch looks the same",
    MISSED: "which single pages are left in CMA: their lock or a reference was taken in passing",
}


def next_counters(groups: Sequence[Group], unknown: Sequence[str]) -> dict[str, list[int]]:
    """Counters that were not given and would differ: name -> its value in each group."""
    found = {name: [group.counters[name] for group in groups] for name in EVIDENCE}
    return {name: n for name, n in found.items() if name in unknown and len(set(n)) > 1}


def signs(group: Group) -> dict[str, list[str]]:
    """What is to be seen of the paths of a group and differs: where -> what, path by path."""
    seen = [_seen(path) for path in group.paths]
    where = dict.fromkeys(name for each in seen for name in each)
    rows = {name: [each.get(name, "not called") for each in seen] for name in where}
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def _seen(path: Path) -> dict[str, str]:
    found = {"tracepoint mm_migrate_pages, field reason": path.fate.reason}
    for mark in marks(path.fate.trace()):
        if mark.kind in _PROBES:
            field, name = _PROBES[mark.kind]
            said = errno.name(int(mark.fields[field]))
            found[name] = (
                said if name not in found or said in found[name] else f"{found[name]}, {said}"
            )
    return found


def hints(diagnosis: Diagnosis) -> list[str]:
    """Sentences about the simplest group: where to look, and what ran at the same time."""
    if not diagnosis.groups:
        return []
    first = diagnosis.groups[0].paths[0]
    others = diagnosis.delta.others
    found = [f"look for {hint}" for hint in [_HINTS.get(first.fate.outcome)] if hint]
    if found and others.get("drop_pagecache"):
        found.append(
            f"drop_pagecache moved by {others['drop_pagecache']}: drop_caches ran, and in the "
            "model it has such a reference for a while (mmsim run pin_versus)"
        )
    if first.singles and any(others.get(name) for name in ("compact_stall", "compact_success")):
        found.append("compaction ran; it moves single pages, and pgmigrate_success counts them too")
    return found
