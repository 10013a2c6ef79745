"""What people call things: pages, places, actors, results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from mmsim import errno
from mmsim.engine.scenario import Scenario, State
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.world import World, page_name
from mmsim.scenarios import SCENARIOS
from mmsim.scenarios.situation import Situation, fails

# -- lists


def in_a_row(codes: Sequence[str]) -> str:
    """ "0, 0", but "-EAGAIN ×5" for more than two of one kind in a row."""
    runs = [(code, len(list(group))) for code, group in groupby(codes)]
    return ", ".join(f"{code} ×{n}" if n > 2 else ", ".join([code] * n) for code, n in runs)


# -- names

_SUBJECTS = {
    "migrate": "the migration",
    "owner": "the owner of the area",
    "drop_caches": "the drop_caches walk",
    "mincore": "the mincore call",
    "move_pages": "the move_pages call",
    "direct_io": "the direct I/O",
}


def page_words(folio: Folio) -> str:
    """ "huge page A", "piece 17 of A", "page P", or what an unnamed folio is for."""
    if not folio.name:
        if ISOLATION in dict(folio.held):
            return "the emptied old huge page" if folio.is_thp else "the emptied old page"
        return "the new huge page" if folio.is_thp else "the new page"
    if folio.is_thp:
        return f"huge page {folio.name}"
    if folio.name == page_name(folio.region, folio.index):
        return f"piece {folio.index} of {folio.region}"
    return f"page {folio.name}"


def short_name(world: World, pfn: int) -> str:
    """The folio's name as it stands in a table: `A`, `A[17]`, `new page`."""
    folio = world.folios.get(pfn)
    if folio is None:
        return "freed page"
    return folio.name or ("old page" if ISOLATION in dict(folio.held) else "new page")


def area(migratetype: str) -> str:
    """Memory of a migratetype."""
    return {"CMA": "CMA", "MOVABLE": "ordinary memory"}.get(migratetype, f"{migratetype} memory")


def place(world: World, pfn: int) -> str:
    """Which memory a pfn lies in."""
    return area(world.pageblock_type(pfn))


def subject(actor: str) -> str:
    """An actor in the middle of a sentence: "the pin", "the drop_caches walk"."""
    return _SUBJECTS.get(actor, f"the {actor}")


def main_actor(scenario: Scenario) -> str:
    """The actor whose result matters: the situation's own choice, or the first."""
    return scenario.main if isinstance(scenario, Situation) else scenario.actors[0].name


def version_words(scenario: Scenario) -> str:
    """Which version of the kernel a situation is about."""
    return f"version {scenario.version.name}" if isinstance(scenario, Situation) else "no version"


def result_words(scenario: Scenario, state: State, actor: str) -> str:
    """What a finished actor returned, for people."""
    result: Any = scenario.local(state, actor).result
    if isinstance(result, bool) or not isinstance(result, int):
        return "done" if result is None else str(result)
    if isinstance(scenario, Situation) and actor == scenario.main and scenario.aim.succeeds(result):
        return scenario.aim.say(result)
    return errno.name(result)


def outcome_sign(outcome: str) -> str:
    """Which of `svg.OUTCOMES` stands for an outcome that a situation names."""
    if outcome == "not finished":
        return outcome
    return "failure" if fails(outcome) else "success"


# -- commands


def command_words(verb: str, scenario: str, version: str, knobs: Mapping[str, object]) -> str:
    """The command that runs or replays a scenario, without knobs that have their default value."""
    defaults = {knob.name: str(knob.default) for knob in SCENARIOS[scenario].knobs}
    turned = [
        f"--set {name}={value}"
        for name, value in knobs.items()
        if defaults.get(name) not in (None, str(value))
    ]
    named = [f"--version {version}"] if version else []
    return " ".join(["mmsim", verb, scenario, *named, *turned])
