"""Where in the algorithm a step stands, and what its path tells about itself there.

A step declares both when it is made (`Op.site`, `Op.told`).  For paths that do not yet, this is
the one place of the views that knows functions and variables of a path; the second half of each
function below goes when every path declares them.
"""

from __future__ import annotations

from mmsim.engine.actor import Local
from mmsim.engine.trace import Moment

VISIT, OUT, END = "visit", "migrate.out", "migrate.end"
SPLIT_LOCK, MOVE_FREEZE = "split.lock", "move.freeze"
_SITES = {
    ("unmap_and_move", "folio_ref_count"): VISIT,
    ("try_split_thp", "folio_lock"): SPLIT_LOCK,
    ("move_to_new_folio", "folio_ref_freeze"): MOVE_FREEZE,
    ("_leave", "count_vm_events"): OUT,
}


def site(local: Local) -> str:
    """The site of the step that comes next here, or ""."""
    if local.op is None:
        return ""
    return local.op.site or _SITES.get((local.where[-1][0].co_name, local.op.kind.name), "")


def code_returned(local: Local) -> int:
    """What migrate_pages() is about to return, at its site OUT."""
    assert local.op is not None
    rc: int = local.op.told["rc"] if local.op.told else local.variable("_leave", "rc")
    return rc


def round_and_pass(moment: Moment, actor: str) -> tuple[int, int] | None:
    """The round and the pass of migrate_pages() that an actor is in; None if it is in none."""
    local = moment.local(actor)
    steps = [local.op, *(e.op for e in reversed(moment.events) if e.actor == actor)]
    for op in steps:
        if op is not None and "pass_" in op.told:
            return op.told["round_"], op.told["pass_"]
        if op is None or op.site == END:
            break
    pass_ = local.variable("migrate_pages", "pass_")
    return None if pass_ is None else (local.variable("migrate_pages", "round_") or 1, pass_)
