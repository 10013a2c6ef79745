"""Sentences, changes, tables and summaries."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

import pytest
from small import NR, ORDER, folio, memory
from view_states import run

import mmsim.mm
import mmsim.strangers
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import record
from mmsim.mm.container import Limits
from mmsim.mm.drop_caches import drop_caches
from mmsim.mm.folio import Extent
from mmsim.mm.holders import (
    direct_io,
    fault,
    fault_around,
    gup_fast,
    lookup,
    undrained_batch,
)
from mmsim.mm.versions import VERSIONS
from mmsim.mm.vfio import MapDma, vfio_dma_do_map
from mmsim.mm.world import World
from mmsim.scenarios import vfio_map
from mmsim.scenarios.page_life import page_with
from mmsim.strangers import isolator, locker, pinner, stranger, truncater
from mmsim.units import PAGE_SIZE
from mmsim.views.fold import fold
from mmsim.views.sentences import SENTENCES
from mmsim.views.text import changes, counters, sentence, step_table, summary


def _atomic_steps() -> set[str]:
    modules = [
        importlib.import_module(f"mmsim.mm.{m.name}")
        for m in pkgutil.iter_modules(mmsim.mm.__path__)
    ]
    return {
        kind.name
        for module in (*modules, mmsim.strangers)
        for value in vars(module).values()
        if (kind := getattr(value, "atomic", None)) is not None
    }


def test_every_step_has_a_sentence() -> None:
    missing = _atomic_steps() - set(SENTENCES)
    assert not missing, f"write a sentence for {sorted(missing)} in mmsim/views/sentences.py"
    assert not set(SENTENCES) - _atomic_steps()


RUNS = [
    ("base", {}),
    ("base", {"taken": "0.site2"}),
    ("v2", {"released": "1"}),
    ("base", {"stranger": 0}),
    ("v1", {"targets": "available"}),
    ("base", {"reason": "compaction"}),
    ("base", {"order": 1, "thps": 2, "stranger": 2}),
]


@pytest.mark.parametrize(("version", "knobs"), RUNS)
def test_sentences_are_sentences(version: str, knobs: dict[str, object]) -> None:
    trace = run(version, **knobs)
    positions = [0, *(row.end for row in fold(trace))]
    for position in positions:
        said = sentence(trace, position)
        assert said.endswith(".")
        assert said[0].isupper()
        assert "\n" not in said
        assert "  " not in said
        assert said.count("()") <= 1, said
        assert "None" not in said


@pytest.mark.parametrize(("order", "told"), [(9, "straight there"), (0, "a batch may hold it")])
def test_only_a_single_page_waits_for_its_list(order: int, told: str) -> None:
    trace = page_with(order=order).run()
    assert told in sentence(trace, trace.find("folio_add_lru"))


@pytest.mark.parametrize(
    "other",
    [
        pinner("other", "A", 0),
        locker("other", "A", 0),
        isolator("other", "A", 0),
        truncater("other", "A", 0),
        stranger("other", "A", 0, 2),
    ],
    ids=["pinner", "locker", "isolator", "truncater", "stranger"],
)
def test_other_actors_have_sentences_too(other: Actor) -> None:
    situation = vfio_map("base", stranger=0)
    trace = record(Scenario("alone", situation.initial().world, (other,)), one_after_another)
    for position in range(1, len(trace) + 1):
        assert sentence(trace, position).startswith("The other ")
    assert step_table(trace)
    assert summary(trace).startswith("Result: other is done")


def _device(memlock: int | None = None, **fields: object) -> tuple[World, Actor]:
    world = memory(folio(**fields), folio("B"), in_cma=False, vfio=Limits(memlock))
    map_ = MapDma((Extent("A", NR), Extent("B", NR)), 2 * NR * PAGE_SIZE)
    return world, Actor("other", lambda: vfio_dma_do_map(map_, VERSIONS["v3"]))


def _walk(order: int = ORDER, **fields: object) -> tuple[World, Actor]:
    world = memory(*[folio(name, order, **fields) for name in "ABC"])
    file = tuple(Extent(name, 1 << order) for name in "ABC")
    return world, Actor("other", lambda: drop_caches((file, (Extent("D", 1),)), 3))


def _alone(holder: Callable[..., Actor], **fields: object) -> tuple[World, Actor]:
    return memory(folio(**fields)), holder("other", "A")


OTHERS: dict[str, tuple[World, Actor]] = {
    "walk over dirty": _walk(),
    "walk over clean": _walk(dirty=False, pmd_maps=0),
    "walk over single pages": _walk(0),
    "walk over locked": _walk(locked_by="somebody"),
    "walk over isolated": _walk(lru=False, held=(("isolation", 1),)),
    "map": _device(),
    "map beyond the limit": _device(6, dirty=False),
    "no access": _alone(fault),
    **{f.__name__: _alone(f) for f in (direct_io, gup_fast, fault_around, lookup)},
    "fault": _alone(fault, pmd_maps=0),
    "fault around a locked page": _alone(fault_around, locked_by="somebody"),
    "gup_fast without a mapping": _alone(gup_fast, pmd_maps=0),
    "undrained": _alone(undrained_batch),
    "nothing there": (memory(folio("B")), lookup("other", "A")),
    "I/O": (memory(folio()), direct_io("other", "A", steps=2)),
}


@pytest.mark.parametrize(("world", "other"), OTHERS.values(), ids=OTHERS.keys())
def test_everyone_else_has_sentences(world: World, other: Actor) -> None:
    trace = record(Scenario("alone", world, (other,)), one_after_another)
    assert len(trace) > 0
    for position in range(1, len(trace) + 1):
        said = sentence(trace, position)
        assert said.startswith("The other ")
        assert said.endswith(".")
        assert said.count("()") <= 1, said
        assert "None" not in said
        assert "  " not in said
    table = step_table(trace, width=100)
    assert max(map(len, table.splitlines())) <= 100
    assert "Extent(" not in table
    assert summary(trace).startswith(("Result: other returns", "Result: other is done"))


def test_what_the_device_reaches_is_a_change() -> None:
    world, other = _device()
    trace = record(Scenario("alone", world, (other,)), one_after_another)
    at = trace.find("iommu_map")
    assert [str(change) for change in changes(trace, at)] == ["pages the device reaches 0 → 8"]
    assert [str(change) for change in changes(trace, 1)] == ["VFIO's lock free → other"]


def test_what_a_step_changed() -> None:
    trace = run("base")
    assert [str(change) for change in changes(trace, 1)] == [
        "A refs 513 → 514",
        "A held by stranger 0 → 1",
    ]
    assert changes(trace, 0) == []
    assert changes(trace, 16) == []
    assert [str(change) for change in changes(trace, 17)] == ["thp_split_page_failed 0 → 1"]


def test_counters_are_the_reported_pair() -> None:
    moved = dict(counters(run("base")))
    assert moved["thp_migration_fail"] == 1
    assert moved["thp_split_page_failed"] == 1
    moved = dict(counters(run("v2")))
    assert (moved["thp_migration_fail"], moved["thp_split_page_failed"]) == (11, 10)


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize(("version", "knobs"), RUNS[:4])
def test_the_table_fits(version: str, knobs: dict[str, object], width: int) -> None:
    table = step_table(run(version, **knobs), width=width)
    assert max(map(len, table.splitlines())) <= width
    assert "\x1b" not in table
    assert all(line == line.rstrip() for line in table.splitlines())


def test_the_summary_says_what_it_means() -> None:
    said = summary(run("base"))
    assert "pin returns -ENOMEM" in said
    assert "the virtual machine does not start" in said
    assert "Huge page A is whole and lies in CMA." in said
    said = summary(run("v2", released="1"))
    assert "all of its 512 pieces lie in ordinary memory" in said
    assert "can start" in said
    assert "although every page has been moved" in summary(run("base", stranger=0))
