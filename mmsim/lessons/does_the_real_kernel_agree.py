"""Lesson 10: traces of a real kernel line by line, a missing rule, and why pins still fail on 6.12.

Interface: the cards which, labels, recall, agree, gaps, rule, still_failing, cause, changed,
support; the pictures measured, lines, stalls; and the names that the text fills in."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim import errno
from mmsim.datafiles import load_csv
from mmsim.engine.schedule import render
from mmsim.engine.trace import Trace
from mmsim.evidence.ftrace import Line, raw_lines, real_trace
from mmsim.evidence.measured import RETRY, Share, disturbed, rescued
from mmsim.lessons.card import Card, checked, keyed
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.scenarios import SMALL, pin_versus, vfio_map
from mmsim.scenarios.policy import PolicyError, limited
from mmsim.scenarios.situation import MISSED
from mmsim.views.show import Shown, Table, moment
from mmsim.views.tables import AGREES, DIFFERS, alignment, frame, measured_table
from mmsim.views.tables import labels as named
from mmsim.views.traces import agreements, aligned, differing, trace_names, trace_said

if TYPE_CHECKING:
    import pandas as pd


UNTOUCHED = Verdict("not attempted", "the function returns nothing yet")

# -- which run was it?

UNNAMED = "S3_held_4_v2_retfix1.txt"
unnamed = real_trace(UNNAMED)
measured = Shown(lambda: measured_table(unnamed))
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "a": ("6.1.0", {"thps": 4}),
    "b": ("v3", {"thps": 4}),
    "c": ("v3", {"thps": 4, "holder": 0}),
    "d": ("v3", {"thps": 4, "targets": "available"}),
}


def which_judged(letter: str) -> Verdict:
    """Judged by running the situation and comparing every counter."""
    version, knobs = RUNS[letter]
    found = vfio_map(version, **knobs).run().last.world.vmstat
    for name, value in unnamed.delta.items():
        if name in found and found[name] != value:
            return failed(f"{letter}: {name} would be {found[name]}, and {value} was measured")
    return passed(f"every counter agrees with {version}, {knobs['thps']} huge pages, one held")


which = Card(
    "which",
    "Which run of the model counts the same?\n"
    "If nothing else is said, a holder who never lets go has the first huge page.",
    Choices(
        {
            letter: ", ".join([version, *(f"{name}={value}" for name, value in knobs.items())])
            for letter, (version, knobs) in RUNS.items()
        }
    ),
    judge=which_judged,
    solution="b",
    hints=(
        "Look at pages first: 1,536 have moved. How many huge pages is that?",
        "One huge page has not moved, and its split was refused ten times.",
    ),
)


# -- line by line

EVENTS = {"A": 17, "B": 19, "C": 22, "D": 29, "E": 67, "F": 70}
LINE_MAX = 90
BY_KIND = {
    "thp": "no huge page is free",
    "loop": "a pass ends",
    "mm_migrate_pages": "the call adds up its counters",
    "gup_longterm": "the pin gives up",
}
REFUSED, SPLIT = "a split is refused", "a split has worked"
LABELS = (
    *BY_KIND.values(),
    REFUSED,
    SPLIT,
    "a huge page has moved whole",
    "the holder lets go",
    "memory is compacted",
)
SAID = {
    "thp": "one huge page was tried, and unmap_and_move() returned {rc}",
    "split": "a split found {ref} references, and returned {ret}",
    "loop": "pass {pass} has seen {seen} pages, and would like to try {thp_retry} of them again",
    "mm_migrate_pages": "{nr_succeeded} pages have moved in all, and {nr_failed} have failed",
    "gup_longterm": "{pinned} pages were found; moving them out of CMA gave {check_and_migrate}",
}


def lines_printed() -> str:
    """The six lines, each with its letter."""
    found = raw_lines(UNNAMED, [*EVENTS.values()])
    lines = (f"{letter}  {line}" for letter, line in zip(EVENTS, found, strict=True))
    return "\n".join(textwrap.fill(line, LINE_MAX, subsequent_indent="   ") for line in lines)


class Printed:
    """The six lines as they are, in type of one width."""

    def __repr__(self) -> str:
        return lines_printed()

    def _repr_html_(self) -> str:
        return f"<pre>{lines_printed()}</pre>"


lines = Shown(Printed)


def label(line: Line) -> str:
    """What happens in a line of a trace, as one of LABELS."""
    if line.kind == "split":
        return REFUSED if line.fields["ret"] else SPLIT
    return BY_KIND[line.kind]


def event(letter: str) -> Line:
    """One of the six lines."""
    return next(line for line in unnamed.lines if line.number == EVENTS[letter])


def in_words(line: Line) -> str:
    """What a line says, for people."""
    codes = ("rc", "ret", "check_and_migrate")
    fields = {n: errno.name(int(v)) if n in codes else v for n, v in line.fields.items()}
    return SAID[line.kind].format_map(fields)


labels = Card(
    "labels",
    "What happens in each of these lines?\nThree of the nine labels are left over.",
    dict.fromkeys(EVENTS, LABELS),
    judge=checked(
        lambda: {letter: label(event(letter)) for letter in EVENTS},
        lambda letter, _: f"the line says: {in_words(event(letter))}",
        lambda letter: label(event(letter)),
        "all six; the model makes the same lines, in the same order",
    ),
    solution={letter: label(event(letter)) for letter in EVENTS},
    hints=(
        "rc=-12 is -ENOMEM, ret=-11 is -EAGAIN.",
        "B and C are about splits: compare ref, the references that were found, with 514.",
        "A: nothing free. D: seen, retry. E: all counts. F: what the pin makes of it.",
    ),
)
recall = Card(
    "recall",
    "Three questions about earlier lessons, from memory.",
    {
        "busy": Choices(a="ten passes", b="another pass after a pause", c="no other pass"),
        "proved": Choices(a="never proved", b="proved by two counters", c="proved by the patch"),
        "batch": Choices(a="v2", b="a wait", c="a drain"),
    },
    labels={
        "busy": "A huge page has been split, and a piece is busy when its turn comes. It gets …",
        "proved": "That `drop_caches` had the reference in the reported failure was …",
        "batch": "A single page lies in a batch that nobody empties. What helps?",
    },
    judge=keyed(
        {
            "busy": ("c", "a piece that is busy does not ask for another pass, in any version"),
            "proved": ("a", "he wrote probably, and nobody in the discussion proved it"),
            "batch": ("c", "the batch keeps its reference until somebody empties it"),
        }
    ),
    solution={"busy": "c", "proved": "a", "batch": "c"},
    hints=("They are in lessons 04, 00 and 09.",),
)

HELD = "S3_"


def agree_true() -> dict[str, int]:
    """In how many traces a line differs."""
    table = agreements(HELD)
    return {"any_line": differing(table), "of_the_pin": differing(table, of_the_pin=True)}


def agree_shown() -> list[Table]:
    """The twelve traces, and one of them line by line."""
    _, rows = aligned("S3_real_held_base_retfix1.txt")
    return [
        Table(agreements(HELD)),
        Table(alignment(rows), "One of the twelve, line by line: real fragmentation, 6.1.0"),
    ]


def play_agree() -> Any:
    """The traces to pick."""
    from mmsim.widgets.tracepicker import trace_picker

    return trace_picker()


agree = Card(
    "agree",
    "In how many of twelve traces does a line differ from the model's?\n"
    "The twelve are pins that met a reference held for ever: 6.1.0, v1 and v3 in four set-ups. "
    "The set-ups are one huge page or four with no free one, a free one, and real fragmentation.",
    {"any_line": (0, 1, 3, 6, 12), "of_the_pin": (0, 1, 3, 6, 12)},
    labels={
        "any_line": "at least one line",
        "of_the_pin": "a line about references, splits or return values",
    },
    outcome=agree_true,
    why="All that differs is how often memory was compacted. `vfio_map` has no word for that.",
    still=agree_shown,
    play=play_agree,
)

# In the model's run of the same situation there is such a number: yes or no, and why.
GAPS = {
    "duration": (
        "how many microseconds the pin took",
        True,
        "a step of vfio_map has no duration, and the emulated machine's is not real",
    ),
    "compaction": (
        "how often memory was compacted in search of a huge page",
        True,
        "vfio_map says whether a huge page is free, not how one is looked for",
    ),
    "machine": (
        "`pgalloc_dma32`: how many pages the whole machine allocated meanwhile",
        True,
        "the counter is the whole machine's, and the model has one pin in it",
    ),
    "references": (
        "515 references where 514 were expected",
        False,
        "515 and the 514 expected are in the model's run, too",
    ),
    "passes": (
        "how many pages were seen in pass 3",
        False,
        "the model's run has the same passes, with the same pages seen",
    ),
    "returned": (
        "what `migrate_pages()` returned",
        False,
        "what migrate_pages() returned is compared line by line",
    ),
}
gaps = Card(
    "gaps",
    "Six things that were measured. For which of them has a run of `vfio_map` *nothing* to compare "
    "with?",
    dict.fromkeys(GAPS, bool),
    labels={name: words for name, (words, _, _) in GAPS.items()},
    judge=checked(
        lambda: {name: gap for name, (_, gap, _) in GAPS.items()},
        lambda name, _: GAPS[name][2],
        lambda name: f"{'a gap' if GAPS[name][1] else 'no gap'}; {GAPS[name][2]}",
        "time, compaction, and the rest of the machine",
    ),
    solution={name: gap for name, (_, gap, _) in GAPS.items()},
    hints=(
        "Look through the lines that were compared: which of the six is not among them?",
        "Three of the six are gaps. Which ones depend on more than the pin itself?",
    ),
)


# -- a missing rule


class Pinned(NamedTuple):
    """What is known of a finished pin: counters of huge pages."""

    thp_migration_success: int
    thp_migration_fail: int
    thp_split_page: int
    thp_split_page_failed: int


Rule = Callable[[Pinned], Any]
AMONG = {"frag_pinned": "among pages that can't move", "frag_movable": "among pages that can"}


@cache
def pins(mode: str) -> Mapping[tuple[Pinned, int], int]:
    """What is known of a pin, and its stalls -> how often measured, the commonest first."""
    rows = load_csv("kernel-runs/s10_s2_real_fragmentation_pins.csv")
    found = Counter(
        (Pinned(*(int(row[f"d_{name}"]) for name in Pinned._fields)), int(row["d_compact_stall"]))
        for row in rows
        if row["alloc_mode"] == mode
    )
    return dict(found.most_common())


def hits(rule: Rule, mode: str) -> Share:
    """How many pins of a mode a rule predicts."""
    found = pins(mode)
    right = sum(times for (pin, stalls), times in found.items() if rule(pin) == stalls)
    return Share(right, sum(found.values()))


def examples() -> pd.DataFrame:
    """For each set of counters that can move, the commonest pin: it, its stalls, how often."""
    found: dict[tuple[bool, ...], list[int]] = {}
    for mode in AMONG:
        for (pin, stalls), times in pins(mode).items():
            found.setdefault(tuple(map(bool, pin)), [*pin, stalls, times])
    index = named(map(str, range(1, len(found) + 1)), "example")
    return frame([*found.values()], index, [*Pinned._fields, "stalls", "pins like this"])


stalls = Shown(examples)


def rule_judged(rule: Any) -> Verdict:
    """Judged by every measured pin under real fragmentation."""
    try:
        said = {pin: limited("rule", rule, pin) for mode in AMONG for pin, _ in pins(mode)}
    except PolicyError as error:
        return failed(str(error))
    if {*said.values()} == {None}:
        return UNTOUCHED
    odd = next((n for n in said.values() if not isinstance(n, int | float)), None)
    if odd is not None:
        return failed(f"your rule should return a whole number, and it returned {odd!r:.40}")
    found = {mode: hits(said.__getitem__, mode) for mode in AMONG}
    for mode, share in found.items():
        # What is told is the commonest pin against it: a rare one may be beyond any rule.
        wrong = next(((p, n) for p, n in pins(mode) if said[p] != n), None)
        if share.part < 0.98 and wrong:
            pin, stalled = wrong
            moved = ", ".join(f"{name} {n}" for name, n in pin._asdict().items() if n)
            return failed(
                f"{share} pins {AMONG[mode]}; with {moved or 'no count'} your rule gives "
                f"{said[pin]}, and {stalled} was measured"
            )
    told = ", ".join(f"{share} pins {AMONG[mode]}" for mode, share in found.items())
    left = sum(share.trials - share.hits for share in found.values())
    return passed(f"{told}; {left} need another reason")


def twice(pin: Pinned) -> int:
    """A right answer: two stalls for each attempt."""
    return 2 * (pin.thp_split_page + pin.thp_split_page_failed)


def rechecked() -> pd.DataFrame:
    """The learner's rule against the traces under real fragmentation."""
    rows, names = [], []
    for name in trace_names():
        if "real" in name:
            delta = real_trace(name).delta
            said = rule.stored(Pinned(*(delta[counter] for counter in Pinned._fields)))
            counted = delta["compact_stall"]
            rows.append([0, said, counted, AGREES if said == counted else DIFFERS])
            names.append(trace_said(name))
    return frame(rows, named(names, "trace"), ["model", "your rule", "measured", "agrees"])


