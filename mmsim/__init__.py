"""mmsim: take one real Linux kernel bug apart, one atomic step at a time.

The names that lessons use are here.  They are looked up when they are first used, so `import mmsim`
itself needs the standard library only and is quick.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "agreements": "mmsim.views.traces",
    "align": "mmsim.evidence.ftrace",
    "alignment": "mmsim.views.tables",
    "all_failures": "mmsim.views.chances",
    "boot_guest": "mmsim.scenarios",
    "case_table": "mmsim.views.capstone",
    "cause_table": "mmsim.views.capstone",
    "cells_happened": "mmsim.views.review",
    "cells_question": "mmsim.views.review",
    "chance_by_share": "mmsim.views.freed",
    "chance_table": "mmsim.views.freed",
    "changes_table": "mmsim.views.side_by_side",
    "check": "mmsim.checks",
    "claims_table": "mmsim.views.claims",
    "cma_alloc": "mmsim.scenarios",
    "console": "mmsim.widgets",
    "count_by_passes": "mmsim.views.passes",
    "counter_table": "mmsim.views.capstone",
    "counters_by_version": "mmsim.views.tables",
    "counters_of": "mmsim.lessons",
    "counters_of_runs": "mmsim.views.tables",
    "course": "mmsim.views.decision_tables",
    "course_table": "mmsim.views.decision_tables",
    "crossroads_table": "mmsim.views.chances",
    "dare": "mmsim.practice.levels",
    "decision_table": "mmsim.views.decision_tables",
    "diagnosis_console": "mmsim.widgets",
    "diff": "mmsim.mm.versions",
    "differing": "mmsim.views.traces",
    "disturbed": "mmsim.evidence.measured",
    "drop_caches_only": "mmsim.scenarios",
    "enough": "mmsim.views.freed",
    "explorer": "mmsim.widgets",
    "failure_table": "mmsim.views.waystofail",
    "fates": "mmsim.scenarios.hosts",
    "fragmented": "mmsim.views.fragmented_chart",
    "fragmented_pins": "mmsim.views.fragmented_chart",
    "hand_in": "mmsim.views.capstone",
    "hint": "mmsim.checks",
    "host": "mmsim.scenarios.hosts",
    "host_console": "mmsim.widgets",
    "indices_table": "mmsim.views.indices",
    "judged": "mmsim.practice.books",
    "later_table": "mmsim.views.side_by_side",
    "left_behind": "mmsim.views.effect_chart",
    "list_said": "mmsim.views.review",
    "lru_batch": "mmsim.scenarios",
    "make": "mmsim.scenarios",
    "measured_counters": "mmsim.views.charts",
    "measured_requests": "mmsim.views.review",
    "measured_table": "mmsim.views.tables",
    "met": "mmsim.views.meetings",
    "missed_piece": "mmsim.views.effect_chart",
    "mutants_table": "mmsim.views.mutated",
    "own_policy": "mmsim.policy",
    "owner_happened": "mmsim.views.review",
    "owner_question": "mmsim.views.review",
    "pace_table": "mmsim.views.chances",
    "paste": "mmsim.widgets",
    "pin_versus": "mmsim.scenarios",
    "pins_beside_drop_caches": "mmsim.views.effect_chart",
    "play": "mmsim.widgets",
    "policy_scores": "mmsim.views.scores",
    "Prediction": "mmsim.lessons",
    "proc_text": "mmsim.evidence.proc",
    "reached": "mmsim.views.meetings",
    "ready": "mmsim.lab",
    "real_trace": "mmsim.evidence.ftrace",
    "recall_answers": "mmsim.views.capstone",
    "recall_cards": "mmsim.views.capstone",
    "recheck": "mmsim.views.traces",
    "refused_splits": "mmsim.views.charts",
    "rescued": "mmsim.evidence.measured",
    "retry_law": "mmsim.views.retry_chart",
    "retry_question": "mmsim.views.retry_chart",
    "retry_sliders": "mmsim.widgets",
    "retry_table": "mmsim.views.tables",
    "Retrying": "mmsim.retrylaw",
    "scheduler": "mmsim.widgets",
    "show_chances": "mmsim.widgets",
    "show_chart": "mmsim.widgets",
    "show_diagnosis": "mmsim.widgets",
    "show_diff": "mmsim.widgets",
    "show_flow": "mmsim.widgets",
    "show_memory": "mmsim.widgets",
    "show_mutation": "mmsim.widgets",
    "show_result": "mmsim.widgets",
    "show_side_by_side": "mmsim.widgets",
    "show_state": "mmsim.widgets",
    "show_table": "mmsim.widgets",
    "show_trace": "mmsim.widgets",
    "show_tree": "mmsim.widgets",
    "show_windows": "mmsim.widgets",
    "show_zone": "mmsim.widgets",
    "SMALL": "mmsim.scenarios",
    "split_race": "mmsim.scenarios",
    "stall_examples": "mmsim.views.traces",
    "stepper": "mmsim.widgets",
    "strips": "mmsim.views.strips",
    "success": "mmsim.retrylaw",
    "supply": "mmsim.views.memory",
    "timed_hold": "mmsim.scenarios",
    "timed_release": "mmsim.views.timed_chart",
    "trace_lines": "mmsim.views.traces",
    "trace_picker": "mmsim.widgets",
    "unnamed_lines": "mmsim.practice.unnamed",
    "unnamed_trace": "mmsim.practice.unnamed",
    "unseen": "mmsim.practice.capstone",
    "verdict_question": "mmsim.practice.capstone",
    "verdicts": "mmsim.views.capstone",
    "vfio_map": "mmsim.scenarios",
    "ways_to_fail": "mmsim.views.effect_chart",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mmsim' has no attribute {name!r}")
    if "IPython" in sys.modules:
        importlib.import_module("mmsim.views.show").install()
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
