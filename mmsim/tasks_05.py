"""The tasks of lesson 05 in which a schedule is handed in.  Each is judged by its run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmsim import game, levels
from mmsim.checks import Verdict, failed, passed, recalled, task
from mmsim.engine.scenario import State
from mmsim.engine.schedule import replaying
from mmsim.engine.trace import Trace, record
from mmsim.scenarios import Situation, split_race
from mmsim.scenarios.fates import fails

RACE = split_race("base", released="1")
_SO_FAR = "after this schedule: "


def _failing(situation: Situation) -> Callable[[State], bool]:
    """Has the main actor failed?"""
    return lambda state: fails(situation.outcome(state))


# -- recall

RECALL = {
    "unmapped": ("b", "a refusal at the freeze comes after the mappings have been removed"),
    "again": ("b", "the patched versions try in the next pass, without a pause"),
    "pieces": ("b", "once a page has been split, each piece gets a single attempt"),
}


@task(
    "05.recall",
    "a dict: question -> one letter",
    "All three are in lesson 04.",
    "unmapped: what lies between the check and the freeze? again: does anybody sleep?",
    "b three times.",
    parts=dict.fromkeys(RECALL, ("a", "b", "c")),
)
def recall(answer: dict[str, str]) -> Verdict:
    """Three questions about lesson 04."""
    return recalled(answer, RECALL)


# -- schedules built by hand


def _run(answer: str, level: levels.Level) -> Trace | Verdict:
    """The run of a schedule or share code, or what is wrong with it."""
    try:
        situation, moves = game.read(answer, level.situation)
        trace = record(situation, replaying(moves))
    except ValueError as error:
        return failed(str(error))
    if not game.same(situation, level.situation):
        return failed(f"that code belongs to another situation: {situation.name}")
    return trace


def _won(name: str, answer: str) -> Verdict:
    level = levels.level(name)
    trace = _run(answer, level)
    if isinstance(trace, Verdict):
        return trace
    if level.won(trace):
        return passed(level.told)
    assert isinstance(trace.scenario, Situation)
    ends = trace.scenario.fate(trace.last)
    return failed(f"{_SO_FAR}{ends}", f"The goal: {level.goal}")


FORM = "a schedule such as 'split*3 stranger split*2', or a share code"


@task(
    "05.check",
    FORM,
    "The check is can_split_folio(); when must the stranger have its reference?",
    "Let the split go on until its button says “check”, then let the stranger move.",
    "split*6 stranger, and then the split to its end.",
    parts=str,
)
def at_check(answer: str) -> Verdict:
    """Level 1."""
    return _won("check", answer)


@task(
    "05.freeze",
    FORM,
    "The check must find nothing, so the stranger has to come after it.",
    "There are three places between the check and the freeze.",
    "split*8 stranger, and then the split to its end.",
    parts=str,
)
def at_freeze(answer: str) -> Verdict:
    """Level 2."""
    return _won("freeze", answer)


@task(
    "05.shortest",
    FORM,
    "Once the split has returned, nothing needs to follow.",
    "A split that is refused at the check ends sooner than one that is refused at the freeze.",
    "The stranger need not let go: one step of its own is enough.",
    parts=str,
)
def shortest(answer: str) -> Verdict:
    """Against the breadth-first search."""
    trace = _run(answer, levels.level("check"))
    if isinstance(trace, Verdict):
        return trace
    if not _failing(RACE)(trace.last):
        return failed(f"{_SO_FAR}{RACE.fate(trace.last)}")
    best = RACE.explore().shortest(_failing(RACE)) or []
    if len(trace) > len(best):
        return failed(f"the split fails after {len(trace)} steps; there is a way with fewer")
    return passed(f"{len(best)} steps: the search, which goes through all by length, finds none")


@task(
    "05.piece",
    FORM.replace("split", "pin"),
    "The split has to succeed: stay away until the huge page has been cut.",
    "The stranger refers to piece 0, and the pieces are moved from the last one to the first.",
    "pin*21 stranger, and then the pin to its end.",
    parts=str,
)
def piece(answer: str) -> Verdict:
    """Level 3."""
    return _won("piece", answer)


@task(
    "05.rescue",
    FORM.replace("split", "pin"),
    "Have the first attempt refused as in level 1, then let go.",
    "The stranger must let go before the check of the next pass.",
    "pin*5 stranger pin*15 stranger, and then the pin to its end.",
    parts=str,
)
def rescue(answer: str) -> Verdict:
    """Level 4."""
    return _won("rescue", answer)


# -- practice


@task(
    "05.seeded",
    "a dict with the seed and a schedule",
    "Play it with scheduler(dare(seed)).",
    "Where must the stranger be when the main actor looks?",
    parts={"seed": int, "schedule": str},
)
def seeded(answer: dict[str, Any]) -> Verdict:
    """A level drawn from a seed."""
    level = levels.dare(answer["seed"])
    trace = _run(answer["schedule"], level)
    if isinstance(trace, Verdict):
        return trace
    assert isinstance(trace.scenario, Situation)
    if not level.won(trace):
        return failed(f"{_SO_FAR}{trace.scenario.fate(trace.last)}", f"The goal: {level.goal}")
    return passed("another seed gives another one")
