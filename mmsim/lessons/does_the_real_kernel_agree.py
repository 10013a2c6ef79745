"""Lesson 10: traces of real kernels line by line, and why pins still fail on 6.12."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

from mmsim.datafiles import load_csv
from mmsim.evidence.ftrace import AlignedRow, align, raw_lines, real_trace, situation
from mmsim.evidence.measured import VARIANT_OF, Share
from mmsim.lessons.card import Card, quiz
from mmsim.lessons.form import Choices, Verdict, failed, passed
from mmsim.scenarios import SMALL, pin_versus, vfio_map
from mmsim.scenarios.situation import MISSED, NOT_SPLIT
from mmsim.views.charts import failed_bars
from mmsim.views.show import Shown
from mmsim.views.state import state_picture
from mmsim.views.svg import Picture
from mmsim.views.tables import Frame, frame, labels, measured_table

# -- which run was it?

UNNAMED = "S3_held_4_v2_retfix1.txt"
unnamed = real_trace(UNNAMED)
measured = Shown(lambda: measured_table(unnamed))
RUNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a": ("6.1.0", {"thps": 4}, "6.1.0, four huge pages, the first one held"),
    "b": ("v3", {"thps": 4}, "v3, four huge pages, the first one held"),
    "c": ("v3", {"thps": 4, "holder": 0}, "v3, four huge pages, none held"),
    "d": (
        "v3",
        {"thps": 4, "targets": "available"},
        "v3, four huge pages, the first one held, and a huge page is free",
    ),
}


@cache
def judge_which(letter: str) -> Verdict:
    """Judged by running the situation and comparing every counter."""
    version, knobs, _ = RUNS[letter]
    vmstat = vfio_map(version, **knobs).run().last.world.vmstat
    for name, value in unnamed.delta.items():
        if name in vmstat and vmstat[name] != value:
            return failed(f"{letter}: {name} would be {vmstat[name]}, and {value} was measured")
    return passed("every counter agrees: 14 is 10 refusals, 1 at the end, and 3 splits")


which = Card(
    "Which run of the model counts the same?\nThe holder never lets go.",
    Choices({letter: words for letter, (_, _, words) in RUNS.items()}),
    judge=judge_which,
    solution="b",
    hints=(
        "Look at pages first: 1,536 have moved. How many huge pages is that?",
        "One huge page has not moved, and its split was refused ten times.",
    ),
)


# -- line by line

EVENTS = {"A": 17, "B": 19, "C": 22, "D": 29}
lines = "\n".join(
    textwrap.fill(f"{letter}  {line}", 100, subsequent_indent="   ")
    for letter, line in zip(EVENTS, raw_lines(UNNAMED, [*EVENTS.values()]), strict=True)
)
"""Four lines of that trace, as they are."""

reading = Card(
    "Read the lines: what happened?",
    {"refused": tuple(EVENTS), "too_many": (0, 1, 2, 514, 515)},
    labels={
        "refused": "In which line is a split refused?",
        "too_many": "How many references too many did that page have?",
    },
    outcome=lambda: {"refused": "B", "too_many": 1},  # a test reads the lines
    why="`ref` is 514 where a split works: 512 of the page cache, one of a mapping, one of "
    "`migrate_pages()`. The holder is the one more. In D, `thp_retry` is what the patch keeps on "
    "the list. The three other huge pages have been split; their pieces move later.",
)

SETUPS = {
    "one huge page held, none free": ("S3_held", "S3_held_n1"),
    "one held, and a huge page is free": ("S3_held_order9ok", "S3_held_order9ok_n1"),
    "one held, and memory is really fragmented": ("S3_real_held", "S3_real_held_frag_pinned_n1"),
}
"""Set-up -> the traces of the loop of October 2022 and of 6.12."""
FRAGMENTED = [*SETUPS][-1]
VERSIONS = (*VARIANT_OF, "6.12")


def file_of(setup: str, version: str) -> str:
    """The trace of a set-up, from the kernel that behaves like a version."""
    old, new = SETUPS[setup]
    if version in VARIANT_OF:
        return f"{old}_{VARIANT_OF[version]}_retfix1.txt"
    return f"K612_{new}_unit0_sub0_refs1.txt"


@cache
def aligned(setup: str, version: str) -> list[AlignedRow]:
    """Every line of a real trace and of a run of the model with its set-up."""
    real = real_trace(file_of(setup, version))
    return align(real, situation(real).run())


def differing(setup: str, version: str) -> set[str]:
    """What the lines that differ are about."""
    return {row.what for row in aligned(setup, version) if not row.agrees}


def traces_that_differ() -> dict[str, int]:
    """In how many traces a line differs."""
    found = [differing(*of) for of in product(SETUPS, VERSIONS)]
    of_pin = [each - {"compact_stall", "compact_fail"} for each in found]
    return {"any_line": sum(map(bool, found)), "of_the_pin": sum(map(bool, of_pin))}


AGREES, DIFFERS = "✓", "≠"


def alignment(rows: Sequence[AlignedRow]) -> Frame:
    """A real trace beside the model's, with a sign for each row: `ftrace.align` in a table."""
    cells = [(r.what, r.measured, r.model, AGREES if r.agrees else DIFFERS) for r in rows]
    numbers = labels(range(1, len(rows) + 1), "line")
    return frame(cells, numbers, ["what", "measured", "model", "agrees"])


