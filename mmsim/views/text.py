"""A run in words.

Interface: sentence, changes, Change, step_table, counters, summary
"""

from __future__ import annotations

from mmsim.engine.trace import Trace
from mmsim.mm.world import World
from mmsim.scenarios.fates import DROPPED, MAPPED, PINNED, SPLIT, TAKEN
from mmsim.views.changes import Change, changes, counters, pieces
from mmsim.views.names import main_actor, place, plural, result_words
from mmsim.views.sentences import sentence
from mmsim.views.table import step_table

__all__ = ["Change", "changes", "counters", "sentence", "step_table", "summary"]


def _regions(world: World) -> list[str]:
    return list(dict.fromkeys(folio.region for folio in world.folios.values() if folio.name))


def where_words(world: World, region: str) -> str:
    """Where the pages of a region are: one sentence."""
    folios = [(pfn, f) for pfn, f in world.folios.items() if f.name and f.region == region]
    if len(folios) == 1:
        pfn, folio = folios[0]
        kind = "Huge page" if folio.is_thp else "Page"
        return f"{kind} {region} is whole and lies in {place(world, pfn)}."
    inside, outside, _ = pieces(world, region)
    if not inside or not outside:
        all_ = "CMA" if inside else "ordinary memory"
        return f"{region} has been split; all of its {inside + outside} pieces lie in {all_}."
    return (
        f"{region} has been split; {inside} of its pieces lie in CMA, {outside} in ordinary memory."
    )


def _meaning(trace: Trace) -> str:
    """What the result means for whoever asked."""
    scenario = trace.scenario
    local = scenario.local(trace.last, main_actor(scenario))
    if not local.finished:
        return "The run stops before it is decided."
    rc, aim = local.result, getattr(scenario, "aim", None)
    if not isinstance(rc, int) or aim is None:
        return ""
    if aim in (PINNED, MAPPED):
        if aim.reached(rc):
            return "The memory is pinned outside CMA, so the virtual machine can start."
        moved = not any(_in_cma(trace.last.world))
        but = ", although every page has been moved" if moved else ""
        return f"The pin fails{but}, so the virtual machine does not start."
    if aim is TAKEN:
        return "The owner has its memory." if rc >= 0 else "The owner gets no memory."
    if aim is SPLIT:
        return "The huge page could not be split." if rc else "The huge page has been split."
    if aim is DROPPED:
        return "Nothing could be dropped." if rc == 0 else "What nobody needed was dropped."
    if rc == 0:
        return "Everything on the list was moved."
    if rc > 0:
        return "Some of it could not be moved: a positive number counts failures."
    return "The migration gave up with an error."


def _in_cma(world: World) -> list[bool]:
    return [world.in_cma(pfn) for pfn, folio in world.folios.items() if folio.name]


def summary(trace: Trace) -> str:
    """The result, the counters that moved, where the pages are now, and what that means."""
    actor = main_actor(trace.scenario)
    state = trace.last
    if trace.scenario.local(state, actor).finished:
        words = result_words(trace.scenario, state, actor)
        said = "is done" if words == "done" else f"returns {words}"
        lines = [f"Result: {actor} {said} after {plural(len(trace), 'step')}."]
    else:
        lines = [f"Result: {actor} has not finished after {plural(len(trace), 'step')}."]
    moved = counters(trace)
    size = max((len(name) for name, _ in moved), default=0)
    lines.append("Counters that moved:" if moved else "No counter moved.")
    lines += [f"  {name:<{size}}  {delta:+d}" for name, delta in moved]
    told = getattr(trace.scenario, "told", None)
    if told is not None:  # a situation with a story of its own
        return "\n".join([*lines, *told(trace)]) + "\n"
    lines += [where_words(state.world, region) for region in sorted(_regions(state.world))]
    meaning = _meaning(trace)
    return "\n".join([*lines, meaning] if meaning else lines) + "\n"
