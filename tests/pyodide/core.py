"""What both Pythons are asked to make: searches, and every card of every lesson with its answer."""

from __future__ import annotations

import importlib
import sys

from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SMALL, make

# Huge pages of four pages; a holder who comes and goes at any moment.
HOLDER = {"order": 2, "released": "1", "passes": 3}
# What is searched: a name, scenario, knobs, versions.
SEARCHES = (
    ("search", "vfio_map", HOLDER, tuple(VERSIONS)),
    ("drop_caches", "pin_versus", SMALL, ("base", "v2", "v3")),
)


def searches() -> dict[str, object]:
    """States, edges, schedules, and of each way to end: how many ends, how many schedules, odds."""
    made = {}
    for name, scenario, knobs, versions in SEARCHES:
        for version in versions:
            situation = make(scenario, version, knobs, merge=True)
            found = situation.explore()
            outcomes = found.outcomes(situation.outcome)
            ends = {
                each.name: (each.states, str(each.schedules), str(each.odds)) for each in outcomes
            }
            made[f"{name} {version}"] = {
                "complete": found.complete,
                "states": found.states,
                "edges": found.edges,
                "schedules": str(found.schedules()),
                "outcomes": ends,
            }
    return made


def cards() -> dict[str, str]:
    """Lesson and card -> its HTML, with the stand-in for pandas."""
    sys.path.insert(0, "/project/tools/lite")
    from mmsim.lessons import COURSE
    from mmsim.lessons.card import Card

    found = {}
    for lesson in COURSE:
        for card in vars(importlib.import_module(f"mmsim.lessons.{lesson.name}")).values():
            if isinstance(card, Card):
                found[f"{lesson.stem}.{card.name}"] = card.solved()._repr_html_()
    return found


def made() -> dict[str, object]:
    """Everything, and who made it."""
    return {
        "platform": sys.platform,
        "searches": searches(),
        "cards": cards(),
        "pandas": importlib.import_module("pandas").__file__,
    }
