"""Lesson 01: a reference count, who its references belong to, and what the kernel expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from functools import cache
from typing import Any

from mmsim.constants import ANON, HPAGE_PMD_NR, SHMEM
from mmsim.engine.actor import Actor
from mmsim.engine.op import Op
from mmsim.engine.schedule import one_after_another
from mmsim.engine.trace import Trace
from mmsim.errors import UserError
from mmsim.lessons.card import Card, Pick, quiz, seeded, widget
from mmsim.lessons.form import Choices, FormError, Verdict, failed, passed, ran
from mmsim.mm.actors import holder, isolate_by_name, pinner
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.mm.memory import map_in_another_process
from mmsim.mm.seams import Version
from mmsim.mm.shmem import populate
from mmsim.mm.world import World
from mmsim.scenarios.knobs import Knobs, one_of
from mmsim.scenarios.knobs import number as whole
from mmsim.scenarios.situation import Setup, scenario
from mmsim.views.ledger import SPLIT_CHECK, ledger_of, ledger_picture
from mmsim.views.operations import call
from mmsim.views.show import Shown
from mmsim.views.svg import Picture
from mmsim.views.tables import Frame, frame, labels

# -- a page with its holders, as a scenario
#
# It knows no count.  Each run starts without a folio, and holders come by the kernel's own steps,
# so every number that the lesson shows is what the model has counted.

REGION = "A"
MAPPERS = ("guest", "backend", "monitor", "backup")  # the first one also fills the memory
HOLDERS = ("drop_caches", "fault", "mincore")
PINNER = "debugger"  # process_vm_readv() pins while it copies, in Linux 6.1 too
PAGE_KNOBS = (
    one_of("order", "9", ["0", "9"], "0: a single page, 9: a huge page of 512"),
    one_of("cached", "yes", ["yes", "no"], "yes: a page of a memfd, no: of no file (anonymous)"),
    whole("mappings", 1, 0, len(MAPPERS), "how many processes map it"),
    one_of("isolated", "yes", ["yes", "no"], "has the caller isolated it to move it?"),
    whole("holders", 0, 0, len(HOLDERS), "how many others have looked it up just now"),
    one_of("pin", "no", ["no", "yes"], "does a debugger pin one page of it, to read it?"),
)


def _does(name: str, step: Callable[[str, int], Op]) -> Actor:
    """Takes this one step on the page."""

    def path() -> Generator[Op, Any, None]:
        yield step(REGION, 0)

    return Actor(name, path)


@scenario(*PAGE_KNOBS)
def page_with(version: Version, knobs: Knobs) -> Setup:
    """A page with the holders that the knobs ask for.

    Raises UserError for knobs that contradict each other."""
    order, mappings = int(knobs["order"]), knobs["mappings"]
    kind = SHMEM if knobs["cached"] == "yes" else ANON
    if kind == ANON and not mappings:
        raise UserError(
            "with cached='no' and mappings=0 nobody needs the page, and the kernel frees it"
        )
    if knobs["pin"] == "yes" and not mappings:
        raise UserError("with mappings=0 nobody can pin the page: a pin goes by a mapping")
    actors = [Actor(MAPPERS[0], lambda: populate(REGION, order, kind, mappings > 0))]
    actors += [_does(name, map_in_another_process) for name in MAPPERS[1:mappings]]
    if knobs["isolated"] == "yes":
        actors.append(_does("caller", isolate_by_name))
    actors += [holder(name, REGION, 0, leaves=False) for name in HOLDERS[: knobs["holders"]]]
    if knobs["pin"] == "yes":
        actors.append(pinner(PINNER, REGION, 0, leaves=False))
    return Setup(World(), tuple(actors), usual=lambda: one_after_another)


@scenario()
def page_life(version: Version, knobs: Knobs) -> Setup:
    """A huge page from its allocation on: cached, mapped twice, isolated, looked at in passing."""
    actors = (
        Actor(MAPPERS[0], lambda: populate(REGION, 9, SHMEM, True)),
        _does(MAPPERS[1], map_in_another_process),
        _does("caller", isolate_by_name),
        holder(HOLDERS[0], REGION, 0),
    )
    return Setup(World(), actors, usual=lambda: one_after_another)


def folio_of(trace: Trace, position: int | None = None) -> Folio:
    """The folio after so many steps of a run, or at its end."""
    state = trace.last if position is None else trace.state(position)
    folio: Folio = next(iter(state.world.folios.values()))
    return folio


# -- a page and its ledger


@cache
def end_of(**knobs: Any) -> Folio:
    """A page with these knobs, at the end of its run."""
    return folio_of(page_with(**knobs).run())


def sums(**knobs: Any) -> dict[str, int]:
    """The count without holders, and the count: both are counted in runs of the model."""
    alone = {**knobs, "holders": 0, "pin": "no"}
    return {"expected": end_of(**alone).refcount, "actual": end_of(**knobs).refcount}


def references(folio: Folio) -> str:
    """Who has how many references."""
    found = Counter({"page cache": folio.cache_refs, "mappings": folio.mapcount})
    for who, n in folio.held:
        found["holders" if who in HOLDERS else who] += n
    return ", ".join(f"{who} {n}" for who, n in found.items() if n)


def page_picture(**knobs: Any) -> Picture:
    """The ledger at the end of a page's run."""
    return ledger_picture(page_with(**knobs).run().last.world)