rule = Card(
    "rule",
    "Write the rule that is missing: how many stalls does a finished pin have?\n"
    "It gets `pin`, with the four counters `pin.thp_migration_success`, `pin.thp_migration_fail`, "
    "`pin.thp_split_page` and `pin.thp_split_page_failed`. The judge holds it against all "
    "1,185 pins that were measured.",
    form="your_function",
    judge=rule_judged,
    solution=twice,
    hints=(
        "A huge page is looked for once in each attempt to move one.",
        "Each attempt that finds none ends in a split, refused or not. How many stalls for each?",
        "return 2 * (pin.thp_split_page + pin.thp_split_page_failed)",
    ),
    why="Each attempt to move a huge page asks for a free one. In Linux 6.1 such a request "
    "compacts at most twice: first in a hurry, then more thoroughly. Both are counted, also when "
    "compaction is put off because it failed lately. No counter counts attempts. But each attempt "
    "that finds no huge page ends in a split, done or refused. So the two split counters add up to "
    "their number.\n\n"
    "A rule that explains 1,182 of 1,185 rows is a good rule. The three others are the place where "
    "the next thing would be learned: one has a stall more, two have six without a split.",
    still=rechecked,
)


# -- why do pins still fail?


@cache
def on_612() -> dict[str, int]:
    """Pins of eight huge pages on 6.12, drop_caches in a tight loop, no free huge page."""
    rows = load_csv("kernel-runs/k612/k612_s4_dropcaches_summary.csv")
    row = next(r for r in rows if (r["scenario"], r["alloc_mode"]) == ("S4_loop", "inject"))
    names = {
        "pins": "n_trials",
        "failed": "n_pin_failed",
        "refused": "n_trials_with_any_split_failure",
        "whole": "n_failed_with_a_thp_left",
        "pieces": "n_failed_with_all_thp_split",
    }
    left = round(float(row["mean_cma_pages_left_when_failed"]))
    return {name: int(row[column]) for name, column in names.items()} | {"left": left}