def agreement() -> list[Any]:
    """How many lines agree in each trace, and one of them line by line."""
    cells = []
    for setup in SETUPS:
        found = [aligned(setup, version) for version in VERSIONS]
        cells.append([f"{sum(row.agrees for row in rows)} of {len(rows)}" for rows in found])
    rows = alignment(aligned(FRAGMENTED, "6.1.0"))
    return [
        frame(cells, labels(SETUPS, "lines that agree"), VERSIONS),
        "6.1.0, one held, memory really fragmented: the lines that differ.",
        rows[rows["agrees"] == DIFFERS],
    ]


agree = Card(
    "In how many of 12 traces does a line differ from the model's?\n"
    "There are four kernels, `6.1.0`, `v1`, `v3` and `6.12`, in three set-ups each: "
    f"{'; '.join(SETUPS)}. The reference is held for ever. The model is told which page "
    "is held, and whether a huge page is free. The last lines of a trace are counters.",
    {"any_line": (0, 1, 4, 8, 12), "of_the_pin": (0, 1, 4, 8, 12)},
    labels={
        "any_line": "at least one line",
        "of_the_pin": "a line about references, splits or return values",
    },
    outcome=traces_that_differ,
    why="All that differs is how often memory was *compacted*, to make room for a huge page, and "
    "how often that failed. In `vfio_map` a huge page is free or not; nobody tries to make one.",
    still=agreement,
)

recall = quiz(
    "Three questions about earlier lessons, from memory.",
    {
        "once_refused": (
            "A huge page is refused once and then moved whole. `v2` counts it as …",
            Choices(a="moved", b="failed", c="both"),
            "c",
            "the refusal is counted, and so is the move",
        ),
        "proved": (
            "That `drop_caches` had the reference in the reported failure was …",
            Choices(a="never proved", b="proved by two counters", c="proved by the patch"),
            "a",
            "he wrote probably, and nobody in the discussion proved it",
        ),
        "batch": (
            "A single page lies in an LRU batch that nobody empties. What helps?",
            Choices(a="a second try", b="a wait", c="a drain"),
            "c",
            "the batch keeps its reference until somebody empties it",
        ),
    },
    hints=("They are in lessons 09 and 00.",),
)


# -- why do pins still fail?

GAPS = {"S4_loop": "no pause", "S4_loop_gap20ms": "every 20 ms", "S4_loop_gap100ms": "every 100 ms"}


@cache
def on_612(scenario: str = "S4_loop") -> dict[str, int]:
    """Pins of eight huge pages on 6.12.117 beside drop_caches, no free huge page."""
    wanted = {"scenario": scenario, "alloc_mode": "inject"}
    (row,) = load_csv("kernel-runs/k612/k612_s4_dropcaches_summary.csv", **wanted)
    names = {
        "pins": "n_trials",
        "failed": "n_pin_failed",
        "refused": "n_trials_with_any_split_failure",
        "whole": "n_failed_with_a_thp_left",
        "pieces": "n_failed_with_all_thp_split",
    }
    left = round(float(row["mean_cma_pages_left_when_failed"]))
    return {name: int(row[column]) for name, column in names.items()} | {"left": left}


def still_failing_picture() -> Picture:
    """The failed pins, by how often drop_caches ran."""
    shares = {}
    for scenario, words in GAPS.items():
        shares[f"drop_caches: {words}"] = Share(
            on_612(scenario)["failed"], on_612(scenario)["pins"]
        )
    return failed_bars("Linux 6.12.117, eight huge pages: pins that failed", shares)


still_failing = Card(
    "Of these 120 pins on 6.12.117, how many failed? In how many was a split refused?\n"
    "And after a failed pin, how many of the 4,096 small pages were left in CMA, on average?",
    {"failed": (0, 12, 60, 114), "refused": (0, 12, 60, 114), "left": (1, 32, 512, 4096)},
    labels={
        "failed": "pins that failed",
        "refused": "pins in which a split was refused",
        "left": "small pages left in CMA",
    },
    outcome=lambda: {name: on_612()[name] for name in ("failed", "refused", "left")},
    why="The patch is in, and it had nothing to do: no split was refused. (A refusal is "
    "counted, also if a later try works.) Most pins failed all the same. And of 4,096 small pages "
    "only 32 were left. The 32 is a mean: 112 pins left 1 to 93 pages each, and two "
    "left a whole huge page and some more. What can have failed, then?",
    still=still_failing_picture,
)

