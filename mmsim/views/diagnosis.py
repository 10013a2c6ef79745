"""A diagnosis in words: what explains the counters, how to see it happen, what to look at next.

Interface: report, as_json, path_words, command, GROUPS_MAX, GROUPS_FEW
"""

from __future__ import annotations

import textwrap
from typing import Any

from mmsim import errno
from mmsim.constants import HPAGE_PMD_ORDER
from mmsim.engine.schedule import render
from mmsim.evidence.diagnose import (
    NEVER_SPLITS,
    OTHER,
    PIN,
    Diagnosis,
    Group,
    Path,
    hints,
    next_counters,
    signs,
)
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS
from mmsim.views.flow import Taken, taken
from mmsim.views.tables import in_a_row
from mmsim.views.words import plural

GROUPS_MAX, GROUPS_FEW = 4, 2
LETTERS = "abcdefghijklmnopqrstuvwxyz"
IGNORED_MAX = 8
NO_PATH = "No path of the model explains this."
RARER = "Rarer situations were not searched, as these explain everything (mmsim diagnose --all)."


# -- a path


def command(path: Path) -> str:
    """The command that replays the fate of this path; a split is shown on a page of two pages."""
    fate, setting = path.fate, path.fate.setting
    knobs = {"order": HPAGE_PMD_ORDER, **setting.knobs}
    if fate.units["thp_migration_split"]:
        knobs["order"] = 1
    defaults = {knob.name: str(knob.default) for knob in SCENARIOS[setting.scenario].knobs}
    sets = [
        f"--set {name}={value}"
        for name, value in knobs.items()
        if defaults.get(name, str(value)) != str(value)
    ]
    schedule = [f'"{render(fate.moves)}"'] if setting.searched else []
    verb = "replay" if setting.searched else "run"
    words = ["mmsim", verb, setting.scenario, "--version", path.versions[0], *sets, *schedule]
    return " ".join(words)


def path_words(path: Path) -> str:
    """What happens, in one sentence."""
    said = [_caller(path), *_course(taken(path.fate.trace()), path)]
    if path.times > 1:
        said.append(f"and all that {path.times} times")
    return "; ".join([*said, *_beside(path)])


def _caller(path: Path) -> str:
    if path.fate.setting.scenario == "cma_alloc":
        return "the owner of a CMA area asks for memory"
    return _CALLERS[path.fate.reason]


def _course(t: Taken, path: Path) -> list[str]:
    trouble = path.fate.setting.knobs.get("trouble")
    said = []
    if t.busy:
        said.append(f"a huge page is busy in {plural(t.busy, 'pass', 'passes')}")
    if t.moved:
        said.append("a huge page is moved whole")
    if t.no_target:
        said.append("no huge page is free")
    if t.no_target > t.tried:
        said.append("this caller never splits")
    said += _refused(t)
    if t.before_check:
        said.append(f"the split is refused {_times(t.before_check)} ({_TROUBLES[str(trouble)]})")
    if t.split:
        said.append(f"{plural(t.split, 'huge page')} split")
    if t.split and not t.pieces_visited:
        said.append("the pieces are never tried")
    elif t.split and t.missed:
        said.append(f"{plural(t.missed, 'piece')} busy in the one pass that pieces have")
    if not path.fate.is_huge:
        moved = path.fate.counters["pgmigrate_success"]
        said.append("a single page is moved" if moved else "a single page is busy in every pass")
    return [*said, _result(path)]


def _refused(t: Taken) -> list[str]:
    """Where references refused a split.  Once the page is split, nothing tells the two places
    apart: its mappings are gone either way."""
    if t.split and (t.at_check or t.at_freeze):
        times = _times(t.at_check + t.at_freeze)
        return [f"the split is refused {times}, at the reference check or at the freeze"]
    places = ((t.at_check, "reference check"), (t.at_freeze, "freeze"))
    return [f"the split is refused {_times(n)} at the {place}" for n, place in places if n]


def _result(path: Path) -> str:
    """What is returned; how many pages were pinned depends on their size and is left out."""
    codes = in_a_row([errno.name(rc) for rc in path.fate.returns])
    trace = path.fate.trace()
    situation, main = path.fate.situation(), path.fate.situation().main
    rc = trace.results[main]
    if main == "migrate":
        return f"migrate_pages() returns {codes}"
    result = "succeeds" if situation.aim.reached(rc) else f"fails with {errno.name(rc)}"
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


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def _beside(path: Path) -> list[str]:
    parts = (
        (path.whole, "more huge page moved whole", "more huge pages moved whole"),
        (path.split, "more huge page split and moved", "more huge pages split and moved"),
        (path.pieces, "more piece busy", "more pieces busy"),
        (path.singles, "single page moved, by anybody", "single pages moved, by anybody"),
        (path.owners, "request to another CMA area", "requests to other CMA areas"),
    )
    said = [plural(n, one, many) for n, one, many in parts if n]
    return [f"beside it {', '.join(said)}"] if said else []


# -- all of it


def _signed(counters: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:+d}" for name, n in counters.items() if n) or "none"


def report(diagnosis: Diagnosis, width: int = 0, groups_max: int = GROUPS_MAX) -> str:
    """The answer as text; sentences are wrapped at `width`, commands are not."""
    text = _report(diagnosis, groups_max)
    return _wrapped(text, width) if width else text


