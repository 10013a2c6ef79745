"""Every step has its row in the table of words, and what is made of it can be read."""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import partial

import pytest
from small import PFN, folio, isolated, memory
from small import run as alone

import mmsim.mm
from mmsim.constants import ANON
from mmsim.engine.actor import Actor
from mmsim.engine.op import Atomic
from mmsim.mm.actors import direct_io, fault, isolator, locker, pinner, truncater
from mmsim.mm.huge_memory import can_split_folio
from mmsim.scenarios import (
    SCENARIOS,
    boot_guest,
    drop_caches_only,
    make,
    pin_versus,
    split_race,
    vfio_map,
)
from mmsim.scenarios.guests import AGAINST
from mmsim.views.operations import OPS, call, intent, sentence
from mmsim.views.run_text import WIDTH, fold, step_table, summary


def test_every_step_has_a_row_and_every_row_a_step():
    names = [module.name for module in pkgutil.iter_modules(mmsim.mm.__path__)]
    modules = [importlib.import_module(f"mmsim.mm.{name}") for name in names]
    values = [value for module in modules for value in vars(module).values()]
    kinds = [getattr(value, "atomic", None) for value in values]
    assert set(OPS) == {kind.name for kind in kinds if isinstance(kind, Atomic)}


PINS = (
    {},
    {"taken": "0.split.freeze"},
    {"released": "1", "order": 4},
    {"holder": 0, "order": 4},
    {"targets": "available"},
    {"reason": "compaction"},
    {"order": 1, "thps": 2, "holder": 2},
    {"trouble": "writeback"},
    {"trouble": "truncated", "order": 1},
)
FILES = ({"mapped": "no"}, {"dirty": "no", "mapped": "no"}, {"held": 2}, {"locked": 2})
SITUATIONS = {
    **{name: make(name) for name in SCENARIOS if name != "boot_guest"},
    "boot_guest": boot_guest(host=16, guest=2, pin="none"),
    **{str(knobs): vfio_map("v1", **knobs) for knobs in PINS},
    **{word: pin_versus("v3", order=1, passes=2, against=word) for word in AGAINST},
    **{str(knobs): drop_caches_only(**{"order": 2, **knobs}) for knobs in FILES},
}
ALONE = {
    "I/O": direct_io("other", "A", steps=2),
    "fault": fault("other", "A"),
    **{cued.__name__: cued("other", "A", 0) for cued in (pinner, locker, isolator, truncater)},
}
RUNS = {
    **{name: situation.run for name, situation in SITUATIONS.items()},
    **{name: partial(alone, memory(folio(pmd_maps=0)), actor) for name, actor in ALONE.items()},
}


@pytest.mark.parametrize("make_run", RUNS.values(), ids=RUNS)
def test_what_is_said_of_a_step_is_a_sentence_and_its_call_can_be_read(make_run):
    """No bare truth values, and no place in memory as a decimal number."""
    trace = make_run()
    for row in fold(trace):
        moment = trace.at(row.end)
        said = sentence(moment)
        assert re.fullmatch(r"[A-Z][^\n{]*\.", said)
        assert said.count("()") <= 1, said
        assert not re.search("  |None|, with ", said), said
        assert not re.search(r"True|False|None|\b\d{5,}\b", call(moment))
    table = step_table(trace)
    assert max(map(len, table.splitlines())) <= WIDTH
    assert not re.search(r"\x1b|Extent\(| +$", table, re.MULTILINE)
    assert summary(trace).startswith("Result: ")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "2 references too many"),
        ({"cached": False}, "2 references too few"),
        ({"kind": ANON}, "2 references too many"),
        ({"kind": ANON, "cached": False}, "2 references too many"),
    ],
)
def test_a_refused_split_says_how_far_the_count_is_off(fields, said):
    def path():
        yield can_split_folio(PFN)

    held = isolated(held=(("holder", 2),), **fields)
    moment = alone(memory(held), Actor("pin", path)).at()
    assert f"says no, {said}" in sentence(moment)


@pytest.mark.parametrize("situation", [split_race(released="1"), vfio_map("v3", order=2)])
def test_what_will_be_done_is_short_and_names_the_page(situation):
    trace = situation.run()
    for i, event in enumerate(trace.events):
        said = intent(trace.state(i).world, event.op)
        assert 0 < len(said) <= 64
        assert "{" not in said
        assert event.op.kind.name not in said
