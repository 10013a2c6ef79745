"""Every schedule behind a few knobs: who is quicker, how many passes.

A knob moves a search of at most `STATES_MAX` states; if there are more, the words say that it is
not finished, and what was found so far."""

from __future__ import annotations

from mmsim.engine.explore import explore
from mmsim.engine.schedule import render
from mmsim.errors import nearest
from mmsim.scenarios import SCENARIOS, Situation
from mmsim.scenarios.situation import Knob
from mmsim.views.chances import PACES, chances, chances_picture, pace_words
from mmsim.views.svg import Picture
from mmsim.views.words import plural
from mmsim.widgets.console import Console, turned

STATES_MAX = 5_000


def explored(situation: Situation, pace: str) -> Picture:
    """How all schedules end.  `pace`: of the main actor."""
    asked = situation.merged()
    found = explore(asked, states_max=STATES_MAX)
    states, schedules = plural(found.states, "state"), found.schedules()
    paces = {asked.main: next(each for each in PACES if pace_words(each) == pace)}
    outcomes = found.outcomes(asked.fate, paces)
    if not found.complete:
        ends = [f"{o.name}: {render(o.shortest)}" for o in outcomes if o.shortest is not None]
        return Picture(
            "", "\n".join([f"Search not finished after {states}. It found so far:", *ends])
        )
    if schedules is None:
        return Picture("", f"{states}; some schedules go on for ever.")
    drawn = chances_picture(chances(outcomes))
    return Picture(drawn.columns, f"{states}, {plural(schedules, 'schedule')}.")


def explorer(situation: Situation) -> Console:
    """A widget to look at all schedules of a situation that has a knob `passes`."""
    known = {knob.name: knob for knob in SCENARIOS[situation.name].knobs}
    if "passes" not in known:
        raise ValueError(f"{situation.name} has no knob 'passes'{nearest('passes', known)}")
    steps = f"how many steps {situation.main} takes for one of another actor, on the average"
    pace = Knob("pace", "1 : 1", steps, allowed=tuple(map(pace_words, PACES)))
    return turned(
        lambda pace, passes: explored(situation.with_(passes=passes), pace),
        (pace, known["passes"]),
        passes=situation.knobs["passes"],
    )
