"""What is clicked in a notebook: skins over the views, one widget a file."""

from mmsim.widgets.console import Console, console, explorer
from mmsim.widgets.first_screen import FirstScreen
from mmsim.widgets.paste import paste, show_memory
from mmsim.widgets.scheduler import scheduler
from mmsim.widgets.stepper import stepper

__all__ = [
    "Console",
    "FirstScreen",
    "console",
    "explorer",
    "paste",
    "scheduler",
    "show_memory",
    "stepper",
]
