"""What a lesson shows: interactive skins over the views, and their static twins.

Interface: stepper, console, bench, host_console, paste, show_state, show_ledger, show_zone,
show_memory, show_trace, show_flow, show_chart, show_table, show_diff, show_story
Interface: stepper, console, bench, retry_sliders, show_state, show_ledger, show_zone, show_trace,
show_flow, show_chart, show_table, show_diff, show_story
"""

from mmsim.widgets.bench import bench
from mmsim.widgets.console import console
from mmsim.widgets.display import (
    show_chart,
    show_diff,
    show_flow,
    show_ledger,
    show_memory,
    show_state,
    show_story,
    show_table,
    show_trace,
    show_zone,
)
from mmsim.widgets.hostconsole import host_console
from mmsim.widgets.paste import paste
from mmsim.widgets.retry import retry_sliders
from mmsim.widgets.stepper import stepper

__all__ = [
    "bench",
    "console",
    "host_console",
    "paste",
    "retry_sliders",
    "show_chart",
    "show_diff",
    "show_flow",
    "show_ledger",
    "show_memory",
    "show_state",
    "show_story",
    "show_table",
    "show_trace",
    "show_zone",
    "stepper",
]