still_failing = Card(
    "still_failing",
    "Of 120 pins on that 6.12, how many failed? And in how many of the 120 was a split refused?",
    {"failed": (0, 12, 60, 114), "refused": (0, 12, 60, 114)},
    labels={"failed": "pins that failed", "refused": "pins in which a split was refused"},
    outcome=lambda: {name: on_612()[name] for name in ("failed", "refused")},
    why="So the patch is in, and it had nothing to do: no split was refused. Most pins failed all "
    "the same.",
)


@cache
def missed_piece() -> Trace:
    """A shortest run in which a huge page is split, and one of its pieces misses its one pass."""
    situation = pin_versus("v3", **SMALL)
    found = situation.explore().outcomes(situation.outcome)
    end = next(end for end in found if end.name == MISSED)
    return situation.replay(render(end.shortest or ()))


def cause_told() -> str:
    """The measured ends, in words."""
    found = on_612()
    return (
        f"After {found['pieces']} of the {found['failed']} failed pins every huge page had been "
        f"split. On the average {found['left']} of 4,096 small pages were left in CMA: locked, or "
        "with one more reference, for a moment, because `drop_caches` had just come to them. A "
        "piece has one asynchronous pass. One piece left is one page that may not be pinned, and "
        f"the whole pin fails. (After {found['whole']} pins a whole huge page was left, and no "
        "split of it was tried.)\n\n"
        "The picture shows a shortest such run of the model, where the piece is refused: the "
        "freeze finds one reference too many, for just this moment."
    )


