"""Tables of lesson 09: the report of a case, the causes, what was handed in, cards to recall.

Interface: case_table, cause_table, counter_table, verdicts, hand_in, recall_cards, recall_answers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmsim.checks import judge
from mmsim.engine.trace import Trace
from mmsim.practice.capstone import CAUSES, HANDED, VERDICTS, WORDS, Case, unseen
from mmsim.practice.recall import cards
from mmsim.scenarios import Situation
from mmsim.views.tables import PIN, frame, labels

if TYPE_CHECKING:
    import pandas as pd

ARTEFACTS = {"fate": "09.fate", "run": "09.run", "fitting": "09.fitting", "look": "09.look"}
COUNTS = {
    "pgmigrate_success": "pages of 4 KiB that moved; a huge page is 512",
    "pgmigrate_fail": "pages of 4 KiB that did not move",
    "thp_migration_success": "huge pages that moved whole",
    "thp_migration_fail": "huge pages that did not move whole, split or not; in v1, v2 and v3 "
    "every refusal counts again",
    "thp_migration_split": "huge pages that were split because they could not be moved whole",
    "thp_split_page": "huge pages that were split, for whatever reason",
    "thp_split_page_failed": "splits that were begun and refused; one that is turned away at the "
    "entry (writeback) is not counted",
    "thp_split_pmd": "mappings of a whole huge page that were taken apart, just before its split",
}


def case_table(case: Case, run: Situation | Trace | None = None) -> pd.DataFrame:
    """What is told of a case; and beside it a run of one's own."""
    rows: dict[str, list[object]] = {
        "kernel": [case.kernel],
        "huge pages in CMA": [case.huge_pages],
        **{name: [n] for name, n in case.counters.items()},
        PIN: ["-ENOMEM"],
    }
    columns = [f"case {case.seed}"]
    if run is not None:
        trace = run.run() if isinstance(run, Situation) else run
        made: Any = trace.scenario
        mine = [made.version.name, made.knobs.get("thps", "—")]
        mine += [trace.last.world.vmstat[name] for name in case.counters]
        for cells, cell in zip(rows.values(), [*mine, made.result(trace.last)], strict=True):
            cells.append(cell)
        columns.append("your run")
    return frame([*rows.values()], labels(rows, "report"), columns)


def cause_table() -> pd.DataFrame:
    """The causes, in words and as knobs of `vfio_map`."""
    rows = []
    for cause, words in WORDS.items():
        knobs = ", ".join(f"{name}={value!r}" for name, value in CAUSES[cause].items())
        rows.append([words, knobs or "no knob: as it is"])
    return frame(
        rows, labels(WORDS, "cause"), ["what happens to the first huge page", "knobs of vfio_map"]
    )


def counter_table() -> pd.DataFrame:
    """What each counter of a case counts."""
    return frame([[words] for words in COUNTS.values()], labels(COUNTS, "counter"), ["counts"])


def verdicts() -> pd.DataFrame | str:
    """Verdicts and how sure they were, against what was so; only cases whose fate was found."""
    rows: list[list[str]] = []
    cases, sum_ = [], 0
    for seed, question in VERDICTS.items():
        said, true = question.first, unseen(seed).fates
        if said is None or HANDED.get(seed, {}).get("fate") not in true:
            continue
        right = "yes" if said["verdict"] in true else "no"
        rows.append([str(said["verdict"]), str(said["sure"]), " or ".join(sorted(true)), right])
        cases.append(f"case {seed}")
        sum_ += int(str(said["sure"]).removesuffix(" %"))
    if not rows:
        return "Nothing to compare yet: store a verdict, and find the fate."
    if len(rows) > 1:
        hits = sum(row[3] == "yes" for row in rows)
        rows.append(["", f"{sum_ / 100:.1f} expected", "", f"{hits} of {len(rows)}"])
        cases.append("together")
    return frame(rows, labels(cases, "verdict"), ["you said", "sure", "it was", "right"])


def hand_in(seed: int) -> pd.DataFrame:
    """What was handed in for a case on one sheet, each part with its verdict."""
    rows = []
    for part, name in ARTEFACTS.items():
        given = HANDED.get(seed, {}).get(part)
        verdict = judge(name, {"seed": seed, part: given})
        said = given.scenario if isinstance(given, Trace) else given
        if isinstance(said, Situation):
            said = f"{said.name}, {said.version.name}"
        elif isinstance(said, list):
            said = ", ".join(map(str, said))
        rows.append([said or "—", verdict.state, verdict.why])
    return frame(rows, labels(ARTEFACTS, f"case {seed}"), ["handed in", "state", "why"])


def recall_cards(day: int) -> pd.DataFrame:
    """The questions of a day, with the lesson that each one is about."""
    found = [card[:2] for card in cards(day)]
    return frame(found, _numbers(day, len(found)), ["lesson", "question"])


def recall_answers(day: int) -> pd.DataFrame:
    """The answers of a day, by the numbers of its questions."""
    found = [card[2:] for card in cards(day)]
    return frame(found, _numbers(day, len(found)), ["answer"])


def _numbers(day: int, number: int) -> pd.Index[Any]:
    return labels(map(str, range(1, number + 1)), f"day {day}")
