"""The tasks of lesson 04 about drop_caches, and about time."""

from __future__ import annotations

from mmsim.checks import Verdict, failed, passed, task
from mmsim.engine.schedule import render
from mmsim.evidence import timed
from mmsim.scenarios import SMALL, drop_caches_only, pin_versus
from mmsim.scenarios.fates import MISSED, NOT_SPLIT
from mmsim.scenarios.windows import unlocked_and_referenced
from mmsim.views.meetings import FAILS, WAITS, meets


@task(
    "04.window",
    "a whole number: steps that drop_caches has taken when the pin comes",
    "In 6.1 the lock only makes the pin wait. Which steps come after folio_unlock()?",
    "folio_put() ends the window: the reference is gone.",
    "Count the steps of the walk: after folio_unlock() the window is open.",
    parts=int,
)
def window(answer: int) -> Verdict:
    """Judged by a run: drop_caches takes so many steps, and then the pin runs alone."""
    walk = len(drop_caches_only(folios=1).run())
    if answer not in range(walk + 1):
        return failed(f"drop_caches takes {walk} steps in all: write a number from 0 to {walk}")
    situation, state, fate = meets("v2", answer)
    if unlocked_and_referenced(situation, state, "drop_caches"):
        return passed(
            f"after {answer} steps the page is unlocked and has one reference too many",
            _OFF if fate == WAITS else _TRIED.format(state.world.vmstat["thp_split_page_failed"]),
        )
    if fate == WAITS:
        return failed(f"after {answer} steps drop_caches has the lock of the page: the pin waits")
    if fate == FAILS:
        return failed(f"after {answer} steps it fails, but drop_caches has yet to lock the page")
    walked = situation.local(state, "drop_caches")
    who = "drop_caches is done with the page" if walked.finished else "nobody is in the way"
    return failed(f"after {answer} steps the split goes through: {who}")


_TRIED = "As long as drop_caches stands still here, v2 tries in every pass: {} refusals."
_OFF = (
    "Just here it is off its LRU list too, so the pin can't isolate it, and waits until the batch\n"
    "of step 9 is through (step 12). Then it is refused, as everywhere in this window."
)


_ENDS = {"not split": NOT_SPLIT, "piece missed": MISSED, "mapped": "mapped"}


@task(
    "04.left",
    "a dict: (version, how it ends) -> True if some order of the steps ends so",
    "Base counts a split as a failure, whatever becomes of the pieces.",
    "drop_caches can stand still for as long as ten passes take.",
    "The pieces have a round of their own, with one pass, in every version.",
    parts={(version, end): bool for version in ("base", "v2") for end in _ENDS},
)
def left(answer: dict[tuple[str, str], bool]) -> Verdict:
    """Judged by every order of the steps of a small pin and one drop_caches."""
    for version in dict.fromkeys(version for version, _ in answer):
        found = pin_versus(version, **SMALL).explore()
        name = found.scenario.outcome  # type: ignore[attr-defined]
        ends = {outcome.name: outcome.shortest for outcome in found.outcomes(name)}
        for short, end in _ENDS.items():
            schedule = ends.get(end)
            if answer[version, short] is bool(schedule):
                continue
            if schedule:
                shown = (
                    "a shortest order of steps (pin*9 means nine steps of the pin): "
                    f"{render(schedule)}"
                )
                return failed(f"{version} can end so ({end})", shown)
            return failed(f"{version} never ends so ({end}), in any order of the steps")
    return passed(
        "of these two failures the patch takes none away: it makes one rarer, and the other it "
        "does not touch"
    )


@task(
    "04.longer",
    "one of earlier, same, later",
    "The patch makes no pause. What takes most of the time between two attempts?",
    "An attempt asks for a huge page first, and compaction is part of that.",
    "Ten attempts that last longer end later.",
    parts=("earlier", "same", "later"),
)
def longer(answer: str) -> Verdict:
    """Judged by the clock: until when does a reference have to go?"""
    short, long = (timed.closeness("v2", how).model for how in ("injected", "fragmented"))
    right = "later" if long > short else "earlier" if long < short else "same"
    told = (
        "an attempt that compacts lasts longer, so the last of ten looks at the count after "
        f"{long:.0f} µs instead of {short:.0f}"
    )
    median = "Each is the median of many runs whose steps last now longer, now shorter."
    return passed(told, median) if answer == right else failed(f"{right}: {told}", median)
