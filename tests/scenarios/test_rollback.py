"""Whatever fails a map by VFIO, nothing of it is left: no pin, no mapping, no locked memory."""

import random

import pytest

from mmsim.engine.scenario import Scenario
from mmsim.engine.schedule import coin
from mmsim.engine.trace import run_to_end
from mmsim.mm.versions import VERSIONS
from mmsim.mm.world import Container
from mmsim.scenarios import pin_versus
from mmsim.scenarios.races import AGAINST

SEEDS = 1_000
PARTS = 10


def drawn(seed):
    """A situation drawn from a seed: version, knobs, what may fail besides, a memory limit."""
    rng = random.Random(seed)
    thps = rng.randint(1, 3)
    situation = pin_versus(
        rng.choice(list(VERSIONS)),
        thps=thps,
        order=rng.randint(1, 2),
        on=rng.randint(1, thps),
        against=[word for word in AGAINST for _ in range(2) if rng.random() < 0.3],
        passes=rng.randint(1, 4),
        targets=rng.choice(["none", "either", "available"]),
        io_steps=rng.randint(0, 9),
    )
    world = situation.initial().world
    limit = rng.choice([None, None, 3])
    faults = rng.random() < 0.3
    vfio = world.env.vfio._replace(memlock=limit)
    world.env = world.env._replace(faults=faults, vfio=vfio)
    return Scenario(situation.name, world, situation.actors)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_random_maps(part):
    failed = 0
    for seed in range(part, SEEDS, PARTS):
        scenario = drawn(seed)
        state = run_to_end(scenario, coin(seed))
        world, result = state.world, scenario.results(state)["pin"]
        world.check()
        if result == 0:
            assert sum(run.pages for run in world.container.maps) == world.container.locked_vm > 0
            continue
        failed += 1
        assert result < 0
        assert world.container == Container(), seed
        stay = [actor.name for actor in scenario.actors if actor.name.startswith("permanent_pin")]
        assert sum(folio.pincount for folio in world.folios.values()) <= len(stay), seed
        holders = {who for folio in world.folios.values() for who, _ in folio.held}
        assert {who for who in holders if who.endswith("(pin)")} <= {f"{n} (pin)" for n in stay}
    assert 20 < failed < 95  # some of each, or this shows nothing
