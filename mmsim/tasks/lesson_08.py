"""The tasks of lesson 08."""

from __future__ import annotations

from typing import Any

from mmsim.checks import Verdict, failed, letters, passed, task
from mmsim.evidence.ftrace import RealTrace
from mmsim.evidence.measured import RETRY, disturbed, rescued
from mmsim.policy import PolicyError, limited
from mmsim.practice.stalls import MOVABLE, PINNED_DOWN, Pinned, Rule, checked
from mmsim.practice.unnamed import EVENTS, LABELS, in_words, label, unnamed_trace
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.fates import MISSED, NOT_SPLIT
from mmsim.tasks.lesson_07 import UNTOUCHED
from mmsim.views.effect_chart import odds_beside_drop_caches

# -- recall

RECALL = {
    "window": (
        "b",
        "the window is (passes - 1) times the gap; a holder who stays longer mostly wins",
    ),
    "pieces": ("c", "a piece that is busy does not ask for another pass, in any version"),
    "proved": ("a", "he wrote probably, and nobody in the discussion proved it"),
}


letters(
    "08.recall",
    RECALL,
    "They are in lessons 07, 04 and 00.",
)


# -- which run was it?

RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "a": ("6.1.0", {"thps": 4}),
    "b": ("v3", {"thps": 4}),
    "c": ("v3", {"thps": 4, "stranger": 0}),
    "d": ("v3", {"thps": 4, "targets": "available"}),
}


def _differs(situation: Situation, real: RealTrace) -> str:
    """The first counter that speaks against a situation; empty if there is none."""
    found = situation.run().last.world.vmstat
    for name, measured in real.delta.items():
        if name in found and found[name] != measured:
            return f"{name} would be {found[name]}, and {measured} was measured"
    return ""


@task(
    "08.which",
    "one letter",
    "Look at pages first: 1,536 have moved. How many huge pages is that?",
    "One huge page has not moved, and its split was refused ten times.",
    parts=tuple(RUNS),
)
def which(letter: str) -> Verdict:
    """Judged by running the situation and comparing every counter."""
    version, knobs = RUNS[letter]
    why = _differs(vfio_map(version, **knobs), unnamed_trace())
    if why:
        return failed(f"{letter}: {why}")
    return passed(f"every counter agrees with {version}, {knobs['thps']} huge pages, one held")


# -- labels for lines


@task(
    "08.labels",
    "a dict: letter of a line -> what happens there, one of the nine",
    "rc=-12 is -ENOMEM, ret=-11 is -EAGAIN.",
    "B and C are about splits: compare ref, the references that were found, with 514.",
    "A: nothing free. D: seen, retry. E: the tracepoint with all counts. F: what the pin makes of "
    "it.",
    parts=dict.fromkeys(EVENTS, LABELS),
)
def labels(answer: dict[str, str]) -> Verdict:
    """Judged by the fields of each line."""
    lines = {line.number: line for line in unnamed_trace().lines}
    for letter, number in EVENTS.items():
        right = label(lines[number])
        if answer[letter] != right:
            return failed(f"{letter} says: {in_words(lines[number])}")
    return passed("all six; the model makes the same lines, in the same order")


# -- what the model has no word for

# In the model's run of the same situation there is such a number: yes or no, and why.
GAPS = {
    "duration": (
        True,
        "a step of vfio_map has no duration, and the emulated machine's is not real",
    ),
    "compaction": (True, "vfio_map says whether a huge page is free, not how one is looked for"),
    "machine": (True, "the counter is the whole machine's, and the model has one pin in it"),
    "references": (False, "515 and the 514 expected are in the model's run, too"),
    "passes": (False, "the model's run has the same passes, with the same pages seen"),
    "returned": (False, "what migrate_pages() returned is compared line by line"),
}


@task(
    "08.gaps",
    "a dict: what was measured -> True if the model's run has nothing to compare it with",
    "Look through the lines that were compared: which of the six is not among them?",
    "Three of the six are gaps. Which ones depend on more than the pin itself?",
    "Time, the search for a free huge page, and whatever else the machine did.",
    parts=dict.fromkeys(GAPS, bool),
)
def gaps(answer: dict[str, bool]) -> Verdict:
    """Three gaps of the model, and three that are none."""
    for name, (gap, why) in GAPS.items():
        if answer[name] is not gap:
            return failed(f"{name}: {why}")
    return passed("time, compaction, and the rest of the machine")


# -- a missing rule

AMONG = {PINNED_DOWN: "among pages that can't move", MOVABLE: "among pages that can"}


