"""What both Pythons are asked to make: searches, outcomes, and pictures.  Standard library only."""

from __future__ import annotations

import sys

from mmsim.engine.explore import explore
from mmsim.engine.schedule import render
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SMALL, make, split_race
from mmsim.scenarios.host import host
from mmsim.views.chances import chances, chances_picture
from mmsim.views.columns import columns_picture
from mmsim.views.flow import flow_picture
from mmsim.views.memory import memory
from mmsim.views.run import step_table
from mmsim.views.state import state_picture

# Huge pages of four pages; a holder who comes and goes at any moment.
HOLDER = {"order": 2, "released": "1", "passes": 3}
# What is searched: a name, scenario, knobs, versions.
SEARCHES = (
    ("search", "vfio_map", HOLDER, tuple(VERSIONS)),
    ("drop_caches", "pin_versus", SMALL, ("base", "v2", "v3")),
)
# The report's own situation, with 512 pages: refused at base, split and moved at v3; and the same
# huge page mapped by VFIO, with drop_caches on it.
RUNS = {
    "base": ("vfio_map", "base", {}),
    "v3": ("vfio_map", "v3", {"released": "1"}),
    "map": ("pin_versus", "base", {}),
}


def searches() -> dict[str, object]:
    """States, edges, schedules, and of each way to end: how many ends, how many schedules, odds."""
    made = {}
    for name, scenario, knobs, versions in SEARCHES:
        for version in versions:
            situation = make(scenario, version, knobs, merge=True)
            found = explore(situation)
            made[f"{name} {version}"] = {
                "complete": found.complete,
                "states": found.states,
                "edges": found.edges,
                "schedules": str(found.schedules()),
                "outcomes": {
                    each.name: (each.states, str(each.schedules), str(each.odds))
                    for each in found.outcomes(situation.outcome)
                },
            }
    return made


def pictures() -> dict[str, str]:
    """Of each run: pictures at the beginning, in the middle and at the end, flow, ledger, table;
    and a host's memory."""
    made = {}
    for version, (scenario, row, knobs) in RUNS.items():
        trace = make(scenario, row, knobs).run()
        for position in (0, 16, len(trace) // 2, len(trace)):
            made[f"{version} {position}.svg"] = state_picture(trace.at(position)).svg
        made[f"{version} flow.svg"] = flow_picture(trace).svg
        made[f"{version} steps.txt"] = step_table(trace)
    seen = memory(host(host=64, cma=25, used=60, scattered=80).zone)
    made["host.svg"], made["host.txt"] = seen.svg, seen.words
    return made


def schedules() -> dict[str, str]:
    """Every schedule of the smallest race: chances, columns."""
    race = split_race(released="1", order=1)
    found = race.explore()
    rows = chances(found.outcomes(race.fate))
    return {
        "race chances.svg": chances_picture(rows).svg,
        "race columns.svg": columns_picture(race.replay("split*8 holder split*3")).svg,
    }


def others() -> dict[str, object]:
    """The schedule of the usual run."""
    return {"usual": render(make("pin_versus", "v3", SMALL).run().moves)}


def made() -> dict[str, object]:
    """Everything, and which Python made it."""
    pieces = (searches(), pictures(), schedules(), others())
    return {
        "platform": sys.platform,
        **{key: each for piece in pieces for key, each in piece.items()},
    }
