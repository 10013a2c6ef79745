"""mmsim: take one real Linux kernel bug apart, one atomic step at a time.

The names that lessons use are here.  They are looked up when they are first used, so `import mmsim`
itself needs the standard library only and is quick.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Prediction": "mmsim.lessons",
    "alignment": "mmsim.views.tables",
    "align": "mmsim.ftrace",
    "bench": "mmsim.widgets",
    "changes_table": "mmsim.views.side_by_side",
    "check": "mmsim.checks",
    "cma_alloc": "mmsim.scenarios",
    "console": "mmsim.widgets",
    "counters_of": "mmsim.lessons",
    "course": "mmsim.views.decision_tables",
    "course_table": "mmsim.views.decision_tables",
    "counters_by_version": "mmsim.views.tables",
    "decision_table": "mmsim.views.decision_tables",
    "diagnosis_console": "mmsim.widgets",
    "diff": "mmsim.mm.versions",
    "hint": "mmsim.checks",
    "folio_on": "mmsim.benches",
    "leak_hunt": "mmsim.benches",
    "leak_table": "mmsim.views.practice",
    "make": "mmsim.scenarios",
    "measured_counters": "mmsim.views.charts",
    "moments": "mmsim.views.practice",
    "outcomes": "mmsim.cases",
    "own_policy": "mmsim.policy",
    "page_life": "mmsim.benches",
    "policy_table": "mmsim.views.trials",
    "practice": "mmsim.views.practice",
    "ready": "mmsim.doctor",
    "real_trace": "mmsim.ftrace",
    "refcounts_of": "mmsim.benches",
    "refused_splits": "mmsim.views.charts",
    "retry_table": "mmsim.views.tables",
    "same_count": "mmsim.views.practice",
    "show_chart": "mmsim.widgets",
    "show_diagnosis": "mmsim.widgets",
    "show_diff": "mmsim.widgets",
    "show_flow": "mmsim.widgets",
    "show_ledger": "mmsim.widgets",
    "show_policies": "mmsim.widgets",
    "show_side_by_side": "mmsim.widgets",
    "show_state": "mmsim.widgets",
    "show_story": "mmsim.widgets",
    "show_table": "mmsim.widgets",
    "show_trace": "mmsim.widgets",
    "stepper": "mmsim.widgets",
    "suspect": "mmsim.tasks_00",
    "suspects": "mmsim.views.suspects",
    "suspects_tried": "mmsim.views.suspects",
    "vfio_map": "mmsim.scenarios",
    "workbench": "mmsim.benches",
    "worked": "mmsim.views.practice",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mmsim' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
