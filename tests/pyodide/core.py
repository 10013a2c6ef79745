"""What both Pythons are asked to make: searches, and every card of every lesson with its answer."""

from __future__ import annotations

import importlib
import sys

from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SMALL, make

# Huge pages of four pages; a holder who comes and goes at any moment.
HOLDER = {"order": 2, "released": "1", "passes": 3}
# What is searched: scenario, knobs, versions.
SEARCHES = (("vfio_map", HOLDER, tuple(VERSIONS)), ("pin_versus", SMALL, ("v3",)))


def searches() -> dict[str, object]:
    """States, edges, schedules, and each way to end with its states, schedules and odds."""
    made = {}
    for scenario, knobs, versions in SEARCHES:
        for version in versions:
            situation = make(scenario, version, knobs, merge=True)
            found = situation.explore()
            assert found.complete
            ends = [str(each[:4]) for each in found.outcomes(situation.outcome)]
            counts = str((found.states, found.edges, found.schedules()))
            made[f"{scenario} {version}"] = [counts, *ends]
    return made


def cards() -> dict[str, str]:
    """Lesson and card -> its HTML, with the stand-in for pandas."""
    sys.path.insert(0, "/project/tools/lite")
    from mmsim.lessons import COURSE
    from mmsim.lessons.tally import cards_of

    cards = [(lesson.stem, card) for lesson in COURSE for card in cards_of(lesson)]
    return {f"{stem}.{card.name}": card.solved()._repr_html_() for stem, card in cards}


def made() -> dict[str, object]:
    """Everything, and who made it."""
    return {
        "platform": sys.platform,
        "searches": searches(),
        "cards": cards(),
        "pandas": importlib.import_module("pandas").__file__,
    }
