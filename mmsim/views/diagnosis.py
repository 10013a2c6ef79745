"""A diagnosis in words: what explains the counters, how to see it happen, what to look at next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

from mmsim import errno
from mmsim.amounts import plural, times
from mmsim.constants import HPAGE_PMD_NR, HPAGE_PMD_ORDER
from mmsim.evidence.counters import EVIDENCE, PAGES, Delta
from mmsim.evidence.diagnose import (
    NEVER_SPLITS,
    OTHER,
    PIN,
    SPLIT_FAILED,
    Diagnosis,
    Explanation,
    Group,
    left_over,
    moved_singly,
)
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.situation import MISSED, NOT_MOVED, NOT_SPLIT, PINNED, SINGLE
from mmsim.views.flow import FlowCounts, count_flow
from mmsim.views.words import command_words, in_a_row

GROUPS_MAX, PATHS_MAX = 4, 10
"""So many groups, and paths of a group, are shown unless everything is asked for."""
LETTERS = [*ascii_lowercase, *(a + b for a in ascii_lowercase for b in ascii_lowercase)]
IGNORED_MAX = 8
NO_PATH = "No path of the model explains this."
SEARCHED = (
    "pins and other migrations of one single page or up to three huge pages, and CMA requests, in"
)
RARER = "Rarer situations were not searched, as these explain everything (mmsim diagnose --all)."


# -- a path


def command(path: Explanation) -> str:
    """The command that replays the run of this path; a split is shown on a page of two pages."""
    run, setting = path.run, path.run.setting
    knobs = {"order": HPAGE_PMD_ORDER, **setting.knobs}
    if run.counters["thp_migration_split"]:
        knobs["order"] = 1
    verb, schedule = ("replay", f' "{run.schedule}"') if setting.searched else ("run", "")
    return command_words(verb, setting.scenario, path.versions[0], knobs) + schedule


def path_words(path: Explanation, reason: str = "") -> str:
    """What happens, in one sentence.  `reason`: for whom, if a trace said it."""
    said = [_caller(path, reason), *_course(count_flow(path.run.trace()), path)]
    if path.times > 1:
        said.append(f"and all that {path.times} times")
    return "; ".join([*said, *_beside(path, reason)])


def _caller(path: Explanation, reason: str) -> str:
    if path.run.setting.scenario == "cma_alloc":
        return "the owner of a CMA area asks for memory"
    if reason == OTHER:
        return f"the owner of a CMA area ({OTHER})"
    if reason and path.run.reason == OTHER:
        return f"a migration for {reason}"
    return _CALLERS[path.run.reason]


def _course(t: FlowCounts, path: Explanation) -> list[str]:
    trouble = _TROUBLES.get(str(path.run.setting.knobs.get("trouble")))
    single = "moved" if path.run.counters["pgmigrate_success"] else "busy in every pass"
    untried = t.split and not t.pieces_visited
    refused, either = "the split is refused", t.at_check + t.at_freeze
    busy = f"{plural(t.missed, 'piece')} busy in the one pass that pieces have"
    parts = (
        (t.busy, f"a huge page is busy in {plural(t.busy, 'pass', 'passes')}"),
        (t.moved, "a huge page is moved whole"),
        (t.no_target, "no huge page is free"),
        (t.no_target - t.tried, "this caller never splits"),
        # Once the page is split, its mappings are gone either way, and nothing tells these apart.
        (t.split and either, f"{refused} {times(either)}, at the reference check or at the freeze"),
        (not t.split and t.at_check, f"{refused} {times(t.at_check)} at the reference check"),
        (not t.split and t.at_freeze, f"{refused} {times(t.at_freeze)} at the freeze"),
        (t.before_check, f"{refused} {times(t.before_check)} ({trouble})"),
        (t.split, f"{plural(t.split, 'huge page')} split"),
        (untried, "the pieces are never tried"),
        (t.split and not untried and t.missed, busy),
        (not path.run.is_huge, f"a single page is {single}"),
        (1, _result(path)),
    )
    return [words for holds, words in parts if holds]


def _result(path: Explanation) -> str:
    """What is returned; how many pages were pinned depends on their size and is left out."""
    codes = in_a_row([errno.name(rc) for rc in path.run.returns])
    trace = path.run.trace()
    situation, main = path.run.situation(), path.run.situation().main
    rc = trace.results[main]
    if main == "migrate":
        return f"migrate_pages() returns {codes}"
    result = "succeeds" if situation.aim.succeeds(rc) else f"fails with {errno.name(rc)}"
    return f"migrate_pages() returns {codes}, and the {_ASKER[main]} {result}"


_ASKER = {"pin": "pin", "owner": "request"}
_CALLERS = {
    PIN: "a long-term pin",
    OTHER: f"a migration for any other reason, {OTHER} for instance",
    NEVER_SPLITS: f"a migration for {NEVER_SPLITS}",
}
_TROUBLES = {
    "truncated": "the page had left its file",
    "nomem": "no memory for nodes of the page cache",
    "writeback": "the page is written back, which is not counted as a refusal",
}


def _beside(path: Explanation, reason: str) -> list[str]:
    parts = (
        (path.whole, "more huge page moved whole", "more huge pages moved whole"),
        (path.split, "more huge page split and moved", "more huge pages split and moved"),
        (path.pieces, "more piece busy", "more pieces busy"),
    )
    said = [plural(n, one, many) for n, one, many in parts if n]
    found = [f"beside it {', '.join(said)}"] if said else []
    who = "in other calls" if reason else "by others"
    return [*found, *([f"beside it, {who}: {_others(path.others)}"] if path.others else [])]


_OTHERS = {
    "pgmigrate_success": ("single page moved", "single pages moved"),
    "pgmigrate_fail": ("single page not moved", "single pages not moved"),
    "thp_migration_success": ("huge page moved whole", "huge pages moved whole"),
    "thp_split_page": ("huge page split", "huge pages split"),
    "thp_split_page_failed": ("split refused", "splits refused"),
    "thp_split_pmd": ("mapping of a huge page split", "mappings of huge pages split"),
}


def _others(moved: Mapping[str, int]) -> str:
    """What counters say of others."""
    said = [plural(n, *_OTHERS[name]) for name, n in moved.items() if n and name in _OTHERS]
    failed = moved.get("cma_alloc_fail", 0)
    if requests := moved.get("cma_alloc_success", 0) + failed:
        which = f", {failed:,} of which failed" if failed < requests else " that failed"
        asked = plural(requests, "request to CMA areas", "requests to CMA areas")
        said.append(asked + which if failed else asked)
    return ", ".join(said)


def by_others_words(delta: Delta) -> str:
    """What moved if nothing speaks of a failed pin: what others do all the time."""
    moved = delta.moved | {PAGES[0]: moved_singly(delta)}
    only = all(name.startswith("cma_") for name in delta.moved)
    lines = [f"{_others(moved)[:1].upper()}{_others(moved)[1:]}, by anybody."]
    if only and delta.given.get("cma_alloc_fail") and all(delta.given.get(n) == 0 for n in PAGES):
        lines.append(
            "No page was tried: the area had no free run that was long enough, and the request "
            "returns -ENOMEM (-12). Or a page could not even be isolated, and it returns -EBUSY."
        )
    who = [f"{says[0].upper()}{says[1:]}." for says in _ran(delta)]
    return " ".join([*lines, *who, "Nothing here speaks of a long-term pin."])


# -- what to look at next
#
# The differences are found, not known: the counters that paths would move, and what return probes
# and tracepoints would show of their runs in the model.


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


def _next_counters(groups: Sequence[Group], unknown: Sequence[str]) -> dict[str, list[int]]:
    """Counters that were not given and would differ: name -> its value in each group."""
    found = {name: [group.counters[name] for group in groups] for name in EVIDENCE}
    return {name: n for name, n in found.items() if name in unknown and len(set(n)) > 1}


def _signs(group: Group) -> dict[str, list[str]]:
    """What is to be seen of the paths of a group and differs: where -> what, path by path."""
    seen = [_seen(path) for path in group.paths]
    where = dict.fromkeys(name for each in seen for name in each)
    rows = {name: [each.get(name, "not called") for each in seen] for name in where}
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def _seen(path: Explanation) -> dict[str, str]:
    splits = [e.notes["ret"] for e in path.run.trace().events if e.site == "split.unlock"]
    probes = {"split_huge_page_to_list": splits, "migrate_pages": path.run.returns}
    found = {"tracepoint mm_migrate_pages, field reason": path.run.reason}
    for function, codes in probes.items():
        if codes:
            said = ", ".join(dict.fromkeys(map(errno.name, codes)))
            found[f"return probe on {function}()"] = said
    return found


# What else ran, as a counter of others says, and what it does to the counters of pages.
_RAN = {
    "compact_daemon_": "compaction ran (kcompactd)",
    "compact_stall": "compaction ran for somebody who asked for memory",
    "compact_": "compaction ran",
    "numa_pages_migrated": "NUMA balancing moved pages",
    "pgdemote": "memory was demoted to another node",
    "pgpromote": "memory was promoted to another node",
}


def _ran(delta: Delta) -> list[str]:
    """What else moves pages and ran, in words."""
    found = {
        next((says for begins, says in _RAN.items() if name.startswith(begins)), "")
        for name, n in delta.others.items()
        if n > 0
    }
    if len(found & set(list(_RAN.values())[:3])) > 1:
        found.discard(_RAN["compact_"])
    return [says for says in _RAN.values() if says in found]


def _hints(diagnosis: Diagnosis) -> list[str]:
    """Sentences about the simplest group: where to look, and what ran at the same time."""
    delta, groups = diagnosis.delta, diagnosis.groups
    found = []
    if groups and not diagnosis.by_others:
        first = groups[0].paths[0]
        found = [f"look for {hint}" for hint in [_HINTS.get(first.run.outcome)] if hint]
        if found and delta.others.get("drop_pagecache"):
            found.append(
                f"drop_pagecache moved by {delta.others['drop_pagecache']}: drop_caches ran, and "
                "in the model it has such a reference for a while (mmsim run pin_versus)"
            )
        if first.run.reason == PIN and -errno.ENOMEM in first.run.returns:
            found.append(
                "a map that fails with -ENOMEM and moves none of these counters met another limit: "
                "RLIMIT_MEMLOCK, or vfio_iommu_type1.dma_entry_limit mappings"
            )
    if diagnosis.by_others or left_over(groups) & {*PAGES}:
        found += [
            f"{says}; it moves single pages, and pgmigrate_* count them" for says in _ran(delta)
        ]
    if delta.given.get(SPLIT_FAILED) and (diagnosis.by_others or SPLIT_FAILED in left_over(groups)):
        found.append(
            "reclaim and the queue of later splits try splits, too, and count refused ones"
        )
    if diagnosis.by_others and delta.given.get("cma_alloc_fail"):
        found.append(
            "the kernel log says of each failed request what it returned: -16 (pages were tried, "
            "one stayed busy) or -12 (no free run long enough, or no memory for a page to move to)"
        )
    elif diagnosis.by_others and delta.given.get("pgmigrate_fail"):
        found.append("the trace event mm_migrate_pages tells for whom pages were migrated")
    return found


# -- all of it


def _signed(counters: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:+d}" for name, n in counters.items() if n) or "none"


def report(diagnosis: Diagnosis, groups_max: int | None = GROUPS_MAX) -> str:
    """The answer as text; `groups_max`: None for everything that fits."""
    parts = [_one(each, groups_max) for each in (diagnosis, *diagnosis.also)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _one(diagnosis: Diagnosis, groups_max: int | None) -> str:
    delta = diagnosis.delta
    whom = f" for {delta.reason}" if delta.reason else ""
    lines = [f"Moved{whom}: {_signed(delta.given)}."]
    if delta.unknown:
        lines.append(f"Not given, so not known: {', '.join(delta.unknown)}.")
    if delta.others:
        names = list(delta.others)
        more = f" and {len(names) - IGNORED_MAX} more" if len(names) > IGNORED_MAX else ""
        lines.append(f"Ignored: {', '.join(names[:IGNORED_MAX])}{more}.")
    lines += delta.notes
    if not delta.moved:
        return "\n".join([*lines, "", "Nothing that the model counts has moved."])
    most = None if groups_max is None else PATHS_MAX
    shown = tuple(g._replace(paths=g.paths[:most]) for g in diagnosis.groups[:groups_max])
    first = shown[0].paths[0] if shown else None
    if diagnosis.by_others:
        lines += ["", by_others_words(delta)]
        exact = first and first.run.is_huge and first.times == 1 and not first.others
        failed = first and first.run.outcome != PINNED.outcome
        shown = shown if (exact and failed) or groups_max is None else ()
    elif first is None:
        return "\n".join([*lines, "", *_no_path(diagnosis)])
    if shown:
        lines += ["", f"Searched: {SEARCHED} {', '.join(diagnosis.versions)}."]
        lines += [_simplest(diagnosis)]
    for number, group in enumerate(shown, start=1):
        lines += ["", *_group(number, group, diagnosis)]
    if shown and len(diagnosis.groups) > len(shown):
        more = plural(len(diagnosis.groups) - len(shown), "more group")
        lines += ["", f"And {more} of paths, less simple."]
    lines += ["", *_next(diagnosis, shown)]
    if shown and not diagnosis.complete:
        lines += ["", RARER]
    return "\n".join(lines)


def _simplest(diagnosis: Diagnosis) -> str:
    first = diagnosis.groups[0].paths[0]
    number = sum(len(group.paths) for group in diagnosis.groups)
    which = f"One of {number:,} paths that fit; the simplest" if number > 1 else "One path fits"
    if diagnosis.by_others:
        which = f"If a pin or a request is known to have failed: {which[0].lower()}{which[1:]}"
    said = f"{which}, in {_versions(first)}: {path_words(first, diagnosis.delta.reason)}."
    if first.size != HPAGE_PMD_NR:
        said += (
            f" A huge page is taken to have {first.size:,} pages; with {HPAGE_PMD_NR} less fits."
        )
    return said


def _no_path(diagnosis: Diagnosis) -> list[str]:
    lines = [f"{NO_PATH} Tried: {', '.join(diagnosis.versions)}."]
    if diagnosis.nearest is not None:
        path, wrong = diagnosis.nearest
        lines.append(f"Nearest, in {path.versions[0]}: {path_words(path, diagnosis.delta.reason)}.")
        lines += [f"  {name} would be {has}, not {n}" for name, (n, has) in wrong.items()]
    return lines


def _group(number: int, group: Group, diagnosis: Diagnosis) -> list[str]:
    missing = {n: group.counters[n] for n in diagnosis.delta.unknown if group.counters[n]}
    each = "each also moves" if len(group.paths) > 1 else "it also moves"
    also = f"; {each} {_signed(missing)}" if missing else ""
    paths = plural(len(diagnosis.groups[number - 1].paths), "path")
    apart = " that counters can't tell apart" if len(group.paths) > 1 else ""
    lines = [f"{number}. {paths}{apart}{also}"]
    for letter, path in zip(LETTERS, group.paths, strict=False):
        said = path_words(path, diagnosis.delta.reason)
        lines.append(f"   {letter}) {_versions(path)}: {said}")
        lines.append(f"      {command(path)}")
    if more := len(diagnosis.groups[number - 1].paths) - len(group.paths):
        lines.append(f"   And {more} more (mmsim diagnose --all).")
    return lines


def _versions(path: Explanation) -> str:
    every = set(path.versions) == set(VERSIONS)
    return "every version" if every else ", ".join(path.versions)


def _next(diagnosis: Diagnosis, shown: tuple[Group, ...]) -> list[str]:
    lines = []
    numbers = [str(number) for number in range(1, len(shown) + 1)]
    for name, values in _next_counters(shown, diagnosis.delta.unknown).items():
        lines.append(f"  {name}: {_by_value(numbers, list(map(str, values)))}")
    letters = [f"1{letter}" for letter in LETTERS]
    for where, seen in _signs(shown[0]).items() if shown else ():
        lines.append(f"  {where}: {_by_value(letters, seen)}")
    lines += [f"  {hint}" for hint in _hints(diagnosis)]
    return ["What to look at next:", *lines] if lines else []


def _by_value(names: list[str], values: list[str]) -> str:
    """ "0 in 1, 3; 1 in 2"."""
    found: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=False):
        found.setdefault(value, []).append(name)
    return "; ".join(f"{value} in {', '.join(where)}" for value, where in found.items())


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Everything, for machines."""
    delta = diagnosis.delta

    def path(found: Explanation) -> dict[str, Any]:
        setting = found.run.setting
        return {
            **{n: getattr(found, n) for n in ("versions", "times", "whole", "split", "pieces")},
            "words": path_words(found, delta.reason),
            "command": command(found),
            "outcome": found.run.outcome,
            "scenario": setting.scenario,
            "knobs": {name: str(value) for name, value in setting.knobs.items()},
            "schedule": found.run.schedule,
            "others": dict(found.others),
            "pages_of_a_huge_page": found.size,
        }

    def group(found: Group) -> dict[str, Any]:
        paths = [*map(path, found.paths)]
        return {"counters": found.counters, "paths": paths, "tell_apart": _signs(found)}

    return {
        "given": delta.given,
        "unknown": list(delta.unknown),
        "ignored": delta.others,
        "notes": list(delta.notes),
        "reason": delta.reason,
        "by_others": by_others_words(delta) if diagnosis.by_others else "",
        "versions": list(diagnosis.versions),
        "explained": diagnosis.explained,
        "complete": diagnosis.complete,
        "groups": [*map(group, diagnosis.groups)],
        "next_counters": _next_counters(diagnosis.groups, delta.unknown),
        "hints": _hints(diagnosis),
        "also": [as_json(each) for each in diagnosis.also],
    }
