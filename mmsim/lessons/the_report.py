"""Lesson 00: the bug in one picture, the report, and four suspects of which it rules one out.

Interface: the cards bug, start, counted, ranking, measured, ruled_out, pretest; the table
suspects; SUSPECTS, suspect, QUESTIONS, and the names that the text fills in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.constants import REPORTED
from mmsim.evidence.ftrace import real_trace
from mmsim.lessons import number
from mmsim.lessons.card import Card
from mmsim.lessons.form import FormError, Verdict, counters_of, failed, passed
from mmsim.scenarios import Situation, make, vfio_map
from mmsim.views.first_screen import NEVER, frame_svg, stops, told
from mmsim.views.show import Picture, Shown
from mmsim.views.tables import measured_table

if TYPE_CHECKING:
    import pandas as pd

PAGES = 2 ** int(vfio_map().knobs["order"])
PASSES = vfio_map().knobs["passes"]


# -- the bug in one picture

NO = "does not start"
SETTINGS = {
    "base, before pass 1": ("base", "1"),
    "v2, before pass 9": ("v2", "9"),
    "v2, never": ("v2", NEVER),
}
SHOWN = (("base", NEVER), ("v2", NEVER), ("v2", "3"))
AFTER = ("v2", "5")


def play_bug() -> Any:
    """The picture that moves."""
    from mmsim.widgets.first_screen import FirstScreen

    return FirstScreen()


def ended(setting: tuple[str, str]) -> str:
    """Does the machine start?"""
    return "starts" if stops(*setting)[-1].starts else NO


bug = Card(
    "bug",
    "A virtual machine sometimes will not start. Find out when.",
    still=lambda: [Picture(frame_svg(*setting), told(*setting)) for setting in SHOWN],
    play=play_bug,
)
start = Card(
    "start",
    "When does the machine start? Say it in one sentence, then check three settings.\n"
    "Try the picture first. `base` is the kernel of the report; `v1` and `v2` are two versions of "
    "a patch. A setting is a kernel and the moment at which the holder lets go.",
    {"sentence": str, **dict.fromkeys(SETTINGS, ("starts", NO))},
    outcome=lambda: {name: ended(setting) for name, setting in SETTINGS.items()},
    solution={"sentence": "It starts if the holder lets go and the kernel tries again after that."}
    | {name: "starts" if name == "v2, before pass 9" else NO for name in SETTINGS},
    why="In `base` a refused split is final: the holder may let go a moment later, and it does not "
    "help. `v1` and `v2` keep the page on the list. The machine starts if one of the ten passes "
    "comes after the holder has let go.\n\n"
    "One failure has another reason. In `base` the pin fails with *nobody holds it*, too. All "
    f"pages are moved, and yet it fails. Lesson {number('migrate_or_split')} explains that.",
)
counted = Card(
    "counted",
    "In `v2` the holder lets go before pass 5, and the machine starts. What do the two counters "
    "say at the end?\n"
    "Answer from what the names promise, then set the picture to it.",
    dict.fromkeys(REPORTED, (0, 1, 5, 6, 10)),
    outcome=lambda: stops(*AFTER)[-1].counted,
    why="A success leaves failures behind. Each refused split counts once in "
    "`thp_split_page_failed`. `thp_migration_fail` counts each time that the huge page was not "
    "moved *as it is*. That is so each time it was refused, and once more when it was split at "
    "last.\n\nSo a counter does not say what its name suggests. And one refusal, in a kernel that "
    "tries once, leaves exactly one of each.",
    needs=(start,),
)


# -- the suspects


class Suspect(NamedTuple):
    """Something that can keep a huge page from being split, and how to set it up."""

    what: str
    knobs: dict[str, object]


SUSPECTS = {
    "reference": Suspect("somebody else holds a reference on the huge page", {}),
    "truncated": Suspect(
        "the file was shortened just now, and the huge page no longer belongs to it",
        {"holder": 0, "trouble": "truncated"},
    ),
    "nomem": Suspect(
        f"{PAGES} small pages need more room in the file's list of pages, "
        "and there is no memory for it",
        {"holder": 0, "trouble": "nomem"},
    ),
    "writeback": Suspect(
        "the huge page is being written to disk or swap",
        {"holder": 0, "trouble": "writeback"},
    ),
}
PLACES = ("likeliest", "second", "third", "least likely")
FITS, OUT = "fits", "ruled out"


def suspect(name: str) -> Situation:
    """The situation in which one suspect alone is to blame: base, no free huge page."""
    return make("vfio_map", "base", SUSPECTS[name].knobs)


@cache
def tried(name: str) -> dict[str, int]:
    """The two counters of the report after a run with this suspect."""
    return counters_of(suspect(name).run())


def said_of(name: str) -> str:
    """Does a suspect fit the report, where each counter went up by one?"""
    return FITS if set(tried(name).values()) == {1} else OUT


def suspects_table() -> pd.DataFrame:
    """Who could it have been?"""
    import pandas as pd

    index = pd.Index(SUSPECTS, name="suspect")
    return pd.DataFrame({"what it means": [s.what for s in SUSPECTS.values()]}, index=index)


suspects = Shown(suspects_table)


def each_once(answer: dict[str, str]) -> Verdict:
    """A bet can't be wrong, only incomplete."""
    if sorted(answer.values()) != sorted(SUSPECTS):
        raise FormError(f"name each of {', '.join(SUSPECTS)} exactly once")
    return passed("")