def _wrapped(text: str, width: int) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 3)
        whole = line.lstrip().startswith("mmsim ") or not line
        lines += [line] if whole else textwrap.wrap(line, width, subsequent_indent=indent)
    return "\n".join(lines) + "\n"


def _report(diagnosis: Diagnosis, groups_max: int) -> str:
    delta = diagnosis.delta
    lines = [f"Moved: {_signed(delta.given)}."]
    if delta.unknown:
        lines.append(f"Not given, so not known: {', '.join(delta.unknown)}.")
    if delta.others:
        names = list(delta.others)
        more = f" and {len(names) - IGNORED_MAX} more" if len(names) > IGNORED_MAX else ""
        lines.append(f"Ignored: {', '.join(names[:IGNORED_MAX])}{more}.")
    if not delta.moved:
        return "\n".join([*lines, "", "Nothing that the model counts has moved."]) + "\n"
    versions = ", ".join(diagnosis.versions)
    if not diagnosis.groups:
        return "\n".join([*lines, "", *_no_path(diagnosis, versions)]) + "\n"
    shown = diagnosis.groups[:groups_max]
    lines += ["", _simplest(diagnosis)]
    for number, group in enumerate(shown, start=1):
        lines += ["", *_group(number, group, diagnosis)]
    if len(diagnosis.groups) > len(shown):
        more = plural(len(diagnosis.groups) - len(shown), "more group")
        lines += ["", f"And {more} of paths, less simple."]
    lines += ["", *_next(diagnosis, shown)]
    if not diagnosis.complete:
        lines += ["", RARER]
    return "\n".join(lines).rstrip() + "\n"


def _simplest(diagnosis: Diagnosis) -> str:
    first = diagnosis.groups[0].paths[0]
    number = sum(len(group.paths) for group in diagnosis.groups)
    which = f"One of {number:,} paths that fit; the simplest" if number > 1 else "One path fits"
    return f"{which}, in {_versions(first)}: {path_words(first)}."


def _no_path(diagnosis: Diagnosis, versions: str) -> list[str]:
    lines = [f"{NO_PATH} Tried: {versions}."]
    if diagnosis.nearest is not None:
        path, wrong = diagnosis.nearest
        lines.append(f"Nearest, in {path.versions[0]}: {path_words(path)}.")
        lines += [f"  {name} would be {has}, not {n}" for name, (n, has) in wrong.items()]
    return lines


def _group(number: int, group: Group, diagnosis: Diagnosis) -> list[str]:
    missing = {n: group.counters[n] for n in diagnosis.delta.unknown if group.counters[n]}
    each = "each also moves" if len(group.paths) > 1 else "it also moves"
    also = f"; {each} {_signed(missing)}" if missing else ""
    paths = plural(len(group.paths), "path")
    apart = " that counters can't tell apart" if len(group.paths) > 1 else ""
    lines = [f"{number}. {paths}{apart}{also}"]
    for letter, path in zip(LETTERS, group.paths, strict=False):
        lines.append(f"   {letter}) {_versions(path)}: {path_words(path)}")
        lines.append(f"      {command(path)}")
    return lines


def _versions(path: Path) -> str:
    every = set(path.versions) == set(VERSIONS)
    return "every version" if every else ", ".join(path.versions)


def _next(diagnosis: Diagnosis, shown: tuple[Group, ...]) -> list[str]:
    lines = []
    numbers = [str(number) for number in range(1, len(shown) + 1)]
    for name, values in next_counters(shown, diagnosis.delta.unknown).items():
        lines.append(f"  {name}: {_by_value(numbers, list(map(str, values)))}")
    letters = [f"1{letter}" for letter in LETTERS]
    for where, seen in signs(shown[0]).items():
        lines.append(f"  {where}: {_by_value(letters, seen)}")
    lines += [f"  {hint}" for hint in hints(diagnosis)]
    return ["What to look at next:", *lines] if lines else []


def _by_value(names: list[str], values: list[str]) -> str:
    """ "0 in 1, 3; 1 in 2"."""
    found: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=False):
        found.setdefault(value, []).append(name)
    return "; ".join(f"{value} in {', '.join(where)}" for value, where in found.items())


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Everything, for machines."""
    delta, groups = diagnosis.delta, diagnosis.groups
    return {
        "given": delta.given,
        "unknown": list(delta.unknown),
        "ignored": delta.others,
        "versions": list(diagnosis.versions),
        "explained": diagnosis.explained,
        "complete": diagnosis.complete,
        "groups": [
            {
                "counters": group.counters,
                "paths": [
                    {
                        "versions": list(path.versions),
                        "words": path_words(path),
                        "outcome": path.fate.outcome,
                        "scenario": path.fate.setting.scenario,
                        "knobs": {k: str(v) for k, v in path.fate.setting.knobs.items()},
                        "schedule": render(path.fate.moves),
                        "command": command(path),
                        **dict(zip(Path._fields[2:], path.beside, strict=True)),
                    }
                    for path in group.paths
                ],
                "tell_apart": signs(group),
            }
            for group in groups
        ],
        "next_counters": next_counters(groups, delta.unknown),
        "hints": hints(diagnosis),
    }
