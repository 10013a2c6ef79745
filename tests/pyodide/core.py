"""What both Pythons are asked to make: searches, outcomes, and pictures.  Standard library only."""

from __future__ import annotations

import sys
from collections import Counter

from mmsim.hosts import host
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import make, vfio_map
from mmsim.views.balance import ledger_svg
from mmsim.views.flow import flow_svg
from mmsim.views.ledger import JUST, ledger
from mmsim.views.memory import memory
from mmsim.views.picture import state_svg
from mmsim.views.text import step_table

# Huge pages of four pages; a stranger who comes and goes at any moment.
SEARCH = {"order": 2, "released": "1", "passes": 3}
# The report's own situation, with 512 pages: refused at base, split and moved at v3.
RUNS = {"base": {}, "v3": {"released": "1"}}


def searches() -> dict[str, object]:
    """For each version: states, edges, schedules, and how often the pin ends in which way."""
    made = {}
    for version in VERSIONS:
        found = make("vfio_map", version, SEARCH, merge=True).explore()
        ends = [found.found[end] for end in found.ends]
        made[f"search {version}"] = {
            "complete": found.complete,
            "states": found.states,
            "edges": found.edges,
            "schedules": found.schedules(),
            "outcomes": dict(Counter(found.scenario.outcome(end) for end in ends)),
        }
    return made


def pictures() -> dict[str, str]:
    """Of each run: pictures at the beginning, in the middle and at the end, flow, ledger, table;
    and a host's memory."""
    made = {}
    for version, knobs in RUNS.items():
        trace = vfio_map(version, **knobs).run()
        for position in (0, 16, len(trace) // 2, len(trace)):
            made[f"{version} {position}.svg"] = state_svg(trace, position)
        made[f"{version} flow.svg"] = flow_svg(trace)
        book = ledger(trace.state(16).world, "A")
        assert book is not None
        made[f"{version} ledger.svg"] = ledger_svg(book, JUST)
        made[f"{version} steps.txt"] = step_table(trace)
    made["host.svg"], made["host.txt"] = memory(host(host=64, cma=25, used=60, scattered=80).zone)
    return made


def made() -> dict[str, object]:
    """Everything, and which Python made it."""
    return {"platform": sys.platform, **searches(), **pictures()}
