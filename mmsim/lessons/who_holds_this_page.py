"""Lesson 01: a reference count, who its references belong to, and what the kernel expects.

Interface: the cards guess, sides, counts, vote, unmapped, kinds, leak, recall; the table visits;
page_with for the learner, and the names that the text fills in."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from mmsim.constants import HPAGE_PMD_NR, PAGEVEC_SIZE
from mmsim.engine.actor import Actor
from mmsim.engine.trace import Moment, Trace
from mmsim.lessons.card import Card, keyed
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed, ran
from mmsim.mm.folio import Folio
from mmsim.mm.page_ref import folio_get, folio_put
from mmsim.scenarios import Situation
from mmsim.scenarios.page_life import (
    HOLDERS,
    MAPPERS,
    PAGE_KNOBS,
    folio_of,
    page_life,
    page_with,
    story,
)
from mmsim.views.ledger import KNOWN, LEDGER_HIGH, describe, draw_ledger, ledger
from mmsim.views.show import Picture, Shown, moment
from mmsim.views.svg import Svg, panel
from mmsim.views.words import call, sentence

if TYPE_CHECKING:
    import pandas as pd

# -- a page and its ledger


@cache
def _counted(**knobs: Any) -> Folio:
    return folio_of(page_with(**knobs).run())


def sums(**knobs: Any) -> dict[str, int]:
    """The count without other holders, and the count: both are counted in runs of the model."""
    alone = {**knobs, "holders": 0, "pin": "no"}
    return {"expected": _counted(**alone).refcount, "actual": _counted(**knobs).refcount}


def holders(folio: Folio) -> str:
    """Who has how many references."""
    known = {"page cache": folio.cache_refs, "mappings": folio.mapcount}
    return ", ".join(f"{who} {n}" for who, n in [*known.items(), *folio.held] if n)


def drawn(page: Situation) -> Picture:
    """The ledger at the end of a page's run."""
    book = ledger(page.run().last.world, "A", check=KNOWN)
    assert book is not None
    claim = f"{book.words}: {book.held} references"
    if book.due:
        claim += f", {book.check.expected} expected"
    svg = Svg(520, LEDGER_HIGH + 28, claim, describe(book))
    panel(svg, 8, 8, 504, LEDGER_HIGH + 12)
    draw_ledger(svg, 24, 18, 472, book)
    return Picture(svg.render(), describe(book))


def history(trace: Trace, told: Callable[[Moment], str] = call) -> pd.DataFrame:
    """Who takes which step, and the count after it."""
    import pandas as pd

    rows = [
        (event.actor, told(trace.at(position)), folio_of(trace, position).refcount)
        for position, event in enumerate(trace.events, start=1)
    ]
    index = pd.RangeIndex(1, len(rows) + 1, name="step")
    return pd.DataFrame(rows, index=index, columns=["who", "does", "refcount"])


# -- the life of a page

MOMENTS = {
    "cached": ("shmem_add_to_page_cache", "The page is put into the page cache of the memfd."),
    "mapped": ("finish_fault", "The guest maps it: one entry of a page table points to it."),
    "mapped_again": ("map_in_another_process", "A second process maps the same memfd."),
    "isolated": ("isolate_by_name", "A caller that wants to move it takes it off its LRU list."),
    "looked_at": ("folio_get", "`drop_caches`, which goes over all files, comes to this page."),
}


@cache
def life() -> Trace:
    """The run that the lesson steps through."""
    return page_life().run()


def refs_added() -> dict[str, int]:
    """By how much the count grows at each of the five moments."""
    at = {name: life().find(step) for name, (step, _) in MOMENTS.items()}
    counts = [folio_of(life(), position).refcount for position in range(1, len(life()) + 1)]
    return {name: counts[step - 1] - counts[step - 2] for name, step in at.items()}


def play_life() -> Any:
    """The run in the stepper."""
    from mmsim.widgets import stepper

    return stepper(page_life(), versions=("base",))


