"""The tasks of lesson 04."""

from __future__ import annotations

from typing import Any

from mmsim.checks import FormError, Verdict, failed, letters, passed, task
from mmsim.engine.trace import Trace
from mmsim.lessons import counters_of, ran
from mmsim.lessons.the_report import QUESTIONS
from mmsim.mm.world import AVAILABLE
from mmsim.scenarios import Situation, vfio_map
from mmsim.scenarios.page_life import folio_of, page_with

SPLIT_STEPS = ("lock", "look", "unmap", "freeze", "cut", "unlock")
DISTRACTORS = ("pin", "wait")
# What the steps of the exercise are called in the model's run.
_OPS = {
    "folio_lock": "lock",
    "can_split_folio": "look",
    "unmap_folio": "unmap",
    "folio_ref_freeze": "freeze",
    "__split_huge_page": "cut",
    "folio_unlock": "unlock",
}


def _moved(trace: Trace) -> dict[str, int]:
    return {name: n for name, n in trace.last.world.vmstat.items() if n}


def _told(situation: Situation, trace: Trace) -> str:
    counters = ", ".join(f"{name} {n}" for name, n in _moved(trace).items() if "foll" not in name)
    return f"that run ends with {situation.result(trace.last)} and {counters or 'no counter moved'}"


def split_order() -> list[str]:
    """The steps of a split that succeeds, in the order of the model's run."""
    return [
        _OPS[event.op.kind.name]
        for event in vfio_map(stranger=0).run().events
        if event.op.kind.name in _OPS
        and any(frame.function == "try_split_thp" for frame in event.where)
    ]


letters(
    "04.recall",
    {
        "count": ("b", "512 of the page cache, 1 mapping, 1 isolation: {refs}"),
        "ends": ("c", "drop_caches lets go at the end of its batch; the other two stay"),
        "failed": ("b", "it counts splits that were begun and refused"),
    },
    "count: the page cache has one reference for each small page.",
    "ends: which of the three does nobody have to end? failed: what does begun mean?",
    "count is 512 + 1 + 1.",
    facts=lambda: {"refs": folio_of(page_with().run()).refcount},
)


@task(
    "04.pair",
    "a situation: vfio_map(...) with knobs of your choice",
    "Lesson 00 had suspects who need no stranger.",
    "stranger=0, and something else is the matter with the page: the knob trouble.",
    "trouble can be truncated, nomem or writeback; one of them is not counted as a refused split.",
)
def pair(answer: object) -> Verdict:
    """The reported counters, both of them, by a failing pin that met no stranger."""
    mine = ran(answer)
    if mine is None:
        raise FormError("the answer should be a situation: vfio_map(...) with knobs of your choice")
    situation, trace = mine
    if situation.knobs["targets"] == AVAILABLE:
        return failed("with a free huge page elsewhere no split is tried")
    told = _told(situation, trace)
    if set(counters_of(trace).values()) != {1} or not situation.result(trace.last).startswith("-"):
        return failed(told)
    if situation.knobs["stranger"]:
        return failed(f"{told}: the pair, but with a stranger; find one without")
    return passed(f"{told}, and nobody held a reference")


# What each kind of refusal leaves behind, and why.
LEFT = {
    "reference check": "it only looks, before anything is changed",
    "freeze": "the mappings are gone by then, and for a page of a file nobody puts them back",
}


@task(
    "04.second",
    "a dict: where the split was refused -> how many mappings the page has afterwards",
    "Between the two places the kernel removes the mappings.",
    "A refusal at the freeze comes after the mappings have gone.",
    "For memory of a file nobody puts them back.",
    parts={"reference check": int, "freeze": int},
)
def second(answer: dict[str, int]) -> Verdict:
    """What each kind of refusal leaves behind."""
    for name, taken in (("reference check", "start"), ("freeze", "0.site2")):
        trace = vfio_map(taken=taken).run()
        mapcount = next(iter(trace.last.world.folios.values())).mapcount
        if answer[name] != mapcount:
            return failed(f"after a refusal at the {name} the mapcount is {mapcount}: {LEFT[name]}")
    return passed(
        "the check comes before the mappings are removed, the freeze after it",
        "This page belongs to a file, so nobody maps it again; the guest has to fault it in.",
    )


