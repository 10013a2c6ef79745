"""Random lives of a zone and of a world, checked after each step; a failure prints its replay.

`make stress` takes 1,000,000 steps; `STEPS=` asks for another number."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mmsim.constants import MAX_ORDER, PCP_TYPES
from mmsim.errors import UserError
from mmsim.mm.page_alloc import alloc_pages, free_pages, request, split_page, try_to_compact_pages
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS
from mmsim.scenarios.host import host

STEPS = int(os.environ.get("MMSIM_STRESS", "0"))
TRIED = settings(
    max_examples=200 if STEPS else 20,
    stateful_step_count=40,
    derandomize=not STEPS,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
taken = {"zone": 0, "world": 0}
kinds: set[str] = set()


class ZoneLife(RuleBasedStateMachine):
    """Requests, frees, splits and compaction, in any order."""

    @initialize(used=st.integers(0, 100), cma=st.integers(0, 100), seed=st.integers(0, 9))
    def begin(self, used, cma, seed):
        self.zone = host(host=16, used=used, cma=cma, seed=seed).zone
        self.mine = {}

    @rule(
        order=st.integers(0, MAX_ORDER - 1) | st.integers(0, 2),
        migratetype=st.sampled_from(PCP_TYPES),
        pin_scope=st.booleans(),
        nofragment=st.booleans(),
        movable=st.booleans(),
        compact=st.booleans(),
    )
    def ask(self, order, migratetype, pin_scope, nofragment, movable, compact):
        want = request(order, migratetype, pin_scope=pin_scope)._replace(nofragment=nofragment)
        free = self.zone.nr_free
        if compact and order:
            try_to_compact_pages(self.zone, want, keep=self.mine)
            assert self.zone.nr_free == free
        pfn = alloc_pages(self.zone, want, movable=movable)
        if pfn is not None:
            assert pfn not in self.mine
            self.mine[pfn] = order
        assert self.zone.nr_free == free - (0 if pfn is None else 1 << order)

    @precondition(lambda self: self.mine)
    @rule(which=st.integers(0, 1 << 16))
    def free(self, which):
        pfn = [*self.mine][which % len(self.mine)]
        free_pages(self.zone, pfn, self.mine.pop(pfn))

    @precondition(lambda self: self.mine)
    @rule(which=st.integers(0, 1 << 16))
    def split(self, which):
        pfn = [*self.mine][which % len(self.mine)]
        split_page(self.zone, pfn)
        order = self.mine.pop(pfn)
        self.mine |= dict.fromkeys(range(pfn, pfn + (1 << order)), 0)

    @invariant()
    def sound(self):
        if hasattr(self, "zone"):
            taken["zone"] += 1
            self.zone.check()
            assert all(self.zone.held[pfn].order == order for pfn, order in self.mine.items())


def values(knob):
    """Legal values of a knob; the smallest pages, so that a step is quick."""
    if knob.name == "order":
        return st.integers(1, 2)
    if knob.name in ("host", "guest"):
        return st.sampled_from([2, 8, 16, 32])
    if knob.is_moment:
        return st.sampled_from([*knob.allowed, "0", "1", "0.split.freeze"])
    if knob.several:
        return st.lists(st.sampled_from(knob.allowed), max_size=3, unique=True)
    if knob.allowed:
        return st.sampled_from(knob.allowed)
    return st.integers(knob.low, min(knob.high, max(knob.low + 3, 4)))


class WorldLife(RuleBasedStateMachine):
    """A situation with any knobs, and whoever may move, moves."""

    @initialize(
        name=st.sampled_from([*SCENARIOS]),
        version=st.sampled_from([*VERSIONS]),
        data=st.data(),
    )
    def begin(self, name, version, data):
        knobs = SCENARIOS[name].knobs
        chosen = data.draw(st.fixed_dictionaries({k.name: values(k) for k in knobs}))
        try:
            self.situation = SCENARIOS[name](version, **chosen)
        except UserError:  # two knobs that do not go together
            self.situation = SCENARIOS[name](version)
        self.state = self.situation.initial()

    @rule(picks=st.binary(min_size=1 + 40 * bool(STEPS), max_size=100))
    def walk(self, picks):
        for pick in picks:
            moves = self.situation.moves(self.state)
            if not moves:
                break
            before, move, keep = self.state.world, moves[pick % len(moves)], pick >= 240
            key = before.key() if keep else None
            self.state, event = self.situation.step(self.state, move, keep=keep)
            assert not keep or before.key() == key, "a step changed the world before it"
            taken["world"] += 1
            kinds.add(event.op.kind.name)
            self.state.world.check()


def live(life, kind, goal):
    while True:
        run_state_machine_as_test(life, settings=TRIED)
        if taken[kind] >= goal:
            return


def test_a_zone_is_sound_after_each_step():
    live(ZoneLife, "zone", STEPS // 20)
    assert taken["zone"] > 300
    print(f"{taken['zone']:,} steps of a zone")


def test_a_world_is_sound_after_each_step_of_anybody():
    live(WorldLife, "world", STEPS - STEPS // 20)
    assert taken["world"] > 500
    print(f"{taken['world']:,} steps of a world, {len(kinds)} atomic operations")
    assert len(kinds) > 40
