"""mmsim: take one real Linux kernel bug apart, one atomic step at a time.

The names that a learner types are here.  Editors and type checkers follow the imports below; at run
time a name is looked up when it is first used, so `import mmsim` needs the standard library only
and is quick.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsim.grid import sweep
    from mmsim.mm.versions import diff, own_policy
    from mmsim.scenarios import (
        SMALL,
        boot_guest,
        cma_alloc,
        drop_caches_only,
        lru_batch,
        make,
        pin_versus,
        split_race,
        timed_hold,
        vfio_map,
    )
    from mmsim.scenarios.hosts import host
    from mmsim.widgets.console import console, explorer
    from mmsim.widgets.paste import paste, show_memory
    from mmsim.widgets.scheduler import scheduler
    from mmsim.widgets.stepper import stepper

__version__ = "0.1.0"

__all__ = [
    "SMALL",
    "boot_guest",
    "cma_alloc",
    "console",
    "diff",
    "drop_caches_only",
    "explorer",
    "host",
    "lru_batch",
    "make",
    "own_policy",
    "paste",
    "pin_versus",
    "scheduler",
    "show_memory",
    "split_race",
    "stepper",
    "sweep",
    "timed_hold",
    "vfio_map",
]
_ROOMS = (
    "mmsim.scenarios",
    "mmsim.mm.versions",
    "mmsim.grid",
    "mmsim.widgets",
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'mmsim' has no attribute {name!r}")
    if "IPython" in sys.modules:
        importlib.import_module("mmsim.views.show").install()
    modules = (importlib.import_module(room) for room in _ROOMS)
    value = next(vars(module)[name] for module in modules if name in vars(module))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