def why_judged(letter: str) -> Verdict:
    """A wrong letter meets what was measured."""
    found = on_612()
    against = {
        "a": f"a split was refused in {found['refused']} pins",
        "b": "then no pin could succeed, and "
        f"{found['pins'] - found['failed']} of {found['pins']} did",
        "d": "then a whole huge page would be left in CMA; that was so after "
        f"{found['whole']} of {found['failed']}",
    }
    return failed(against[letter]) if letter in against else passed("the split had worked")


cause = Card(
    "cause",
    "Why did they fail?",
    Choices(
        a="Ten tries of the split were over before drop_caches let go.",
        b="No small pages were free for the pieces.",
        c="The huge pages were split, and a piece was busy when its turn came.",
        d="The huge pages could not be isolated.",
    ),
    judge=why_judged,
    solution="c",
    hints=("No split was refused. What comes after a split?", "Who gets one pass only?"),
    why=cause_told,
    still=lambda: moment(missed_piece(), missed_piece().find("folio_ref_freeze", 2)),
    needs=(still_failing,),
)

SETTINGS = {
    "as_it_is": "as 6.12 has it: one asynchronous pass",
    "ten": "ten asynchronous passes",
    "usual": "as any other page: 3 asynchronous and 7 synchronous passes",
}
LOOPS = {
    "S4_loop": "8 huge pages, no gap",
    "S4_loop_gap20ms": "8 huge pages, gap of 20 ms",
    "S4_loop_n1": "1 huge page, no gap",
}


