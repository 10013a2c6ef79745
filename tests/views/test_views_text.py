"""Sentences, changes, tables and summaries."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from view_states import run

import mmsim.mm
import mmsim.script
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import record
from mmsim.scenarios import vfio_map
from mmsim.script import isolator, locker, pinner, stranger, truncater
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
        for module in (*modules, mmsim.script)
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
    assert summary(trace).startswith("Result: other returns done")


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
