"""What a lesson shows: interactive skins over the views, and their static twins.

Interface: stepper, console, bench, show_state, show_ledger, show_trace, show_flow, show_chart,
show_table, show_diff, show_side_by_side, show_diagnosis, show_policies, show_story,
diagnosis_console
"""

from mmsim.widgets.bench import bench
from mmsim.widgets.console import console
from mmsim.widgets.diagnosis import diagnosis_console
from mmsim.widgets.display import (
    show_chart,
    show_diagnosis,
    show_diff,
    show_flow,
    show_ledger,
    show_policies,
    show_side_by_side,
    show_state,
    show_story,
    show_table,
    show_trace,
)
from mmsim.widgets.stepper import stepper

__all__ = [
    "bench",
    "console",
    "diagnosis_console",
    "show_chart",
    "show_diagnosis",
    "show_diff",
    "show_flow",
    "show_ledger",
    "show_policies",
    "show_side_by_side",
    "show_state",
    "show_story",
    "show_table",
    "show_trace",
    "stepper",
]