@cache
def counterfactual() -> dict[tuple[str, str], Share]:
    """(scenario, setting) -> pins that failed, on a 6.12 in which the passes of pieces differ."""
    rows = load_csv("kernel-runs/k612/k612_s4_pieces_counterfactual.csv")
    found = {}
    for scenario in LOOPS:
        for number, setting in enumerate(SETTINGS):
            wanted = {"scenario": scenario, "pieces": str(number)}
            here = [row for row in rows if wanted.items() <= row.items()]
            bad = sum(row["pin_errno"] != "0" for row in here)
            found[scenario, setting] = Share(bad, len(here))
    return found


def pieces_table() -> pd.DataFrame:
    """Failed pins in each setting, with 95 % intervals."""
    rows = []
    for scenario in LOOPS:
        shares = [counterfactual()[scenario, setting] for setting in SETTINGS]
        rows.append([f"{s} ({s.interval[0]:.0%} to {s.interval[1]:.0%})" for s in shares])
    return frame(rows, named(LOOPS.values(), "pins that failed"), [*SETTINGS.values()])


changed = Card(
    "changed",
    "One call of that 6.12 was changed. Of 240 pins each, how many fail?\n"
    "It is the call that handles what you have just named as the cause. What changes is how many "
    "passes that gets, for a long-term pin.",
    dict.fromkeys(SETTINGS, (0, 17, 113, 226)),
    labels=SETTINGS,
    outcome=lambda: {name: counterfactual()["S4_loop", name].hits for name in SETTINGS},
    why=lambda: (
        "No kernel has this. It was measured to find the cause, and is not a proposal. On "
        "6.1.192 a switch for ten passes did the same. Of the pins with the patch "
        f"{disturbed(RETRY).failed} failed with it, {disturbed('v2').failed} without.\n\n"
        "In the model it is the policy `subpage_retry`. It leaves refused splits exactly as likely "
        "as they were, just as the patch leaves missed pieces."
    ),
    still=lambda: [
        Table(pieces_table()),
        "data/kernel-runs/k612/k612_s4_pieces_counterfactual.csv; intervals for 95 %.",
    ],
    needs=(cause,),
)


# -- what the data support

STATEMENTS = {
    "same": "Beside `drop_caches` no difference between 6.1.0 and v3 can be seen in how often a "
    "pin fails.",
    "useless": "The patch never helps.",
    "rate": "On a production host nearly all pins fail while `drop_caches` runs in a loop.",
    "reporter": "The reporter's pins failed because of pieces.",
    "second": "On this 6.12 hardly any pin failed because a split was refused.",
    "again": "On this 6.12 trying pieces again would have avoided nearly all failures.",
}


@cache
def evidence() -> dict[str, tuple[bool, str]]:
    """Does a statement hold, and what was measured."""
    old, new = (disturbed(kind, loop="oct22").failed for kind in ("base", "v2"))
    overlap = max(old.interval[0], new.interval[0]) < min(old.interval[1], new.interval[1])
    end, ends = on_612(), counterfactual()
    return {
        "same": (overlap, f"6.1.0 {old}, v3 {new}, and the intervals overlap"),
        "useless": (
            rescued("v2", "injected").hits == 0,
            "with one reference, dropped at any time, the patch rescued "
            f"{rescued('v2', 'injected')} pins whose first split was refused; without it, none",
        ),
        "rate": (False, "rates depend on how fast a machine is; this one was emulated"),
        "reporter": (False, "his counters show a refused split, and nobody measured his machine"),
        "second": (
            end["refused"] < 0.05 * end["failed"],
            f"{end['failed']} failed, and in {end['refused']} a split was refused",
        ),
        "again": (
            ends["S4_loop", "usual"].part < 0.05 * ends["S4_loop", "as_it_is"].part,
            f"{ends['S4_loop', 'usual']} failed with it, {ends['S4_loop', 'as_it_is']} without",
        ),
    }


support = Card(
    "support",
    "Which of these statements do the measured rows support?",
    dict.fromkeys(STATEMENTS, bool),
    labels=STATEMENTS,
    judge=checked(
        lambda: {name: holds for name, (holds, _) in evidence().items()},
        lambda *_: "what was measured for that, on which machine, and what was compared?",
        lambda name: evidence()[name][1],
        "three speak of these pins, on this machine, and of no more",
    ),
    solution={name: name in ("same", "second", "again") for name in STATEMENTS},
    hints=(
        "A statement about another machine needs a measurement there.",
        "Three are supported: they speak of these pins, on this machine, and no more.",
    ),
    why=lambda: "\n\n".join(f"`{name}`: {told}." for name, (_, told) in evidence().items()),
    needs=(changed,),
)