MISSED_BY = "pin*39 drop_caches*6 pin*9 drop_caches pin*7 drop_caches*3"
"""Such a run of 6.12."""


def missed_picture() -> Picture:
    """A huge page has been split, and one of its pieces is refused in its one pass."""
    run = pin_versus("6.12", **SMALL).replay(MISSED_BY)
    refused = ("move.check", "move.freeze")
    n = next(n for n, e in enumerate(run.events, 1) if e.site in refused and e.answer is False)
    return state_picture(run.at(n))


def measured_ends() -> str:
    """The measured ends, in words."""
    found = on_612()
    return (
        f"After {found['pieces']} of the {found['failed']} failed pins every huge page had been "
        "split. A few of the 4,096 small pages were left: locked, or with one more reference, for "
        "a moment, because `drop_caches` had just come to them. Pieces have one pass, an "
        "asynchronous one, that neither waits nor comes again. One piece left is one page that "
        "may not be pinned, and the whole pin fails. The picture shows such a run of the model's "
        "6.12.\n\n"
        "Why did `drop_caches` meet no split? That was not measured. There were eight splits to "
        "meet, and 4,096 pieces. It was the same in the loop of 2022: in this set-up 6.1.0 split "
        "640 huge pages, and no split was refused. 74 of 80 pins failed.\n\n"
        f"After {found['whole']} pins a whole huge page was left, and no split of it was tried. "
        "Three more pins of that kind were traced. There the huge page could not be isolated."
    )


def judge_why(letter: str) -> Verdict:
    """A wrong letter meets what was measured."""
    found = on_612()
    against = {
        "a": f"a split was refused in {found['refused']} pins",
        "b": "then no pin could succeed, and "
        f"{found['pins'] - found['failed']} of {found['pins']} did",
        "d": "then whole huge pages would be left in CMA; that was so after "
        f"{found['whole']} of {found['failed']}",
    }
    return failed(against[letter]) if letter in against else passed("the splits had worked")


cause = Card(
    "Why did they fail?",
    Choices(
        a="Ten tries of a split were over before drop_caches let go.",
        b="No small pages were free for the pieces.",
        c="The huge pages were split, and a piece was busy when its turn came.",
        d="The huge pages could not be isolated.",
    ),
    judge=judge_why,
    solution="c",
    hints=("No split was refused. What comes after a split?", "What was left is small pages."),
    why=measured_ends,
    still=missed_picture,
    needs=(still_failing,),
)

CHANGES = {
    "drain": (
        "6.12-drain",
        "a *drain* of all LRU batches, before a busy page is tried a second time",
    ),
    "wait": ("6.12-wait", "a *wait* for a busy page, before its next try"),
    "ten": ("6.12-subpage_retry", "up to *ten* tries for a piece, asynchronous ones"),
    "like_any_page": (
        "6.12-subpage_retry_sync",
        "a piece is tried *like any page*: asynchronously, then up to seven times synchronously",
    ),
}
RARER = {NOT_SPLIT: "a huge page left whole", MISSED: "small pages left"}


@cache
def odds() -> dict[str, dict[str, float]]:
    """Version -> outcome -> its odds beside one drop_caches, as stored; a test searches again."""
    found: dict[str, dict[str, float]] = {}
    for row in load_csv("lessons/today_policies.csv"):
        found.setdefault(row["version"], {})[row["ends"]] = float(row["odds"])
    return found


def rarer_failures() -> dict[str, str]:
    """Which failure each change makes rarer, and with which missed pieces are rarest."""
    usual, found = odds()["6.12"], {}
    for name, (row, _) in CHANGES.items():
        (found[name],) = (said for end, said in RARER.items() if odds()[row][end] < usual[end])
    found["rarest"] = min(CHANGES, key=lambda name: odds()[CHANGES[name][0]][MISSED])
    return found


def odds_table() -> Frame:
    """The odds of both failures, row by row."""
    found = {"6.12": odds()["6.12"], **{name: odds()[row] for name, (row, _) in CHANGES.items()}}
    cells = [[f"{100 * each[end]:.2f} %" for end in RARER] for each in found.values()]
    return frame(cells, labels(found, "model, one huge page"), [*RARER.values()])