guess = Card(
    "guess",
    "After the allocation the count is 1. How much does each of these five add to it?",
    dict.fromkeys(MOMENTS, (0, 1, 2, HPAGE_PMD_NR - 1, HPAGE_PMD_NR)),
    labels={name: words for name, (_, words) in MOMENTS.items()},
    outcome=refs_added,
    why="The page cache takes 512 references, one for each small page, although it keeps a single "
    "entry for the huge page.\n\n"
    "The first mapping takes no new reference. The fault that found the page already had the one "
    "from the allocation, and hands it over to the mapping. If nobody maps the page, that "
    "reference is dropped.\n\n"
    "`drop_caches` lets go a moment later. It did not free the page, because a mapped page is in "
    "use. For that moment the count was one higher. Being *on* an LRU list holds no reference.",
    still=lambda: [history(life(), sentence), *moment(life(), life().find("folio_get"))],
    play=play_life,
)


# -- expected and actual

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "second_mapping": ({"mappings": 2}, "One more process maps it."),
    "no_file": ({"cached": "no"}, "It is memory of no file instead (*anonymous* memory)."),
    "one_more_holder": ({"holders": 1}, "`drop_caches` has just looked it up."),
    "a_pin": ({"pin": "yes"}, "A direct I/O has pinned one of its small pages."),
}


def both_sides() -> dict[str, str]:
    """Are expected and actual equal, after each change?"""
    different = {name: len({*sums(**knobs).values()}) > 1 for name, (knobs, _) in CHANGES.items()}
    return {name: "not equal" if differ else "equal" for name, differ in different.items()}


def play_page() -> Any:
    """Knobs for the holders of a page, beside its ledger."""
    from mmsim.widgets.console import knobs_beside

    return knobs_beside(page_with(), PAGE_KNOBS, drawn)


sides = Card(
    "sides",
    "One thing is different. Are expected and actual still equal?\n"
    "Each change is made alone. (A *direct I/O* is a transfer between a disk and a process's "
    "memory that goes around the page cache.)",
    dict.fromkeys(CHANGES, ("equal", "not equal")),
    labels={name: words for name, (_, words) in CHANGES.items()},
    outcome=both_sides,
    why="A mapping changes both sides, because the kernel counts mappings as well. Leaving the "
    "file changes both sides, too: without a cache, 2 is all there is to expect. A holder or a pin "
    "changes only the actual count.",
    still=lambda: drawn(page_with(holders=1)),
    play=play_page,
)


PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "a": (
        "a huge page of a memfd, mapped by three processes, looked up by one other",
        {"mappings": 3, "holders": 1},
    ),
    "b": (
        "a single page of a memfd, mapped by two processes, looked up by two others",
        {"order": 0, "mappings": 2, "holders": 2},
    ),
    "c": ("a huge page of no file, mapped by three processes", {"cached": "no", "mappings": 3}),
    "d": (
        "a single page of no file, mapped by two processes, with one pin of a direct I/O",
        {"order": 0, "cached": "no", "mappings": 2, "pin": "yes"},
    ),
}


def true_counts() -> dict[str, int]:
    """Expected and actual of each page, as the card asks for them."""
    found = {name: sums(**knobs) for name, (_, knobs) in PAGES.items()}
    return {f"{name}_{side}": n for name, both in found.items() for side, n in both.items()}


def count_judged(answer: dict[str, int]) -> Verdict:
    """The first wrong number gets a question; a second wrong answer the whole ledger."""
    for part, right in true_counts().items():
        if answer[part] != right:
            told = f"{part}: the model has {right}: {holders(_counted(**PAGES[part[0]][1]))}"
            why = f"{part}: not {answer[part]}; whose references are these?"
            return failed(why, second=told)
    return passed("both sides of all four pages")


counts = Card(
    "counts",
    "What is expected of each of these four pages, and what is its actual count?\n"
    "All four are isolated. Memory of no file can have several mappings, too: after a `fork()` "
    "parent and child share it.\n\n"
    + "\n\n".join(f"`{name}`: {words}." for name, (words, _) in PAGES.items()),
    {f"{name}_{side}": int for name in PAGES for side in ("expected", "actual")},
    form="a whole number",
    judge=count_judged,
    solution=[516, 517, 4, 6, 4, 4, 3, 1027],
    hints=(
        "Expected: the page cache, the mappings, and 1 for the caller that has isolated the page.",
        "The page cache has one reference for each small page inside; memory of no file has none.",
        "Actual is expected plus the others: 1 each, but the pin of a single page is 1,024.",
    ),
)


