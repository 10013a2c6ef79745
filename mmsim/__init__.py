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
    "all_failures": "mmsim.views.chances",
    "boot_guest": "mmsim.scenarios",
    "case_table": "mmsim.views.capstone",
    "cause_table": "mmsim.views.capstone",
    "chance_by_share": "mmsim.views.freed",
    "chance_table": "mmsim.views.freed",
    "check": "mmsim.checks",
    "cma_alloc": "mmsim.scenarios",
    "console": "mmsim.widgets",
    "counter_table": "mmsim.views.capstone",
    "counters_by_version": "mmsim.views.tables",
    "counters_of": "mmsim.lessons",
    "counters_of_runs": "mmsim.views.tables",
    "diagnosis_console": "mmsim.widgets",
    "diff": "mmsim.mm.versions",
    "drop_caches_only": "mmsim.scenarios",
    "enough": "mmsim.views.freed",
    "explorer": "mmsim.widgets",
    "fates": "mmsim.scenarios.host",
    "fragmented": "mmsim.views.fragmented_chart",
    "fragmented_pins": "mmsim.views.fragmented_chart",
    "hand_in": "mmsim.views.capstone",
    "hint": "mmsim.checks",
    "host": "mmsim.scenarios.host",
    "host_console": "mmsim.widgets",
    "indices_table": "mmsim.views.indices",
    "lru_batch": "mmsim.scenarios",
    "make": "mmsim.scenarios",
    "measured_table": "mmsim.views.tables",
    "own_policy": "mmsim.policy",
    "paste": "mmsim.widgets",
    "pin_versus": "mmsim.scenarios",
    "Prediction": "mmsim.lessons",
    "proc_text": "mmsim.scenarios.host",
    "ready": "mmsim.lab",
    "real_trace": "mmsim.ftrace",
    "recall_answers": "mmsim.views.capstone",
    "recall_cards": "mmsim.views.capstone",
    "scheduler": "mmsim.widgets",
    "show_chart": "mmsim.widgets",
    "show_diagnosis": "mmsim.widgets",
    "show_diff": "mmsim.widgets",
    "show_flow": "mmsim.widgets",
    "show_memory": "mmsim.widgets",
    "show_result": "mmsim.widgets",
    "show_state": "mmsim.widgets",
    "show_table": "mmsim.widgets",
    "show_trace": "mmsim.widgets",
    "show_zone": "mmsim.widgets",
    "split_race": "mmsim.scenarios",
    "stepper": "mmsim.widgets",
    "strips": "mmsim.views.strips",
    "supply": "mmsim.views.memory",
    "timed_hold": "mmsim.scenarios",
    "unseen": "mmsim.practice.capstone",
    "verdict_question": "mmsim.practice.capstone",
    "verdicts": "mmsim.views.capstone",
    "vfio_map": "mmsim.scenarios",
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
