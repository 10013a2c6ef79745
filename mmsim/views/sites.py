"""Where in the algorithm a step stands, for steps that do not yet declare it when they are made.

This is the one place of the views that knows functions of a path; it goes when `Op.site` is set
everywhere.
"""

from __future__ import annotations

from typing import Any

from mmsim.engine.actor import Local

VISIT, LEAVE = "migrate.visit", "migrate.leave"
SPLIT_LOCK, SPLIT_CHECK = "split.lock", "split.check"
SPLIT_FREEZE, MOVE_FREEZE = "split.freeze", "move.freeze"

_SITES = {
    ("unmap_and_move", "folio_ref_count"): VISIT,
    ("try_split_thp", "folio_lock"): SPLIT_LOCK,
    ("_split", "can_split_folio"): SPLIT_CHECK,
    ("_split", "folio_ref_freeze"): SPLIT_FREEZE,
    ("move_to_new_folio", "folio_ref_freeze"): MOVE_FREEZE,
}


def site(local: Local) -> str:
    """The site of the step that comes next here, or ""."""
    if local.op is None:
        return ""
    function = local.where[-1][0].co_name
    declared: str = getattr(local.op, "site", "")
    found = _SITES.get((function, local.op.kind.name), LEAVE if function == "_leave" else "")
    return declared or found


def told(local: Local, name: str) -> Any:
    """What the path tells of the step that comes next: `pass_`, `round_` or `rc`; or None."""
    declared = getattr(local.op, "told", {})
    if name in declared:
        return declared[name]
    if local.op is None:
        return None
    return local.variable("_leave" if name == "rc" else "migrate_pages", name)
