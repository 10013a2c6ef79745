"""One write to drop_caches: each knob that keeps a folio does so."""

import pytest

from mmsim.scenarios import drop_caches_only


@pytest.mark.parametrize(
    ("knobs", "kept"),
    [({}, 0), ({"dirty": "yes"}, 3), ({"mapped": "yes"}, 3), ({"held": 2}, 1), ({"locked": 2}, 1)],
)
def test_what_keeps_a_folio(knobs, kept):
    situation = drop_caches_only(**{"dirty": "no", "mapped": "no", "order": 1, **knobs})
    trace = situation.run()
    trace.last.world.check()
    assert len(trace.last.world.folios) == kept
    assert situation.outcome(trace.last) == "done"
    assert situation.result(trace.last) == f"{6 - 2 * kept} pages dropped"
