"""Every step has its row in the table of words, and what is made of it can be read."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable

import pytest
from small import NR, ORDER, folio, memory
from view_states import run

import mmsim.mm
from mmsim.constants import PAGE_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.op import Atomic
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import record
from mmsim.mm import actors
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
from mmsim.mm.versions import BASE, VERSIONS
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import Limits, World
from mmsim.scenarios import SCENARIOS, Situation, make, split_race, vfio_map
from mmsim.views.operations import OPS, call, intent, sentence
from mmsim.views.run import fold, step_table, summary


def test_every_step_has_a_row_and_every_row_a_step() -> None:
    names = [module.name for module in pkgutil.iter_modules(mmsim.mm.__path__)]
    modules = [importlib.import_module(f"mmsim.mm.{name}") for name in names]
    values = [value for module in modules for value in vars(module).values()]
    kinds = [getattr(value, "atomic", None) for value in values]
    assert set(OPS) == {kind.name for kind in kinds if isinstance(kind, Atomic)}


RUNS = [
    ("base", {}),
    ("base", {"taken": "0.split.freeze"}),
    ("v2", {"released": "1", "order": 4}),
    ("base", {"holder": 0, "order": 4}),
    ("v1", {"targets": "available"}),
    ("base", {"reason": "compaction"}),
    ("base", {"order": 1, "thps": 2, "holder": 2}),
]


def _is_a_sentence(said: str) -> None:
    assert said.endswith(".")
    assert said[0].isupper()
    assert said.count("()") <= 1, said
    for wrong in ("\n", "  ", "None", "{", ", with "):
        assert wrong not in said, said


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_a_call_shows_what_a_reader_can_use(name: str) -> None:
    """No bare truth values, and no place in memory as a decimal number."""
    trace = make(name).run()
    calls = {call(trace.at(row.end)) for row in fold(trace)}
    assert not [each for each in calls if re.search(r"True|False|None|\b\d{5,}\b", each)]


@pytest.mark.parametrize(("version", "knobs"), RUNS)
def test_sentences_are_sentences(version: str, knobs: dict[str, object]) -> None:
    trace = run(version, **knobs)
    for row in fold(trace):
        _is_a_sentence(sentence(trace.at(row.end)))
    assert sentence(trace.at(0)).startswith("Before the first step: huge page")


@pytest.mark.parametrize("situation", [split_race(released="1"), vfio_map("v3", order=2)])
def test_what_will_be_done_is_short_and_names_the_page(situation: Situation) -> None:
    trace = situation.run()
    for i, event in enumerate(trace.events):
        said = intent(trace.state(i).world, event.op)
        assert 0 < len(said) <= 64
        assert "{" not in said
        assert event.op.kind.name not in said


def test_a_question_says_its_answer_and_a_command_what_came_of_it() -> None:
    trace = run("base")
    assert sentence(trace.at("can_split_folio")) == (
        "The pin asks: are all references to huge page A known? can_split_folio() says no, "
        "1 reference too many, so the split is refused."
    )
    assert sentence(trace.at("folio_get")) == (
        "The holder takes a reference to huge page A with folio_get(): "
        "its count goes from 513 to 514."
    )


def _device(memlock: int | None = None, **fields: object) -> tuple[World, Actor]:
    world = memory(folio(**fields), folio("B"), in_cma=False, vfio=Limits(memlock))
    map_ = MapDma((Extent("A", NR), Extent("B", NR)), 2 * NR * PAGE_SIZE)
    return world, Actor("other", lambda: vfio_dma_do_map(map_, VERSIONS["v3"]))


def _walk(order: int = ORDER, **fields: object) -> tuple[World, Actor]:
    world = memory(*[folio(name, order, **fields) for name in "ABC"])
    file = tuple(Extent(name, 1 << order) for name in "ABC")
    return world, Actor("other", lambda: drop_caches((file, (Extent("D", 1),)), BASE, 3))


def _alone(make: Callable[..., Actor], *more: int, **fields: object) -> tuple[World, Actor]:
    return memory(folio(**fields)), make("other", "A", *more)


BRIEF = (actors.direct_io, actors.lookup)
CUED = (actors.pinner, actors.locker, actors.isolator, actors.truncater)
OTHERS: dict[str, tuple[World, Actor]] = {
    "walk over dirty": _walk(),
    "walk over clean": _walk(dirty=False, pmd_maps=0),
    "walk over single pages": _walk(0),
    "walk over locked": _walk(locked_by="somebody"),
    "walk over isolated": _walk(lru=False, held=(("isolation", 1),)),
    "map": _device(),
    "map beyond the limit": _device(6, dirty=False),
    "no access": _alone(actors.fault),
    **{f.__name__: _alone(f) for f in BRIEF},
    **{f.__name__: _alone(f, 0) for f in CUED},
    "holder of two": _alone(actors.holder, 0, 2),
    "fault": _alone(actors.fault, pmd_maps=0),
    "nothing there": (memory(folio("B")), actors.lookup("other", "A")),
    "I/O": (memory(folio()), actors.direct_io("other", "A", steps=2)),
}


@pytest.mark.parametrize(("world", "other"), OTHERS.values(), ids=OTHERS.keys())
def test_everyone_else_has_sentences(world: World, other: Actor) -> None:
    trace = record(Scenario("alone", world, (other,)), one_after_another)
    assert len(trace) > 0
    for position in range(1, len(trace) + 1):
        said = sentence(trace.at(position))
        assert said.startswith("The other ")
        _is_a_sentence(said)
    table = step_table(trace)
    assert max(map(len, table.splitlines())) <= 100
    assert "Extent(" not in table
    assert summary(trace).startswith(("Result: other returns", "Result: other is done"))
