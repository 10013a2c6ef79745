"""Random lives of a world, checked after each step; a failure prints its replay.  A zone has its
own in mm/test_page_alloc.py.

`make stress` takes 1,000,000 steps; `STEPS=` asks for another number."""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mmsim.errors import UserError
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios import SCENARIOS

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
kinds = Counter[str]()  # the steps that were taken, by name


def values(knob):
    """Legal values of a knob; the smallest pages, so that a step is quick."""
    if knob.name == "order":
        return st.integers(1, 2)
    if knob.name in ("host", "guest"):
        return st.sampled_from([2, 8, 16, 32])
    if knob.is_pass_site:
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
            kinds[event.op.kind.name] += 1
            self.state.world.check()


def test_a_world_is_sound_after_each_step_of_anybody():
    while not kinds or kinds.total() < STEPS:
        run_state_machine_as_test(WorldLife, settings=TRIED)
    print(f"{kinds.total():,} steps of a world, {len(kinds)} atomic operations")
    assert kinds.total() > 500
    assert len(kinds) > 40