@task(
    "04.order",
    "a list of step names in order",
    "Six of the eight steps happen. Which two would make things worse?",
    "Nobody may touch the page while it is cut: the mappings go, then all references at once.",
    "lock, look, unmap, freeze, cut, unlock",
    parts=tuple[str, ...],
)
def order(answer: tuple[str, ...]) -> Verdict:
    """A Parsons problem with two distractors."""
    right = split_order()
    unknown = [step for step in answer if step not in SPLIT_STEPS + DISTRACTORS]
    if unknown:
        return failed(f"there is no step {unknown[0]!r}")
    for number, step in enumerate(answer):
        if step in DISTRACTORS:
            return failed(f"{step!r} is not part of a split: {_WHY_NOT[step]}")
        if number >= len(right) or step != right[number]:
            if number >= len(right):
                return failed(f"after {right[-1]!r} the split is over")
            done = ", ".join(right[:number]) or "nothing"
            why = f"what belongs there comes first: {_WHY[right[number]]}"
            return failed(f"step {number + 1} is not {step!r}; {why}", f"done so far: {done}")
    if len(answer) < len(right):
        return failed(f"still to come: {_WHY[right[len(answer)]]}")
    reasons = "\n".join(f"{step}: {_WHY[step]}" for step in right)
    return passed("this is the order of the model's run", reasons)


_WHY = {
    "lock": "nobody else may move, cut or truncate the page meanwhile",
    "look": "cheap, and nothing has been changed yet if the answer is no",
    "unmap": "a mapping is a reference, and nobody may use the page while it is cut",
    "freeze": "from here on nobody can take a reference, so the count can't change any more",
    "cut": "only now is it safe to give each piece a count of its own",
    "unlock": "the pieces can be moved",
}
_WHY_NOT = {
    "pin": "a pin is one more reference, and would make the split impossible",
    "wait": "none of the versions waits for a reference to go; they look again at once or give up",
}


# When the stranger leaves: the conformance vectors C4 to C8.
RESCUES: dict[str, dict[str, Any]] = {
    "no stranger": {"stranger": 0},
    "before pass 1": {"released": 1},
    "before pass 3": {"released": 3},
    "before pass 9": {"released": 9},
    "never": {"released": "never"},
}


@task(
    "04.rescues",
    "a dict: case -> thp_migration_fail in v2 at the end",
    "A split that succeeds counts one failed migration too.",
    "Each refused attempt before it counts one more.",
    "Before pass 3: refused in passes 0, 1 and 2, split in pass 3.",
    parts=dict.fromkeys(RESCUES, int),
)
def rescues(answer: dict[str, int]) -> Verdict:
    """Judged by running v2 on each case."""
    for case, knobs in RESCUES.items():
        trace = vfio_map("v2", **knobs).run()
        found = counters_of(trace)
        if answer[case] != found["thp_migration_fail"]:
            refused = found["thp_split_page_failed"]
            split = trace.last.world.vmstat["thp_split_page"]
            last = "the page that was split instead of moved whole" if split else "giving up"
            told = f"{refused} for refused splits and 1 for {last}"
            return failed(f"{case}: v2 counts {found['thp_migration_fail']}, {told}")
    return passed("one for each refused attempt and one for the split, or for giving up")


# What lesson 04 has to say to each question of lesson 00's pre-test.
ANSWERS = {
    "users": (False, "512 of them are the page cache's, one for each small page"),
    "pinned": (False, "any reference will do, and a page can be refused without one"),
    "free": (False, "2 MiB in one piece outside CMA are needed; lesson 03 shows it"),
    "ten": (False, "the tries follow at once, so who stays longer than all ten is met ten times"),
    "errno": (True, "v2 tries again after -EAGAIN and gives up on -EBUSY"),
    "counter": (True, "in v2 a huge page refused in ten passes is counted eleven times"),
}


@task("04.posttest", "a dict: question -> True or False", parts=dict.fromkeys(QUESTIONS, bool))
def posttest(answer: dict[str, bool]) -> Verdict:
    """The six questions again, now with reasons."""
    wrong = [name for name in QUESTIONS if answer[name] is not ANSWERS[name][0]]
    if wrong:
        name = wrong[0]
        return failed(f"“{QUESTIONS[name]}” {ANSWERS[name][0]}: {ANSWERS[name][1]}")
    reasons = (f"{name}: {ANSWERS[name][0]}; {ANSWERS[name][1]}" for name in QUESTIONS)
    return passed("all six; the reasons stand below", "\n".join(reasons))
