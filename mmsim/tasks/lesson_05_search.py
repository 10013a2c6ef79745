"""The tasks of lesson 05 that the search through all schedules judges."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import Any

from mmsim.checks import ANSWERED, Verdict, failed, passed, task
from mmsim.engine.explore import Verdict as Said
from mmsim.engine.explore import explore
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import along, parse, render, replaying
from mmsim.engine.trace import record
from mmsim.mm.versions import LATEST
from mmsim.practice.mutants import CONTRADICTION, deaths
from mmsim.practice.mutants import make as mutated
from mmsim.scenarios import Situation, make, split_race
from mmsim.scenarios.fates import MISSED, NOT_SPLIT, fails
from mmsim.scenarios.split_race import CLAIMS
from mmsim.views.chances import PACES, all_failures, pace_words
from mmsim.views.run import step_table
from mmsim.views.waystofail import ANY_STEP, failure_odds
from mmsim.views.words import chance, read_fraction

RACE = split_race("base", released="1")


LAST = 12


def _steps(situation: Situation, moves: list[Move], last: int = 0) -> str:
    """A run as a table, to stand under a verdict; `last`: only so many of its lines."""
    head, rule, *lines = step_table(record(situation, replaying(moves))).splitlines()
    if last and len(lines) > last:
        lines = ["   …  (what comes before is as usual)", *lines[-last:]]
    table = "\n".join([head, rule, *lines])
    return f"schedule {render(moves)}\n\n{table}"


# -- claims and verdicts


@task(
    "05.claims",
    "a dict: claim -> 'holds' or 'broken'",
    "Try to break each claim with a schedule of your own first.",
    "Two are broken. One by a stranger who comes in time but too late for the check.",
    "checked and mapped are broken.",
    parts=dict.fromkeys(CLAIMS, (Said.HOLDS.value, Said.BROKEN.value)),
)
def claims(answer: dict[str, str]) -> Verdict:
    """A wrong “holds” is answered with the shortest schedule that breaks the claim."""
    found = explore(RACE.merged(), properties=list(CLAIMS.values()))
    for (name, claim), finding in zip(CLAIMS.items(), found.findings, strict=True):
        if answer[name] == finding.verdict.value:
            continue
        if finding.schedule is not None:
            after = f"after {len(finding.schedule)} steps"
            why = f"{after} it is not so" if claim.always else f"{after} it is so"
            return failed(f"{name}: {why}", _steps(RACE, list(finding.schedule)))
        return failed(f"{name}: none of all {found.states} states contradicts it")
    return passed(f"as the search through all {found.states} states says")


STOPPED_AFTER = (10, 25, 40)


@task(
    "05.verdicts",
    "a dict: what is said of a claim -> True or False",
    "What could the states that were not searched still change?",
    "A single state is enough to break “always”, and to prove “sometimes”.",
    "always holds: False, always broken: True, sometimes holds: True, sometimes broken: False.",
    parts=dict.fromkeys(
        ("always holds", "always broken", "sometimes holds", "sometimes broken"), bool
    ),
)
def verdicts(answer: dict[str, bool]) -> Verdict:
    """What an unfinished search may say, by what unfinished searches say."""
    seen: dict[str, str] = {}
    for states_max in STOPPED_AFTER:
        found = RACE.explore(states_max=states_max, properties=list(CLAIMS.values()))
        for (name, claim), finding in zip(CLAIMS.items(), found.findings, strict=True):
            kind = "always" if claim.always else "sometimes"
            seen.setdefault(f"{kind} {finding.verdict.value}", f"{name}, after {states_max} states")
    for said, given in answer.items():
        if given and said not in seen:
            return failed(f"“{said}”: the states that are missing could still change that")
        if not given and said in seen:
            return failed(f"“{said}” is said of {seen[said]}: the state that decides it was found")
    return passed("a found state is found; that nothing else is there takes all of them")


# -- odds

LIKELY = ("stranger*2 split*13", "split*6 stranger split*3 stranger")


@task(
    "05.odds",
    "a dict: schedule -> its odds, as text such as '1/8'",
    "At each step, how many actors could move?",
    "One half for each step at which both could; nothing for the others.",
    "Once one of the two has returned, there is no coin to toss any more.",
)
def odds(answer: dict[str, Any]) -> Verdict:
    """The product of the coins."""
    for text in LIKELY:
        parts = along(RACE, parse(text, [actor.name for actor in RACE.actors]))
        try:
            given = read_fraction(str(answer[text]))
        except ValueError as error:
            return failed(f"{text}: {error}")
        if given != prod(parts):
            if "05.odds" not in ANSWERED:
                why = (
                    "at which steps could both have moved? Play it: who can still move at the end?"
                )
                return failed(f"{text}: not {answer[text]}; {why}")
            crossroads = sum(part < 1 for part in parts)
            return failed(f"{text}: both could move at {crossroads} of its {len(parts)} steps")
    return passed("a half for each step at which both could have moved")


@task(
    "05.sliders",
    "a dict with a pace, such as '3 : 1', and a number of interruptions",
    "Move one slider at a time, and read the bar of all failures together.",
    "The stranger must be there when the split looks, and still be there when it has looked.",
    "pace 9 : 1; two interruptions.",
    parts={"pace": object, "interruptions": int},
)
def sliders(answer: dict[str, Any]) -> Verdict:
    """Both by the search."""
    likely = {
        pace_words(pace): all_failures(RACE, {RACE.main: pace}).odds or Fraction(0)
        for pace in PACES
    }
    best = max(likely, key=likely.__getitem__)
    pace = _pace(answer["pace"])
    if pace not in likely:
        return failed(f"pace can be {', '.join(map(repr, likely))}, not {answer['pace']!r}")
    if pace != best:
        given = chance(likely[pace])
        return failed(f"at {pace} the split fails in {given} of the runs; there is worse")
    for bound in range(answer["interruptions"] + 1):
        bounded = explore(RACE.merged(), preemptions_max=bound)
        if any("unmapped" in end.name for end in bounded.outcomes(RACE.fate)):
            if bound < answer["interruptions"]:
                return failed(f"{bound} interruptions are enough")
            worst = chance(likely[best])
            return passed(f"at {best} it fails in {worst} of the runs; {bound} interruptions")
    return failed(f"with {answer['interruptions']} interruptions no split is refused at the freeze")


def _pace(given: object) -> str:
    """`9 : 1`, however it was written: with or without blanks, or 9 alone."""
    main, _, others = str(given).partition(":")
    return f"{main.strip()} : {others.strip() or 1}"


# -- two steps as one


@task(
    "05.together",
    "a dict: what shall be impossible -> a pair of steps, such as ('xas_load', 'folio_ref_freeze')",
    "At the freeze: which step found nothing, and which one did?",
    "At all: what if the stranger came and went in one step?",
    "can_split_folio and folio_ref_freeze; folio_get and folio_put.",
    parts={"at the freeze": object, "at all": object},
)
def together(answer: dict[str, object]) -> Verdict:
    """A wrong pair is answered with a schedule that still fails."""
    for what, word in (("at the freeze", "unmapped"), ("at all", "failed")):
        pair = answer[what]
        if not isinstance(pair, tuple | list) or [*map(type, pair)] != [str, str]:
            return failed(f'{what}: write two names in brackets, such as ("one", "other")')
        try:
            situation = RACE.together(*pair)
        except ValueError as error:
            return failed(f"{what}: {error}")
        ends = situation.explore().outcomes(situation.fate)
        bad = [end for end in ends if word in end.name]
        if bad:
            schedule = list(bad[0].shortest or ())
            return failed(f"{what}: {bad[0].name}", _steps(situation, schedule))
        if what == "at the freeze" and not any(fails(end.name) for end in ends):
            return failed(
                "at the freeze: that makes every failure impossible; take two steps of the split"
            )
    return passed("each pair, by a search through all schedules that are left")


# -- what the patch changed


WALKED = {
    "huge page": "what does the patch do after a refusal, and will the walk still be there?",
    "piece": "one walk comes to each page once. Who was in the way of a refused split: before the "
    "pieces there are, or behind them?",
}

BECAUSE = {
    "huge page": "the patch tries the split again",
    "piece": "a piece still has its single attempt, and the walk that refused the split does not "
    "come to the pieces",
}


@task(
    "05.bridge",
    "a dict: way to fail -> 'smaller', 'same' or 'larger'",
    "What does the patch try again, and what not?",
    "A pin that was rescued has pieces now. Will the same walk come to them?",
    "The huge page: smaller. The piece: same.",
    parts=dict.fromkeys(("huge page", "piece"), ("smaller", "same", "larger")),
)
def bridge(answer: dict[str, str]) -> Verdict:
    """From 6.1.0 to v3."""
    before, after = (failure_odds(version)[ANY_STEP] for version in ("6.1.0", "v3"))
    for what, name in (("huge page", NOT_SPLIT), ("piece", MISSED)):
        old, new = before[name], after[name]
        right = "same" if old == new else "smaller" if new < old else "larger"
        if answer[what] != right and "05.bridge" not in ANSWERED:
            return failed(f"{what}: not {answer[what]}; {WALKED[what]}")
        if answer[what] != right:
            told = f"{chance(old)} in 6.1.0, {chance(new)} in v3"
            return failed(f"{what}: {told}; {BECAUSE[what]}")
    return passed("; ".join(BECAUSE.values()))


# -- mutations

DEATHS = {
    "a": "the pin can succeed after a refused split",
    "b": "at the end no page is locked",
    "c": "the first look can refuse a split",
    "d": CONTRADICTION,
}
MUTANTS = (
    "no first look",
    "freeze without comparing",
    "never again",
    "no unlock after the split",
)


@task(
    "05.mutants",
    "a dict: mutation -> one letter",
    "Which step would have noticed, and does a later one notice too?",
    "The freeze compares. Without a first look it still does.",
    "c, d, a, b in the order of the table.",
    parts=dict.fromkeys(MUTANTS, tuple(DEATHS)),
)
def mutants(answer: dict[str, str]) -> Verdict:
    """Against the search in the mutated model; a wrong letter gets the shortest run."""
    for name in MUTANTS:
        death = deaths(name)[0]
        if DEATHS[answer[name]] == death.property:
            continue
        lab = death.lab
        if death.lost:
            situation = make(lab.scenario, LATEST.name, lab.knobs)
            why = f"{name}: this run, of the unchanged model, can't happen any more"
        else:
            situation = mutated(name, lab.scenario, lab.knobs)
            why = f"{name}: look at what this run of the changed model does"
            why += "; one more step and " if death.why else ", and leaves behind"
        moves = list(death.schedule)
        # The last move of a contradiction can't be made.
        shown = moves[:-1] if death.property == CONTRADICTION else moves
        why += death.why
        return failed(why, _steps(situation, shown, LAST))
    return passed("as the search through all orders of steps says")