ranking = Card(
    "ranking",
    "Place your bet: which of the four caused the failure in the report?\n"
    "Rank them, the likeliest first. Nothing is judged.",
    dict.fromkeys(PLACES, tuple(SUSPECTS)),
    judge=each_once,
    why="Further down you see which of them the counters allow.",
    solution=["reference", "nomem", "truncated", "writeback"],
)


# -- the same on a real kernel


def pins_of_the_time() -> int:
    """The pins that 6.1-rc1, with its isolation test the wrong way round, acquires and releases."""
    counted = vfio_map(isolation="inverted").run().last.world.vmstat
    return int(counted["nr_foll_pin_acquired"])


real = real_trace("S3_held_base_retfix1.txt")
measured = Card(
    "measured",
    "What one failing pin counted on a real kernel",
    still=lambda: measured_table(real),
    needs=(counted,),
)


# -- who is ruled out


def judged(answer: dict[str, str]) -> Verdict:
    """Judged by running each suspect in the model."""
    for name in SUSPECTS:
        if answer[name] != said_of(name):
            counted = ", ".join(f"{counter} {n}" for counter, n in tried(name).items())
            fits = "does not fit" if said_of(name) == OUT else "fits"
            return failed(
                f"{name}: would it be turned away at the entry, or inside?",
                second=f"with {name!r} the model counts {counted}, which {fits} the report",
            )
    return passed(
        "one suspect is out, three are left, and these two counters can't tell them apart"
    )


def suspects_tried() -> pd.DataFrame:
    """What the model counts for each suspect, beside the bet."""
    import pandas as pd

    bet = {name: place for place, name in (ranking.stored or {}).items()}
    rows = []
    for name in SUSPECTS:
        sign = "✔ fits the report" if said_of(name) == FITS else "✘ ruled out"
        place = {"your bet": bet[name]} if bet else {}
        rows.append({**tried(name), "against the report": sign, **place})
    assert list(rows[0])[: len(REPORTED)] == list(REPORTED)
    return pd.DataFrame(rows, index=pd.Index(SUSPECTS, name="suspect"))


ruled_out = Card(
    "ruled_out",
    "For which of the suspects would the two counters *not* both be 1?\n"
    "Each of them can be tried alone in the model. Say of each, before you look, whether it fits "
    "the counters of the report or is ruled out by them.",
    dict.fromkeys(SUSPECTS, (FITS, OUT)),
    outcome=lambda: {name: said_of(name) for name in SUSPECTS},
    judge=judged,
    hints=(
        "`thp_split_page_failed` counts refused attempts, but not those refused at the very entry.",
        "Which of the four is looked at before the split has really begun?",
        "A page under writeback is turned away at the entry: no split event is counted.",
    ),
    why="A page under writeback is turned away before the split has begun, and that is not counted "
    "as a failed split (`split_huge_page_to_list()`, Linux 6.1). Between the other three the pair "
    "of counters can't choose. They are not the only ones. If the page belongs to a file on "
    "disk, a file system that won't let go of its private data is counted the same; a memfd has no "
    "such data.\n\n"
    "The patch that followed (its second version is called `v2` here) tries again, but only if a "
    "reference was in the way; with the other two the pin still fails.",
    still=suspects_tried,
)


# -- six statements

# Asked before the lessons, answered by what the model does in lesson 04.
QUESTIONS = {
    "users": "A reference count of 514 means that 514 users hold the page.",
    "pinned": "If a huge page can't be split, somebody has pinned it.",
    "free": "If more than 2 MiB are free, a huge page can be had.",
    "ten": "Trying ten times makes success ten times as likely.",
    "errno": "It can matter to a caller whether an error is -EBUSY or -EAGAIN.",
    "counter": "A failure counter can go up by more than one for a single huge page.",
}
pretest = Card(
    "pretest",
    "Six statements, before you go on: true or false?\n"
    'You can\'t know all of this yet, and nothing is judged here. `-EBUSY`, "busy", and '
    '`-EAGAIN`, "not now, try again", are two of the kernel\'s error codes.',
    dict.fromkeys(QUESTIONS, bool),
    labels=QUESTIONS,
    # What many say at first; lesson 04 has the answers.
    solution={name: name not in ("errno", "counter") for name in QUESTIONS},
    why="Lesson 04 comes back to all six.",
)
