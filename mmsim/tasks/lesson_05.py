"""The tasks of lesson 05 in which a schedule is handed in.  Each is judged by its run."""

from __future__ import annotations

from functools import partial
from typing import Any

from mmsim.checks import Verdict, failed, letters, passed, task
from mmsim.engine.trace import Trace
from mmsim.practice import game, levels
from mmsim.scenarios import Situation
from mmsim.scenarios.fates import NOT_FINISHED

_SO_FAR = "after this schedule: "


# -- recall

letters(
    "05.recall",
    {
        "unmapped": ("b", "a refusal at the freeze comes after the mappings have been removed"),
        "again": ("c", "the patched versions try in the next pass, without a pause"),
        "pieces": ("a", "once a page has been split, each piece gets a single attempt"),
    },
    "All three are in lesson 04.",
    "unmapped: what lies between the check and the freeze? again: does anybody sleep?",
    "unmapped b, again c, pieces a.",
)


# -- schedules built by hand


def _run(answer: str, level: levels.Level) -> Trace | Verdict:
    """The run of a schedule, or what is wrong with it."""
    try:
        return game.played(answer, level.situation)
    except ValueError as error:
        return failed(str(error))


def _won(level: levels.Level, answer: str) -> Verdict:
    trace = _run(answer, level)
    if isinstance(trace, Verdict):
        return trace
    if level.won(trace):
        return passed(level.told)
    return _not_yet(trace, f"The goal: {level.goal}")


def _not_yet(trace: Trace, *told: str) -> Verdict:
    """What the run has come to; of one that is too short, what can come next."""
    situation = trace.scenario
    assert isinstance(situation, Situation)
    fate = situation.fate(trace.last)
    coming = [game.coming(situation, trace.last)] if fate == NOT_FINISHED else []
    return failed(f"{_SO_FAR}{fate}", "\n".join([*coming, *told]))


# For each level: how its schedules look, and hints.
_LEVELS = {
    "check": (
        "split*3 stranger split*2",
        "The check is can_split_folio(); when must the stranger have its reference?",
        "Let the split go on until its button says “check”, then let the stranger move.",
        "split*6 stranger, and then the split to its end.",
    ),
    "freeze": (
        "split*3 stranger split*2",
        "The check must find nothing, so the stranger has to come after it.",
        "There are three places between the check and the freeze.",
        "split*8 stranger, and then the split to its end.",
    ),
    "piece": (
        "pin*3 stranger pin*2",
        "The split has to succeed: stay away until the huge page has been cut.",
        "The stranger refers to piece 0, and the pieces are moved from the last one to the first.",
        "pin*21 stranger, and then the pin to its end: pin*999.",
    ),
    "rescue": (
        "pin*3 stranger pin*2",
        "Have the first attempt refused as in level 1, then let go.",
        "The stranger must let go before the check of the next pass.",
        "pin*5 stranger pin*15 stranger, and then the pin to its end: pin*999.",
    ),
}
FORM = "a schedule such as {!r}"
for _name, (_like, *_hints) in _LEVELS.items():
    task(f"05.{_name}", FORM.format(_like), *_hints, parts=str)(partial(_won, levels.level(_name)))


# -- practice


@task(
    "05.seeded",
    "a dict with the seed and a schedule",
    "Where must the stranger be when the main actor looks?",
    "A split that is tried again must be refused each time.",
    "Play it with scheduler(dare(seed)), or play(dare(seed), schedule), until the goal is reached.",
    parts={"seed": int, "schedule": str},
)
def seeded(answer: dict[str, Any]) -> Verdict:
    """A level drawn from a seed."""
    return _won(levels.dare(answer["seed"]), answer["schedule"])
