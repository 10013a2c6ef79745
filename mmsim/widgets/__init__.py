"""What is clicked in a notebook: skins over the views, one widget a file."""

from mmsim.widgets.console import console
from mmsim.widgets.explorer import explorer
from mmsim.widgets.paste import paste, show_memory
from mmsim.widgets.scheduler import scheduler
from mmsim.widgets.stepper import stepper
from mmsim.widgets.tracepicker import trace_picker

__all__ = [
    "console",
    "explorer",
    "paste",
    "scheduler",
    "show_memory",
    "stepper",
    "trace_picker",
]
