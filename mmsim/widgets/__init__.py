"""What a lesson shows: interactive skins over the views, and their static twins.

Interface: the names in `__all__`; one widget a file, the `show_` functions in `display`.
"""

from mmsim.widgets.console import console
from mmsim.widgets.diagnosis import diagnosis_console
from mmsim.widgets.display import (
    show_chart,
    show_memory,
    show_state,
    show_table,
)
from mmsim.widgets.explorer import explorer
from mmsim.widgets.paste import paste
from mmsim.widgets.retry import retry_sliders
from mmsim.widgets.scheduler import scheduler
from mmsim.widgets.stepper import stepper
from mmsim.widgets.tracepicker import trace_picker

__all__ = [
    "console",
    "diagnosis_console",
    "explorer",
    "paste",
    "retry_sliders",
    "scheduler",
    "show_chart",
    "show_memory",
    "show_state",
    "show_table",
    "stepper",
    "trace_picker",
]
