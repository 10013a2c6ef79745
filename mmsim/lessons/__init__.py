"""The lessons: one module of cards and one text each, side by side.

`mmsim.lessons.NAME` holds the cards of a lesson and everything that serves only that lesson;
`NAME.md` beside it is its text.  Number, title and time of a lesson stand here and only here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent


class Lesson(NamedTuple):
    """A lesson: the name of its module and text, its title, and how many minutes it takes.

    `core`: it belongs to the shortest way through the course."""

    name: str
    title: str
    minutes: int
    core: bool = False

    @property
    def stem(self) -> str:
        """The name of its notebook, without `.ipynb`."""
        return f"{number(self.name)}_{self.name}"

    @property
    def text(self) -> Path:
        """The file of its text, which need not be there yet."""
        return FOLDER / f"{self.name}.md"


COURSE = (
    Lesson("the_report", "The virtual machine that would not start", 20, core=True),
    Lesson("who_holds_this_page", "Who holds this page?", 40, core=True),
    Lesson("cma_borrowed_land", "CMA: borrowed land", 40),
    Lesson("plenty_free", "Plenty free, nothing big", 45),
    Lesson("migrate_or_split", "Migrate, or split and migrate", 45, core=True),
    Lesson("probably_drop_caches", "Probably drop_caches", 40),
    Lesson("you_are_the_scheduler", "You are the scheduler", 45),
    Lesson("how_likely", "How likely is it?", 45),
    Lesson("review_v1_then_v2", "Review v1, then v2", 50, core=True),
    Lesson("v2_is_not_the_end", "v2 is not the end", 50),
    Lesson("does_the_real_kernel_agree", "Does the real kernel agree?", 45),
    Lesson("capstone_and_recall", "Capstone and recall", 45, core=True),
    Lesson("from_scratch", "From scratch", 50),
)


def number(name: str) -> str:
    """The number of a lesson in the course, as two digits."""
    return f"{[lesson.name for lesson in COURSE].index(name):02}"