# -- the first screen: two pages with one count

Y: dict[str, Any] = {"mappings": 0, "holders": 1}
ALLOWED, REFUSED = "splits it", "refuses: one reference too many"


def split_of(trace: Trace) -> str:
    """What the kernel's check before a split says of the page."""
    ledger = ledger_of(trace.last.world, "A", check=SPLIT_CHECK)
    return ALLOWED if ledger is not None and ledger.check.equal else REFUSED


@Shown
def evidence() -> Frame:
    """Pages X and Y."""
    runs = [page_with().run(), page_with(**Y).run()]
    rows = [(folio_of(run).refcount, split_of(run)) for run in runs]
    return frame(rows, labels("XY", "huge page"), ["reference count", "the kernel"])


# -- the life of a page

MOMENTS = {
    "cached": ("shmem_add_to_page_cache", "It is put into the page cache of the memfd."),
    "mapped": ("finish_fault", "The guest maps it: an entry of its page table points to it."),
    "mapped_again": ("map_in_another_process", "A second process maps the same memfd."),
    "isolated": ("isolate_by_name", "A caller isolates it, in order to move it."),
    "looked_at": ("folio_get", "`drop_caches`, which goes over all files, comes to it."),
}
LIFE = page_life().run()  # the run that the lesson steps through


def refs_added(step: str) -> int:
    """By how much the count grows at this step."""
    at = LIFE.find(step)
    return folio_of(LIFE, at).refcount - folio_of(LIFE, at - 1).refcount


def step_picture(step: int) -> Picture:
    """The ledger after a step."""
    moment = LIFE.at(step)
    claim = f"Step {step} of {len(LIFE)}, {LIFE.events[step - 1].actor}: {call(moment)}"
    return ledger_picture(moment.world, claim)


born = Shown(lambda: step_picture(1))
guess = Card(
    "After the allocation the count is 1. How much does each of these five add to it?\n"
    "In lesson 00 a page that was cached, mapped once and isolated had 514. The reference of the "
    "allocation stays until the guest maps the page.",
    dict.fromkeys(MOMENTS, (0, 1, 2, HPAGE_PMD_NR - 1, HPAGE_PMD_NR)),
    labels={name: words for name, (_, words) in MOMENTS.items()},
    outcome=lambda: {name: refs_added(step) for name, (step, _) in MOMENTS.items()},
    hints=(
        "The 1 at first, the page cache, one mapping and the isolation make 514. What became of "
        "the reference of the allocation?",
    ),
    why="**Why 512?** The file has a place for each of the 512 small pages, and the page cache "
    "takes one reference for each place. After a split, every small page is in the cache by "
    "itself and needs a reference of its own. The cache then hands out the 512, one to each.\n\n"
    "**Why 0?** A mapping has a reference, but the first one adds none. It inherits the reference "
    "of the allocation. If nobody maps the page, that reference is dropped.\n\n"
    "`drop_caches` lets go a moment later. A page that is mapped is in use, so it was not freed. "
    "For that moment the count was one higher.",
    still=lambda: step_picture(LIFE.find("folio_get")),
    play=widget("Console", step_picture, [whole("step", 1, 1, len(LIFE), "after so many")]),
)


