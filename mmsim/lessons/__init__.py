"""The lessons: one module of cards and one text each, side by side.

`mmsim.lessons.NAME` holds the cards of a lesson and everything that serves only that lesson;
`NAME.md` beside it is its text.  Number, title and time of a lesson stand here and only here.
In a notebook, importing this lets a cell that was run out of order say which one it needs."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent
STATIONS = ("report", "pin", "migrate", "split", "try again")
"""The way of the bug, which the strip at the head of each lesson shows."""


class Lesson(NamedTuple):
    """A lesson: the name of its module and text, its title, and how many minutes it takes.

    `here`: the stations that it is about, none if all.  `core`: it belongs to the shortest way
    through the course."""

    name: str
    title: str
    minutes: int
    here: tuple[str, ...] = ()
    core: bool = False

    @property
    def stem(self) -> str:
        """The name of its notebook, without `.ipynb`."""
        return f"{number(self.name)}_{self.name}"

    @property
    def text(self) -> Path:
        """The file of its text, which need not be there yet."""
        return FOLDER / f"{self.name}.md"

    @property
    def module(self) -> ModuleType:
        """The module of its cards."""
        return importlib.import_module(f"mmsim.lessons.{self.name}")


COURSE = (
    Lesson("the_report", "The virtual machine that would not start", 20, ("report",), core=True),
    Lesson("who_holds_this_page", "Who holds this page?", 30, ("pin",), core=True),
    Lesson("cma_borrowed_land", "CMA: borrowed land", 30, ("pin",)),
    Lesson("plenty_free", "Plenty free, nothing big", 35, ("migrate",)),
    Lesson(
        "migrate_or_split", "Migrate, or split and migrate", 45, ("migrate", "split"), core=True
    ),
    Lesson("probably_drop_caches", "Probably drop_caches", 35, ("split",)),
    Lesson("you_are_the_scheduler", "You are the scheduler", 45, ("split",)),
    Lesson("how_likely", "How likely is it?", 45, ("try again",)),
    Lesson("review_v1_then_v2", "Review v1, then v2", 50, ("try again",), core=True),
    Lesson("v2_is_not_the_end", "v2 is not the end", 45, ("try again",)),
    Lesson("does_the_real_kernel_agree", "Does the real kernel agree?", 40),
    Lesson("capstone_and_recall", "Capstone and recall", 45, core=True),
    Lesson("from_scratch", "From scratch", 45),
)


def number(name: str) -> str:
    """The number of a lesson in the course, as two digits."""
    return f"{[lesson.name for lesson in COURSE].index(name):02}"


def made_by(name: str) -> str:
    """The first line of the cell in which a learner makes a name; "" if no lesson has one."""
    for lesson in COURSE:
        if f"mmsim.lessons.{lesson.name}" in sys.modules and lesson.text.exists():
            line = rf"^({re.escape(name)} = .*|def {re.escape(name)}\(.*)$"
            found = re.search(line, lesson.text.read_text(encoding="utf-8"), re.MULTILINE)
            if found:
                return found[1]
    return ""


def _say_which_cell(shell: Any, kind: Any, error: Any, trace: Any, tb_offset: Any = None) -> Any:
    """What a notebook shows of a name that is not there: the cell to run first, if one makes it."""
    line = made_by(str(getattr(error, "name", "")))
    if line:
        error.add_note(f"This cell needs another one, further up: run the cell `{line}` first.")
    told = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, error, told)
    return told


def listen() -> None:
    """In a notebook, let a cell that was run out of order say which one it needs."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        shell.set_custom_exc((NameError,), _say_which_cell)


listen()