# -- the same count, other holders

ALIKE: dict[str, dict[str, Any]] = {
    "mapped twice": {"mappings": 2, "isolated": "no"},
    "mapped, isolated": {},
    "mapped, looked up": {"isolated": "no", "holders": 1},
    "mapped, pinned": {"isolated": "no", "pin": "yes"},
}


def alike() -> pd.DataFrame:
    """Pages with one and the same count, and what it is made of."""
    import pandas as pd

    found = {name: _counted(**knobs) for name, knobs in ALIKE.items()}
    rows = [(folio.refcount, folio.mapcount, holders(folio)) for folio in found.values()]
    index = pd.Index(found, name="page")
    return pd.DataFrame(rows, index=index, columns=["refcount", "mapcount", "who has them"])


def voted(letter: str) -> Verdict:
    """A wrong letter meets a page that contradicts it."""
    if letter == "d":
        return passed("the count has no names: the same 514 stands for very different holders")
    folio = _counted()
    against = {
        "a": f"514 users would be 514 holders; this page has only {holders(folio).count(',') + 1}",
        "b": f"this page has refcount 514, too, and mapcount {folio.mapcount}",
        "c": f"a pin is one way to get a reference; this page has {folio.pincount} pins",
    }
    return failed(f"{against[letter]} (mapped once, isolated: {holders(folio)})")


vote = Card(
    "vote",
    "A huge page of a memfd has the reference count 514. What do you know?\n"
    "In a room: vote, talk to your neighbour, vote again.",
    Choices(
        a="514 users hold it.",
        b="Two processes map it.",
        c="Somebody has pinned it.",
        d="None of the three follows.",
    ),
    judge=voted,
    solution="d",
    why="*A common mistake:* 514 references mean 514 users. The page cache alone has 512 of them, "
    "and the cache is not a user: nobody need ever look at these 2 MiB again. The four pages of "
    "the table have one and the same count.",
    still=alike,
)


def unmapped_judged(answer: object) -> Verdict:
    """Refcount 514, and nobody maps the page."""
    mine = ran(answer)
    if mine is None or mine[0].name != "page_with":
        raise FormError("the answer should be a page: lesson.page_with(...) with some knobs")
    folio = folio_of(mine[1])
    told = f"that page has refcount {folio.refcount}, mapcount {folio.mapcount}: {holders(folio)}"
    return (passed if (folio.refcount, folio.mapcount) == (514, 0) else failed)(told)


unmapped = Card(
    "unmapped",
    "All pages of the table are mapped. Build one with refcount 514 that nobody maps.\n"
    "The knobs are those of the table further up, for instance "
    "`lesson.page_with(mappings=2, holders=0)`.",
    judge=unmapped_judged,
    form="lesson.page_with(...)",
    solution=page_with(mappings=0, holders=1),
    hints=(
        "A page in the page cache need not be mapped.",
        "With mappings=0 the cache has 512. Who can have the other two?",
        "lesson.page_with(mappings=0, holders=1): the caller's isolation is the second.",
    ),
)


# -- for a moment, or for good

TEMPORARY, LONG = "temporary", "long-term"
STAYS = {
    "page_cache": (LONG, "it stays as long as the file has the page"),
    "mapping": (LONG, "it stays until the process ends or unmaps it, or the kernel takes it away"),
    "vfio_pin": (LONG, "it stays as long as the device is handed to the guest"),
    "drop_caches": (
        TEMPORARY,
        f"it is through with the pages it has collected, at most {PAGEVEC_SIZE} in Linux 6.1, "
        "mostly within microseconds",
    ),
    "direct_io_pin": (TEMPORARY, "it is a pin, too, but ends with the transfer: milliseconds"),
    "isolation": (TEMPORARY, "it ends when the page has been moved or put back"),
}


def until() -> pd.DataFrame:
    """How long each of the six stays."""
    import pandas as pd

    columns = ["kind", "until when"]
    return pd.DataFrame(list(STAYS.values()), index=pd.Index(STAYS, name="holder"), columns=columns)