# -- expected and actual

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "second_mapping": ({"mappings": 2}, "One more process maps it."),
    "a_holder": ({"holders": 1}, "`drop_caches` has just looked it up."),
    "no_file": ({"cached": "no"}, "It is memory of no file instead (*anonymous* memory)."),
    "a_pin": ({"pin": "yes"}, "A debugger has pinned one of its small pages."),
}

sides = Card(
    "One thing about page X is different. Are expected and actual still equal?\n"
    "Each change is made alone.",
    dict.fromkeys(CHANGES, ("equal", "not equal")),
    labels={name: words for name, (_, words) in CHANGES.items()},
    outcome=lambda: {
        name: "equal" if len({*sums(**knobs).values()}) == 1 else "not equal"
        for name, (knobs, _) in CHANGES.items()
    },
    why="A mapping changes both sides, because the kernel counts mappings as well. Leaving the "
    "file changes both sides, too: without a cache, 2 is all there is to expect. A holder or a pin "
    "changes only the actual count.",
    still=lambda: page_picture(holders=1),
    play=widget("Console", page_picture, PAGE_KNOBS),
)

ALIKE: dict[str, dict[str, Any]] = {
    "page X: mapped, isolated": {},
    "page Y: not mapped, isolated, looked up": Y,
    "mapped twice": {"mappings": 2, "isolated": "no"},
    "mapped, pinned once": {"isolated": "no", "pin": "yes"},
}


def same_count() -> Frame:
    """Pages with one and the same count, and what it is made of."""
    folios = [end_of(**knobs) for knobs in ALIKE.values()]
    rows = [(folio.refcount, folio.mapcount, references(folio)) for folio in folios]
    return frame(rows, labels(ALIKE, "huge page"), ["refcount", "mapcount", "who has them"])


def judge_page_y(answer: object) -> Verdict:
    """Count 514, isolated, and the kernel refuses to split it."""
    wanted = "a page: lesson.page_with(...) with some knobs"
    situation, run = ran(answer, wanted)
    if situation.name != "page_with":
        raise FormError(f"the answer should be {wanted}")
    folio = folio_of(run)
    told = f"that page has {folio.refcount} references: {references(folio)}"
    if not folio.is_thp:
        return failed(f"{told}; page Y is a huge page")
    if folio.refcount != 514:
        return failed(f"{told}; page Y has 514")
    if ISOLATION not in dict(folio.held):
        return failed(f"{told}; nobody has isolated it, so nobody compares the count")
    if split_of(run) == ALLOWED:
        return failed(f"{told}; the kernel expects all of them and splits it, as page X")
    return passed(f"{told}; expected are {folio.cache_refs} + {folio.mapcount} + 1")


page_y = Card(
    "Build page Y: 514 references, isolated, and the kernel refuses to split it.\n"
    "Page X is `lesson.page_with()`.",
    judge=judge_page_y,
    form="lesson.page_with(...)",
    solution=page_with(**Y),
    hints=(
        "One reference must be a holder's. Which one of page X's can be missing instead?",
        "The page cache has 512 and the caller 1. A page in the cache need not be mapped.",
        "lesson.page_with(mappings=0, holders=1)",
    ),
    why="Nobody maps page Y, so the kernel expects 513. The 514th reference is a holder's. Four "
    "very different pages have one and the same count.\n\n"
    "*A common mistake:* 514 references mean 514 users. The page cache alone has 512 of them, and "
    "the cache is not a user. Nobody need ever look at these 2 MiB again.",
    still=lambda: [page_picture(**Y), same_count()],
)


# -- single pages and pins

PAGE_A = {"order": 0, "mappings": 2, "holders": 2}
PAGE_B = {"order": 0, "cached": "no", "mappings": 2, "pin": "yes"}
SIDES = ("expected", "actual")


def page_in_words(knobs: dict[str, Any]) -> str:
    """A page in words."""
    page, words = page_with(**knobs).knobs, ("no", "one", "two", "three", "four")
    mappings, holders = (words[int(page[name])] for name in ("mappings", "holders"))
    told = "a single page" if page["order"] == "0" else "a huge page"
    told += " of a memfd" if page["cached"] == "yes" else " of no file"
    told += f", mapped by {mappings} process{'es' * (mappings != 'one')}"
    if holders != "no":
        told += f", looked up by {holders} holder{'s' * (holders != 'one')}"
    return told + ", pinned once by a debugger" * (page["pin"] == "yes")


