"""What becomes of a pin that meets drop_caches: at a moment of the walk, and in every order.

Interface: MOMENTS, FATES, meets, met, reached
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmsim.engine.scenario import Move, State
from mmsim.engine.trace import Trace
from mmsim.scenarios import Situation, pin_versus

if TYPE_CHECKING:
    import pandas as pd

LOCK, REFERENCE = "while drop_caches has the lock", "later, with only its reference left"
MOMENTS: Mapping[str, str] = {LOCK: "folio_test_dirty", REFERENCE: "folio_batch_add"}
"""Which step of drop_caches comes next at that moment."""
WAITS, FAILS, MAPPED = "it waits", "it fails", "it goes on"
FATES = (WAITS, FAILS, MAPPED)


def meets(version: str, steps: int) -> tuple[Situation, State, str]:
    """A pin that runs alone after `steps` steps of drop_caches, as far as it can: one of FATES.

    Steps beyond the end of the walk are left out."""
    situation = pin_versus(version, order=1)
    state = situation.initial()
    moves = [Move("drop_caches")] * steps
    while True:
        actor = moves.pop().actor if moves else situation.main
        if situation.blocked(state, actor) is None:
            state, _ = situation.step(state, Move(actor))
        elif actor == situation.main:
            break
    if not situation.local(state, situation.main).finished:
        return situation, state, WAITS
    return situation, state, MAPPED if situation.succeeded(state) else FAILS


def met(by: str | Trace) -> dict[str, str]:
    """The fate of a pin, of a version or of the version of a run, for each of MOMENTS, if
    drop_caches then stands still."""
    version = by if isinstance(by, str) else by.scenario.version.name  # type: ignore[attr-defined]
    walk = pin_versus(version, order=1)
    found, state, steps = dict[str, str](), walk.initial(), 0
    while len(found) < len(MOMENTS):
        op = walk.local(state, "drop_caches").op
        assert op is not None, "a walk without this moment"
        for moment, step in MOMENTS.items():
            if op.kind.name == step:
                found[moment] = meets(version, steps)[2]
        state, _ = walk.step(state, Move("drop_caches"))
        steps += 1
    return found


def reached(situation: Situation, versions: Sequence[str]) -> pd.DataFrame:
    """Every order of the steps: which ends can be reached, and in how many steps at the least."""
    import pandas as pd

    columns: dict[str, dict[str, int]] = {}
    for version in versions:
        found = situation.with_(version).explore()
        assert found.complete, f"{situation.name} is too large to be searched"
        outcomes = found.outcomes(found.scenario.outcome)  # type: ignore[attr-defined]
        columns[version] = {o.name: len(o.shortest) for o in outcomes if o.shortest is not None}
    names = sorted({name for column in columns.values() for name in column})
    rows = [
        [f"in {columns[v][name]} steps" if name in columns[v] else "never" for v in versions]
        for name in names
    ]
    index = pd.Index(names, name="how it can end", dtype=object)
    heads = pd.Index(list(versions), name="version", dtype=object)
    return pd.DataFrame(rows, index=index, columns=heads, dtype=object)
