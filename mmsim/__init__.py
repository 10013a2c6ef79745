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
    "all_failures": "mmsim.views.chances",
    "boot_guest": "mmsim.scenarios",
    "check": "mmsim.checks",
    "cma_alloc": "mmsim.scenarios",
    "console": "mmsim.widgets",
    "counters_of": "mmsim.lessons",
    "diagnosis_console": "mmsim.widgets",
    "diff": "mmsim.mm.versions",
    "drop_caches_only": "mmsim.scenarios",
    "explorer": "mmsim.widgets",
    "hint": "mmsim.checks",
    "host": "mmsim.scenarios.host",
    "lru_batch": "mmsim.scenarios",
    "make": "mmsim.scenarios",
    "measured_table": "mmsim.views.tables",
    "own_policy": "mmsim.policy",
    "paste": "mmsim.widgets",
    "pin_versus": "mmsim.scenarios",
    "Prediction": "mmsim.lessons",
    "ready": "mmsim.lab",
    "real_trace": "mmsim.ftrace",
    "rescued": "mmsim.measured",
    "retry_law": "mmsim.views.retry_chart",
    "retry_sliders": "mmsim.widgets",
    "Retrying": "mmsim.retrylaw",
    "scheduler": "mmsim.widgets",
    "show_chart": "mmsim.widgets",
    "show_memory": "mmsim.widgets",
    "show_state": "mmsim.widgets",
    "show_table": "mmsim.widgets",
    "split_race": "mmsim.scenarios",
    "stepper": "mmsim.widgets",
    "success": "mmsim.retrylaw",
    "timed_hold": "mmsim.scenarios",
    "trace_picker": "mmsim.widgets",
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