remedy = Card(
    "Which of two ways to fail does each change make rarer?\n"
    "A pin fails because a huge page is left whole, or because small pages are left. Each row "
    "changes one thing of the model's 6.12, and makes exactly one of the two rarer.",
    {**dict.fromkeys(CHANGES, tuple(RARER.values())), "rarest": tuple(CHANGES)},
    labels={
        **{name: what for name, (_, what) in CHANGES.items()},
        "rarest": "with this row *small pages* are left least often",
    },
    outcome=rarer_failures,
    hints=(
        "Who has a next try, and what does each row do for those who have none?",
        "A drain takes no reference off a huge page. What else can it give?",
    ),
    why="`drain` and `wait` do something before the next try. A piece has no next try, so they do "
    "nothing for it. (Your policy of lesson 09 could give a piece one.) `ten` and `like_any_page` "
    "give it one; `like_any_page` also sleeps until it has the lock.\n\n"
    "Why does `drain` help the huge page? It takes no reference off it, as lesson 09 says. It only "
    "takes time, and in that time the visit can end. An idle step in its place gives 0.21 %, too."
    "\n\nThese odds are exact for a page of two pieces, two tries in place of ten, and one "
    "`drop_caches` that begins at any step of the pin; a fair coin says who moves. Read them as an "
    "order, not as rates.",
    still=odds_table,
    needs=(cause,),
)

SETTINGS = {
    "as_it_is": "6.12.117 as it is",
    "ten": "ten asynchronous passes",
    "like_any_page": "3 asynchronous and 7 synchronous passes",
}


@cache
def counterfactual() -> dict[str, Share]:
    """Setting -> pins of eight huge pages that failed, on a 6.12 in which one call differs."""
    file, found = "kernel-runs/k612/k612_s4_pieces_counterfactual.csv", {}
    for number, setting in enumerate(SETTINGS):
        rows = load_csv(file, scenario="S4_loop", pieces=str(number))
        found[setting] = Share(sum(row["pin_errno"] != "0" for row in rows), len(rows))
    return found


changed = Card(
    "In that 6.12.117 one call was changed, once as in row `ten`, once as in row `like_any_page`. "
    "How many of 240 pins fail?\nThe set-up is the same, the pins are new: 240 with each.",
    dict.fromkeys(SETTINGS, (0, 17, 113, 226)),
    labels=SETTINGS,
    outcome=lambda: {name: counterfactual()[name].hits for name in SETTINGS},
    why="The changed call is the one in `migrate_pages()` that moves the pieces. Ten quick tries "
    "can all meet one visit, as in lesson 07; a synchronous try sleeps until it has the lock. "
    "Whether that is the whole reason was not measured.\n\n"
    "No released kernel has this change. It was made to find the cause, and is not a proposal. "
    "What it does to other callers was not measured.",
    still=lambda: failed_bars(
        "Linux 6.12.117 with one call changed: pins that failed",
        {words: counterfactual()[name] for name, words in SETTINGS.items()},
    ),
    needs=(remedy,),
)


# -- what the data support

YES, NO = "supported", "not supported"
support = quiz(
    "Which of these statements do the *measured* rows support?",
    {
        "same": (
            "In the set-ups of lesson 07, 245 of 510 pins failed with 6.1.0 (95 % interval: 44 to "
            "52 %), and 256 of 510 with v3 (46 to 55 %). No difference between the two is seen.",
            (YES, NO),
            YES,
            "the intervals overlap",
        ),
        "rate": (
            "On a production host nearly all pins fail while `drop_caches` runs in a loop.",
            (YES, NO),
            NO,
            "rates depend on how fast a machine is, and this one was emulated",
        ),
        "reporter": (
            "The reporter's pins failed because of pieces.",
            (YES, NO),
            NO,
            "his counters show a refused split; a pin that fails by its pieces shows none",
        ),
        "again": (
            "On this 6.12, trying pieces like any other page would have avoided nearly all "
            "failures.",
            (YES, NO),
            YES,
            "0 of 240 failed with it, 226 of 240 without",
        ),
        "wait": (
            "On 6.12 a wait for references avoids none of these failures.",
            (YES, NO),
            NO,
            "the model says so, and no kernel with a wait was measured",
        ),
    },
    "the two supported ones speak of these pins, on this machine, and of no more",
    hints=(
        "A statement about another machine needs a measurement there.",
        "A result of the model is no measurement.",
    ),
    needs=(changed,),
)


# -- a table for plots of one's own


def pins_table() -> Frame:
    """Measured pins of eight huge pages on 6.12 beside a loop of drop_caches, to be plotted."""
    import pandas as pd

    rows = load_csv("kernel-runs/k612/k612_s4_dropcaches_trials.csv", alloc_mode="inject")
    cells = [
        (
            int(row["dc_gap_us"]) // 1000,
            int(row["d_drop_pagecache"]),
            int(row["cma_pages_after"]),
            float(row["pin_us"]) / 1000,
        )
        for row in rows
        if row["scenario"] in GAPS
    ]
    return pd.DataFrame(cells, columns=["pause_ms", "runs", "left", "pin_ms"])