kinds = Card(
    "kinds",
    "Which of these references end soon by themselves (temporary), and which stay (long-term)?\n"
    "The *VFIO pin* is the one that lets a device work in the guest's memory.",
    dict.fromkeys(STAYS, (TEMPORARY, LONG)),
    judge=keyed(STAYS),
    solution={name: kind for name, (kind, _) in STAYS.items()},
    hints=(
        "Ask what has to happen before the reference is dropped.",
        "Three of the six end by themselves, soon. Is every pin for long?",
        "A direct I/O pins a page only while its data are transferred.",
    ),
    why="The count shows nothing of this: a reference is a reference. There are more temporary "
    "ones: a page fault of another thread lets go when it has the lock of the page, `mincore()` "
    "and `move_pages()` let go at once.\n\n"
    "For a temporary reference it is worth looking again later. For the others it is not, unless "
    "the kernel can take the reference away itself, as it can with a mapping.",
    still=until,
)


# -- a reference that is never dropped

VISITORS = (*HOLDERS, "move_pages")
GUILTY = "fault"
TURNS = (
    "guest*5 move_pages mincore fault mincore drop_caches*2 fault move_pages fault drop_caches*2 "
    "move_pages*2 mincore*2"
)


def _visitor(name: str) -> Actor:
    def path() -> Any:
        for last in (False, True):
            pfn = yield folio_get("A", 0, 1)
            if not (last and name == GUILTY):
                yield folio_put(pfn, name, 1)

    return Actor(name, path)


@cache
def leaking() -> Trace:
    """Four visitors come twice; one of them keeps its last reference."""
    guest = page_with(isolated="no").actors[0]
    return story("leak", {}, [guest, *map(_visitor, VISITORS)], page_with).replay(TURNS)


visits = Shown(lambda: history(leaking()))


def leak_judged(answer: dict[str, Any]) -> Verdict:
    """Judged by the references that are left at the end of the run."""
    who, step = answer["holder"], answer["step"]
    mine = [(i, e.op.kind.name) for i, e in enumerate(leaking().events, 1) if e.actor == who]
    takes, drops = ([i for i, op in mine if op == name] for name in ("folio_get", "folio_put"))
    if who not in dict(folio_of(leaking()).held):
        if not takes:
            return failed(f"{who} took part, but the reference of its allocation is the mapping's")
        return failed(f"{who} takes in steps {takes} and drops in steps {drops}: it balances")
    if step not in takes:
        return failed(f"{who} is right, but it takes nothing in step {step}")
    if step != takes[-1]:
        back = next(drop for drop in drops if drop > step)
        return failed(f"what {who} takes in step {step} it drops in step {back}")
    left = folio_of(leaking()).refcount
    return passed(f"{who} never drops what it takes in step {step}; the count stays at {left}")


leak = Card(
    "leak",
    "Who forgot to let go, and in which step did it take the reference that is still there?",
    {"holder": (MAPPERS[0], *VISITORS), "step": int},
    form="a whole number",
    judge=leak_judged,
    solution={"holder": GUILTY, "step": 14},
    hints=(
        "Everybody comes twice. For each name, count folio_get and folio_put.",
        "One name has one folio_put fewer. Which of its folio_get is not answered?",
        "It comes, goes, and comes again: the step is its second folio_get.",
    ),
    why="With the list of steps it can be found in a minute. A kernel in daily use keeps no such "
    "list; it has the 514.",
)


# -- from lesson 00

recall = Card(
    "recall",
    "Three questions about lesson 00, from memory.",
    {
        "call": ("mmap()", "VFIO_IOMMU_MAP_DMA", "migrate_pages()"),
        "leave": Choices(a="it is slow", b="no device can reach it", c="it is only lent"),
        "out": ("reference", "truncated", "nomem", "writeback"),
    },
    labels={
        "call": "Which call returned -ENOMEM?",
        "leave": "Why must a page leave CMA before a long-term pin?",
        "out": "Which suspect did the two counters rule out?",
    },
    judge=keyed(
        {
            "call": ("VFIO_IOMMU_MAP_DMA", "it was the call that gives a device access"),
            "leave": ("c", "what is lent must be given back, and a pinned page can't be moved"),
            "out": ("writeback", "one of the four is turned away before the split is counted"),
        }
    ),
    solution={"call": "VFIO_IOMMU_MAP_DMA", "leave": "c", "out": "writeback"},
)
