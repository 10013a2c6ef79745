"""A search over every order of the steps: what was claimed, what was found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from mmsim.amounts import chance, count, plural
from mmsim.engine import schedule
from mmsim.engine.explore import Exploration, Outcome, Verdict
from mmsim.mm.versions import BASE
from mmsim.scenarios import Situation
from mmsim.scenarios.situation import Spec
from mmsim.views.run_text import heading
from mmsim.views.words import command_words

LEGEND = "share: of all schedules; odds: a fair coin says who moves; steps: of a shortest schedule"


class Searched(NamedTuple):
    """A search of a situation and what was asked of it.

    With a `goal` the claim is that some outcome has that in its name, else that every outcome is
    the aim of the scenario.  `preemptions_max`: the bound of the search, if it had one."""

    situation: Situation
    found: Exploration
    outcomes: Sequence[Outcome]
    goal: str | None = None
    preemptions_max: int | None = None

    @property
    def verdict(self) -> Verdict:
        """Does the claim hold?  One outcome settles it: one of the goal's name, or without a goal
        one that is not the aim."""
        goal, aim = self.goal, self.situation.aim.outcome
        settled = any(goal in each.name if goal else each.name != aim for each in self.outcomes)
        if not settled and not self.found.complete:
            return Verdict.NOT_FINISHED
        return Verdict.HOLDS if settled == bool(goal) else Verdict.BROKEN

    def as_json(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "states": self.found.states,
            "edges": self.found.edges,
            "schedules": self.found.schedules(),
            "verdict": self.verdict.value,
            "complete": self.found.complete,
            "outcomes": [
                {
                    "name": each.name,
                    "schedules": each.schedules,
                    "odds": f"{each.odds.numerator}/{each.odds.denominator}",
                    "shortest": None if each.shortest is None else schedule.render(each.shortest),
                }
                for each in self.outcomes
            ],
        }

    def report(self, *, as_it_begins: bool = False) -> str:
        """The answer as text.  `as_it_begins`: no knob was turned."""
        situation, found = self.situation, self.found
        n = self.preemptions_max
        bound = "" if n is None else f" with at most {plural(n, 'preemption')}"
        schedules = found.schedules() if found.complete else None
        lines = [heading(situation)]
        if situation.spec.searched and as_it_begins:
            lines.append(f"          {search_begins(situation.spec)}")
        numbers = f"{count(found.states)} states, {count(found.edges)} edges"
        if found.complete:
            ways = plural(schedules, "schedule")
            lines += [f"searched  {numbers}, {ways}: all{bound or ' there are'}", ""]
        else:
            waiting = f"{count(found.waiting)} states had no turn ({found.stopped})"
            lines += [f"searched  {numbers}; {waiting}", ""]
        if self.outcomes:
            lines.append(outcome_table(self.outcomes, schedules))
            if bound:
                lines.append("      with a bound the coin is tossed among those who may still move")
        else:
            lines.append("No run has come to an end yet.")
        lines += self._shortest()
        claim = f"every order{bound} ends in {situation.aim.outcome!r}"
        if self.goal is not None:
            claim = f"some order{bound} ends in {self.goal!r}"
        lines += ["", f"Claim: {claim}.  Verdict: {self.verdict.value}."]
        if not found.complete:
            lines.append("search not finished: the numbers above are those so far")
        return "\n".join(lines)

    def _shortest(self) -> list[str]:
        name = self.situation.version.name
        version = "" if name == BASE.name else name
        replay = command_words("replay", self.situation.name, version, self.situation.knobs)
        lines = []
        for each in self.outcomes:
            if each.shortest is not None:
                lines += ["", f"{each.name}: shortest schedule, {len(each.shortest)} steps"]
                lines.append(f'  {replay} "{schedule.render(each.shortest)}"')
        return lines


def search_begins(spec: Spec) -> str:
    """With which knobs a search of this scenario begins."""
    knobs = " ".join(f"{name}={value}" for name, value in spec.searched.items())
    return f"a search of {spec.name} begins with {knobs}; --set turns that, too"


def outcome_table(outcomes: Sequence[Outcome], schedules: int | None) -> str:
    """A line for each outcome, and what the columns are.  `schedules`: all there are, if known.

    The share is not the odds: a schedule is the less likely, the more often somebody else could
    have moved in it."""
    rows = [("outcome", "schedules", "share", "odds", "steps")]
    for each in outcomes:
        share = ""
        if schedules and each.schedules is not None:
            share = chance(Fraction(each.schedules, schedules))
        steps = "" if each.shortest is None else count(len(each.shortest))
        rows.append((each.name, count(each.schedules), share, chance(each.odds), steps))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *numbers in rows:
        right = [f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([f"{name:<{widths[0]}}", *right]))
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", LEGEND])
