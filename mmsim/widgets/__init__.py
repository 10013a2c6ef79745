"""What a lesson shows: interactive skins over the views, and their static twins.

Interface: stepper, console, bench, show_state, show_ledger, show_zone, show_trace, show_flow,
show_chart, show_table, show_diff, show_story, show_windows
"""

from mmsim.widgets.bench import bench
from mmsim.widgets.console import console
from mmsim.widgets.display import (
    show_chart,
    show_diff,
    show_flow,
    show_ledger,
    show_state,
    show_story,
    show_table,
    show_trace,
    show_windows,
    show_zone,
)
from mmsim.widgets.stepper import stepper

__all__ = [
    "bench",
    "console",
    "show_chart",
    "show_diff",
    "show_flow",
    "show_ledger",
    "show_state",
    "show_story",
    "show_table",
    "show_trace",
    "show_windows",
    "show_zone",
    "stepper",
]