@task(
    "08.rule",
    "a function of a finished pin that returns a whole number",
    "A huge page is looked for once in each attempt to move one.",
    "Each attempt that finds none ends in a split, refused or not. How many stalls for each?",
    "2 * (pin.thp_split_page + pin.thp_split_page_failed)",
)
def rule(answer: Rule) -> Verdict:
    """Judged by every measured pin under real fragmentation."""
    said = []

    def asked(pin: Pinned) -> int:
        said.append(limited("rule", answer, pin))
        return said[-1]  # type: ignore[no-any-return]

    try:
        found = {mode: checked(asked, mode) for mode in AMONG}
    except PolicyError as error:
        return failed(str(error))
    if set(said) == {None}:
        return UNTOUCHED
    odd = next((number for number in said if not isinstance(number, int | float)), None)
    if odd is not None:
        return failed(f"your rule should return a whole number, and it returned {odd!r:.40}")
    for mode, each in found.items():
        if each.right < 0.98 * each.rows and each.wrong:
            moved = (f"{name} {n}" for name, n in each.wrong.pin._asdict().items() if n)
            return failed(
                f"{each} {AMONG[mode]}; with {', '.join(moved) or 'no count'} your rule gives "
                f"{each.wrong.said}, and {each.wrong.measured} was measured"
            )
    fixed, movable = found[PINNED_DOWN], found[MOVABLE]
    left = fixed.rows - fixed.right + movable.rows - movable.right
    return passed(
        f"{fixed} {AMONG[PINNED_DOWN]}, {movable} {AMONG[MOVABLE]}; {left} need another reason"
    )


# -- what is left behind


@task(
    "08.left",
    "one of the words none, a third, most, all",
    "Ten passes help a huge page whose split is refused. Did more of the v2 pins succeed?",
    "What gets one pass only, also in v2? See `pieces` in the recall.",
    parts=("none", "a third", "most", "all"),
)
def left(answer: str) -> Verdict:
    """After how many of the failed v2 pins was a huge page still whole?"""
    pins = disturbed("v2")
    parts = {"none": 0.0, "a third": 1 / 3, "most": 0.8, "all": 1.0}
    part = pins.huge_page_left / pins.failed.hits
    nearest = min(parts, key=lambda word: abs(parts[word] - part))
    if answer != nearest:
        less = part < parts[answer]
        return failed(f"{answer} of them would be too {'many' if less else 'few'}")
    return passed(f"{pins.huge_page_left} of {pins.failed.hits} failed pins left a huge page whole")


# -- the same in the model

CHANGES = {
    "v3, could not be split": ("6.1.0", "v3", NOT_SPLIT),
    "v3, a piece missed its pass": ("6.1.0", "v3", MISSED),
    "subpage_retry, could not be split": ("v3", "subpage_retry", NOT_SPLIT),
    "subpage_retry, a piece missed its pass": ("v3", "subpage_retry", MISSED),
}


@task(
    "08.columns",
    "a dict: what -> True if it becomes less likely",
    "What is tried again in v3, and what in subpage_retry?",
    "v3 tries huge pages again, before the split. subpage_retry adds the pieces, after it.",
    parts=dict.fromkeys(CHANGES, bool),
)
def columns(answer: dict[str, bool]) -> Verdict:
    """Judged by exact odds, over every order of steps."""
    versions = {version for before, after, _ in CHANGES.values() for version in (before, after)}
    odds = {version: odds_beside_drop_caches(version) for version in versions}
    for name, (before, after, fate) in CHANGES.items():
        was, now = odds[before][fate], odds[after][fate]
        if answer[name] is not (now < was):
            percent = [f"{float(100 * each):.2f} %" for each in (was, now)]
            return failed(f"{name}: {percent[0]} in {before}, {percent[1]} in {after}")
    same = odds["6.1.0"][MISSED]
    return passed(
        "each change helps against one way to fail, and leaves the other exactly as it was",
        f"a piece misses its pass with the same odds before and after: {float(100 * same):.4f} %",
    )


# -- what the data support

MILLISECOND_US = 1000


def _supported() -> dict[str, tuple[bool, str]]:
    base, v2, retried = (disturbed(kind) for kind in ("base", "v2", RETRY))
    apart = abs(base.failed.part - v2.failed.part)
    inside = base.failed.interval[0] < v2.failed.part < base.failed.interval[1]
    helped = rescued("v2", "injected")
    early = rescued("v2", "injected", MILLISECOND_US)
    return {
        "same": (inside, f"base {base.failed}, v2 {v2.failed}: {100 * apart:.1f} points apart"),
        "useless": (
            False,
            f"with one reference, dropped at any time, v2 rescued {helped}, base none "
            f"(dropped within a millisecond: {early})",
        ),
        "rate": (False, "the rates depend on how fast this machine is, and how often it was asked"),
        "reporter": (False, "his counters show a refused split, and nobody measured his machine"),
        "second": (
            v2.only_pieces_left > 0.95 * v2.failed.hits,
            f"after {v2.only_pieces_left} of {v2.failed.hits} every huge page had been split",
        ),
        "pieces": (
            retried.failed.part < 0.05 * v2.failed.part,
            f"with the switch {retried.failed}, without it {v2.failed}",
        ),
    }


SUPPORT = ("same", "useless", "rate", "reporter", "second", "pieces")


@task(
    "08.support",
    "a dict: statement -> True if the measured rows support it",
    "A statement about another machine needs a measurement there.",
    "Three are supported: they speak of these pins, on this machine, and no more.",
    parts=dict.fromkeys(SUPPORT, bool),
)
def support(answer: dict[str, bool]) -> Verdict:
    """Judged by the measured rows, where they can say anything."""
    found = _supported()
    for name in SUPPORT:
        true, why = found[name]
        if answer[name] is not true:
            return failed(f"{name}: {why}")
    return passed("all six", "\n".join(f"{name}: {found[name][1]}" for name in SUPPORT))
