"""The retry law against sums over all ways to go, a walk tick by tick, and runs of the model."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from mmsim.constants import MIGRATE_PASSES
from mmsim.errors import UserError
from mmsim.scenarios import vfio_map
from mmsim.views.chances import Retrying, success

HOLDS = (1, 2, 3, 10, 100)


def dropped_in_tick(hold, tick):
    """The chance that a reference is dropped in this tick and not before."""
    return Fraction(1, hold) * Fraction(hold - 1, hold) ** (tick - 1)


@pytest.mark.parametrize(("hold", "passes", "gap"), list(product(HOLDS, (1, 2, 4), (1, 3))))
def test_it_is_the_sum_over_the_tick_of_the_drop(hold, passes, gap):
    last = gap * (passes - 1)
    rescued = sum((dropped_in_tick(hold, t) for t in range(1, last + 1)), Fraction(0))
    assert success(Retrying(passes, gap), hold) == rescued


@pytest.mark.parametrize("version", ["base", "v2"])
def test_the_model_rescues_what_the_law_says(version):
    """Run the model for each pass before which the reference can go, and weigh the results."""
    hold, gap = 7, 3
    total = Fraction(0)
    for k in range(1, MIGRATE_PASSES):
        ticks = range(gap * (k - 1) + 1, gap * k + 1)
        chance = sum((dropped_in_tick(hold, tick) for tick in ticks), Fraction(0))
        total += chance * (vfio_map(version, order=1, released=k).run().results["pin"] > 0)
    tried = MIGRATE_PASSES if version == "v2" else 1
    assert total == success(Retrying(tried, gap), hold)


def test_who_never_lets_go_is_the_ceiling():
    assert success(Retrying(10, 10**4, permanent=Fraction(1, 5)), 2) < Fraction(4, 5)
    assert success(Retrying(10, permanent=1), 1) == 0
    assert success(Retrying(10, permanent=Fraction(1, 5)), 1) == Fraction(4, 5)


@pytest.mark.parametrize(
    ("setting", "hold", "says"),
    [
        (Retrying(0), 5, "passes must be a whole number from 1 on, not 0"),
        (Retrying(2.5), 5, "passes must be a whole number"),
        (Retrying(gap=0), 5, "gap must be a whole number from 1 on"),
        (Retrying(), 0, "held for 1 tick or more, not for 0"),
        (Retrying(permanent=Fraction(3, 2)), 5, "a share of one whole"),
        (Retrying(permanent=-1), 5, "a share of one whole"),
    ],
)
def test_settings_that_make_no_sense(setting, hold, says):
    with pytest.raises(UserError, match=says):
        success(setting, hold)
