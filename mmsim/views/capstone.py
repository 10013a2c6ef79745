"""Tables of lesson 09: the report of a case, the causes, what was handed in, cards to recall.

Interface: case_table, cause_table, hand_in, recall_cards, recall_answers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmsim.checks import judge
from mmsim.practice.capstone import WORDS, Case
from mmsim.practice.recall import cards
from mmsim.scenarios import Situation
from mmsim.views.tables import frame, labels

if TYPE_CHECKING:
    import pandas as pd

ARTEFACTS = {"fate": "09.fate", "run": "09.run", "fitting": "09.fitting", "look": "09.look"}


def case_table(case: Case) -> pd.DataFrame:
    """What is told of a case."""
    rows = {"kernel": case.kernel, "huge pages in CMA": case.huge_pages, **case.counters}
    rows["the pin returns"] = "-ENOMEM"
    return frame(
        [[value] for value in rows.values()], labels(rows, "report"), [f"case {case.seed}"]
    )


def cause_table() -> pd.DataFrame:
    """The causes, in words."""
    rows = [[words] for words in WORDS.values()]
    return frame(rows, labels(WORDS, "cause"), ["what happens to the first huge page"])


def hand_in(seed: int, **artefacts: Any) -> pd.DataFrame:
    """The four artefacts on one sheet, each with its verdict."""
    rows = []
    for part, name in ARTEFACTS.items():
        given = artefacts.get(part)
        verdict = judge(name, {"seed": seed, part: given})
        said = given
        if isinstance(given, Situation):
            said = f"{given.name}, {given.version.name}"
        elif isinstance(given, list):
            said = ", ".join(map(str, given))
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
