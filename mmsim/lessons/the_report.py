"""Lesson 00: the report, its two counters, and four suspects of which they rule one out.

Interface: the cards ranking, guess, measured, ruled_out, pretest; the pictures story, suspects;
SUSPECTS, suspect, QUESTIONS, and the names that the text fills in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mmsim.constants import REPORTED
from mmsim.engine.trace import Trace
from mmsim.evidence.ftrace import real_trace
from mmsim.lessons import number
from mmsim.lessons.card import Card
from mmsim.lessons.form import FormError, Verdict, counters_of, failed, passed
from mmsim.scenarios import Situation, make, vfio_map
from mmsim.views.show import Picture, Shown, moment
from mmsim.views.svg import BAD, BODY, INK, MUTED, PANEL, SMALL, TITLE, Svg, text_width, wrap
from mmsim.views.tables import measured_table

if TYPE_CHECKING:
    import pandas as pd

PAGES = 2 ** int(vfio_map().knobs["order"])
PASSES = vfio_map().knobs["passes"]


# -- the story

STORY = (
    ("memfd_create()", "memory for the guest, as a file that exists in memory only"),
    ("mmap(MAP_POPULATE)", "the kernel fills it at once, with huge pages of 2 MiB"),
    ("some land in CMA", "memory that is only lent: it may not stay there for good"),
    ("VFIO_IOMMU_MAP_DMA", "a device gets access: every page must be pinned, and leave CMA first"),
    ("-ENOMEM", "step 4 fails if one huge page can neither be moved nor split"),
)


def told() -> str:
    """The story in words."""
    return "; then ".join(f"{name}: {what}" for name, what in STORY) + ". The guest does not start."


def story_svg() -> str:
    """Five boxes in a row, the last one marked as the failure."""
    wide, high = 1100, 250
    svg = Svg(wide, high, "From memfd to a guest that does not start", told())
    head = "What happens before a guest starts; sometimes the fourth step fails"
    svg.text(24, 36, head, wide - 48, size=TITLE, bold=True)
    width, gap = 192.0, 22.0
    for place, (name, what) in enumerate(STORY):
        x, last = 24 + place * (width + gap), place == len(STORY) - 1
        edge, thick = (BAD, 2.5) if last else (INK, 1.2)
        svg.rect(x, 62, width, 150, fill=PANEL, stroke=edge, rx=6, stroke_width=thick)
        svg.text(x + 12, 86, f"{place + 1}", 20, size=SMALL, fill=MUTED)
        size = min(BODY, BODY * (width - 24) / text_width(name, BODY, bold=True))
        svg.text(x + 12, 110, name, width - 22, size=size, bold=True, fill=edge)
        for line, words in enumerate(wrap(what, width - 24, BODY, 5)):
            svg.text(x + 12, 134 + 18 * line, words, width - 24)
        if not last:
            svg.path(f"M{x + width + 3:g} 137H{x + width + gap - 5:g}m-6 -5l6 5l-6 5")
    foot = "Lesson 02 is about step 3; the others take 4 and 5 apart."
    svg.text(24, 236, foot, wide - 48, size=SMALL, fill=MUTED)
    return svg.render()


story = Shown(lambda: Picture(story_svg(), told()))


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


# -- the run

# Steps of a pin that fails because of one foreign reference, in words that need no lesson.  A step
# that only counts goes by its first counter.
TOLD = {
    "folio_get": "the holder takes a reference on the huge page",
    "follow_page_mask": f"the pin takes hold of its {PAGES} small pages",
    "is_longterm_pinnable_page": "it sees that they lie in CMA, where they may not stay",
    "gup_put_folio": f"it lets go of all {PAGES}, so that they can be moved",
    "alloc_migration_target": "it looks for a free huge page elsewhere, and finds none",
    "can_split_folio": "so it begins to split the page, and finds one reference too many",
    "thp_split_page_failed": "the split is counted as refused",
    "pgmigrate_fail": "and the page as not moved",
    "putback_lru_page": "the page stays where it was, and the pin returns -ENOMEM",
}
GUESSED = ("pgmigrate_fail", "nr_foll_pin_acquired")


@cache
def run() -> Trace:
    """The run that the lesson steps through."""
    return vfio_map().run()


@cache
def run_of_the_time() -> Trace:
    """The same in 6.1-rc1, whose isolation test was the wrong way round."""
    return vfio_map(isolation="inverted").run()


def why_so_many() -> str:
    """Why both counters say the same, and what a kernel of the time would have counted."""
    pins = run_of_the_time().last.world.vmstat
    return (
        "`pgmigrate_fail` counts small pages, all that one huge page consists of, while the `thp_` "
        "counters count in huge pages.\n\n"
        "And the kernel pins first: it pins all of them, sees that the page lies in CMA, lets go "
        "of them again (`nr_foll_pin_released`), migrates, and would then pin anew. Here it did "
        "not get that far.\n\n"
        "One number is not the real kernel's. In Linux 6.1-rc1 this pin acquires "
        f"{pins['nr_foll_pin_acquired']:,} pins and releases {pins['nr_foll_pin_released']:,}. A "
        "test in `collect_longterm_unpinnable_pages()`, whether a page could be isolated, is the "
        "wrong way round there. So the kernel pins a second time before it migrates. On the way it "
        "empties (*drains*) once the queues in which processors keep pages for the LRU lists. The "
        "model has the test as it was meant, in all its versions; lesson "
        f"{number('v2_is_not_the_end')} tells of the bug. `pgmigrate_fail` and the `thp_` counters "
        "are the same either way."
    )


def failed_pin(trace: Trace) -> pd.DataFrame:
    """The steps of `vfio_map()` that matter, in plain words, with the counters that each moves."""
    import pandas as pd

    rows = {}
    for step, event in enumerate(trace.events, start=1):
        before, after = (trace.state(at).world.vmstat for at in (step - 1, step))
        moved = {name: n - before[name] for name, n in after.items() if n != before[name]}
        words = next((TOLD[name] for name in (event.op.kind.name, *moved) if name in TOLD), "")
        if words:
            rows[step] = (words, ", ".join(f"{name} +{n}" for name, n in moved.items()))
    index = pd.Index(rows, name=f"step, of {len(trace)}")
    return pd.DataFrame(list(rows.values()), index=index, columns=["what happens", "counted"])


def still_run() -> list[Any]:
    """The run as a table, and the step that decides as a picture."""
    return [failed_pin(run()), *moment(run(), run().find("can_split_folio"))]


def play_run() -> Any:
    """The run in the stepper."""
    from mmsim.widgets import stepper

    return stepper(vfio_map(), versions=("base",))


guess = Card(
    "guess",
    "The pin of one huge page fails because of one foreign reference. What do these two counters "
    "say afterwards?\n"
    "`pgmigrate_fail` counts pages that could not be moved, and `nr_foll_pin_acquired` pins that "
    "were taken. You can't know them yet. Commit to a guess all the same: you will look more "
    "closely.",
    dict.fromkeys(GUESSED, (0, 1, 2, PAGES)),
    outcome=lambda: {name: run().last.world.vmstat[name] for name in GUESSED},
    why=why_so_many,
    still=still_run,
    play=play_run,
)


# -- the same on a real kernel

real = real_trace("S3_held_base_retfix1.txt")
measured = Card(
    "measured",
    "What one failing pin counted on a real kernel",
    still=lambda: measured_table(real),
    needs=(guess,),
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
