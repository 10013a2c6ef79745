"""How likely each way to fail is, twice over: by the search, and layer by layer."""

from __future__ import annotations

from fractions import Fraction

import pytest
from failure_odds import ANY_STEP, TOGETHER, failure_odds
from small import odds_by_layers

from mmsim.mm.versions import OF_THE_SERIES
from mmsim.scenarios import SMALL, make
from mmsim.scenarios.situation import ALL_MOVED, MISSED, NO_MEMORY, NOT_SPLIT

MAPPED = "mapped"
# The pin moves so much oftener that drop_caches is still there when it comes to the pieces.
LOADED = {"pin": 8}


@pytest.mark.parametrize(("version", "weights"), [("base", {}), ("v3", LOADED)])
def test_the_search_against_an_enumerator_that_knows_nothing_of_it(version, weights):
    situation = make("pin_versus", version, SMALL)
    outcomes = situation.explore().outcomes(situation.outcome, weights)
    assert {each.name: (each.schedules, each.odds) for each in outcomes} == odds_by_layers(
        situation, situation.outcome, weights
    )


def test_the_patch_changes_one_way_to_fail_and_not_the_other():
    """Exactly the same odds of a missed piece, whatever the version; a refused split is rarer by
    more than 20 powers of ten.  base fails also when everything went well: the companion patch."""
    odds = {version: failure_odds(version) for version in OF_THE_SERIES}
    together = {version: each[TOGETHER] for version, each in odds.items()}
    assert len({each[MISSED] for each in together.values()}) == 1
    before, after = ("base", "6.1.0"), ("v1", "v2", "v3", "v3fix")
    assert len({together[version][NOT_SPLIT] for version in before}) == 1
    assert len({together[version][NOT_SPLIT] for version in (*after, "2/2-only")}) == 1
    assert together["v3"][NOT_SPLIT] * 10**20 < together["base"][NOT_SPLIT] < Fraction(6, 100)
    for version, each in together.items():
        assert sum(each.values()) == 1
        assert NO_MEMORY not in each
        assert (ALL_MOVED in each) == (version in ("base", "2/2-only"))
    any_step = {version: odds[version][ANY_STEP] for version in ("6.1.0", *after)}
    assert len({each[MISSED] for each in any_step.values()}) == 1
    for each in any_step.values():
        assert sum(each.values()) == 1
        assert Fraction(20, 100) < each[MISSED] < Fraction(22, 100)