def sums_in_words(knobs: dict[str, Any]) -> str:
    """The two sums of a page."""
    folio, both = end_of(**knobs), sums(**knobs)
    return (
        f"expected {folio.cache_refs} + {folio.mapcount} + 1 = {both['expected']}, "
        f"actual {both['actual']} ({references(folio)})"
    )


COUNTING = (
    "Expected: the page cache, the mappings, and 1 for the caller that has isolated the page.",
    "The page cache has one reference for each small page inside; memory of no file has none.",
    "Actual is expected plus the others: 1 each, but the pin of a single page is 1,024.",
)


def both_counts(question: str, pages: Mapping[str, dict[str, Any]]) -> Card:
    """A card that asks for both sides of each of these pages."""
    asked = {f"{name}{side}": (page, side) for name, page in pages.items() for side in SIDES}
    return Card(
        question,
        dict.fromkeys(asked, int),
        outcome=lambda: {part: sums(**page)[side] for part, (page, side) in asked.items()},
        against=lambda part, given: (
            f"not {given}; whose references are these?",
            sums_in_words(asked[part][0]),
        ),
        if_right="both sides",
        hints=COUNTING,
        still=lambda: [
            f"{name[:1]}: {sums_in_words(page)}".removeprefix(": ") for name, page in pages.items()
        ],
    )


counts = both_counts(
    "What is expected of each of these two pages, and what is its actual count?\n"
    f"Both are isolated.\n\n`a`: {page_in_words(PAGE_A)}.\n\n`b`: {page_in_words(PAGE_B)}.",
    {"a_": PAGE_A, "b_": PAGE_B},
)


# -- for a moment, or for good

ENDS, TAKEN, NEITHER = KINDS = ("ends by itself", "the caller can end it", "neither")
kinds = quiz(
    "Which of these references end by themselves, soon? And which can the caller end?\n"
    "The caller is the code that wants to move the page. The *VFIO pin* is the one that lets a "
    "device work in the guest's memory.",
    {
        "page_cache": (
            "",
            KINDS,
            TAKEN,
            "the kernel finds it in the file, and can put a new page there",
        ),
        "mapping": ("", KINDS, TAKEN, "the kernel finds the entry and clears it"),
        "vfio_pin": ("", KINDS, NEITHER, "it stays as long as the guest has the device"),
        "drop_caches": ("", KINDS, ENDS, "it is dropped with the next few pages"),
        "debugger_pin": ("", KINDS, ENDS, "it is a pin, too, but it ends when the data are copied"),
    },
    hints=(
        "Ask what has to happen before the reference is dropped.",
        "Two of the five the kernel can find, and they are in the sum that it expects.",
        "A debugger pins a page only while its data are copied. A device never says when it ends.",
    ),
    why="The count shows nothing of this. What the caller can end, it expects. A temporary "
    "reference is worth waiting for. A *long-term* one is not, and the caller can't end it either.",
)


# -- from lesson 00

recall = quiz(
    "Three questions about lesson 00, from memory.",
    {
        "call": (
            "Which call returned -ENOMEM?",
            ("mmap()", "VFIO_IOMMU_MAP_DMA", "migrate_pages()"),
            "VFIO_IOMMU_MAP_DMA",
            "it is the call that gives a device access",
        ),
        "leave": (
            "Why must a page leave CMA before a long-term pin?",
            Choices(a="CMA has no huge pages", b="it is only lent", c="devices can't use it"),
            "b",
            "what is lent must be given back, and a pinned page can't be moved",
        ),
        "out": (
            "Which suspect did the two counters rule out?",
            ("reference", "truncated", "nomem", "writeback"),
            "writeback",
            "such a page is turned away before the split is counted",
        ),
    },
    "you remember lesson 00",
)


# -- more pages


@seeded
def practise(pick: Pick) -> Card:
    """Another page: what is expected, and what is its count?"""
    page = {"order": pick((0, 9)), "cached": pick(("yes", "no")), "holders": pick((0, 1, 2, 3))}
    page["mappings"] = pick((1, 2, 3, 4) if page["cached"] == "no" else (0, 1, 2, 3, 4))
    page["pin"] = pick(("yes", "no")) if page["mappings"] else "no"
    question = "What is expected of this page, and what is its actual count?\n"
    return both_counts(f"{question}It is isolated: {page_in_words(page)}.", {"": page})
