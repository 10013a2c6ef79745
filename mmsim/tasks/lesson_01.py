"""The tasks of lesson 01."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mmsim import errno
from mmsim.checks import ANSWERED, FormError, Verdict, failed, letters, passed, task
from mmsim.engine.trace import Trace
from mmsim.lessons import ran
from mmsim.mm.folio import ISOLATION, Folio
from mmsim.practice.benches import Bench, folio_on, leak_hunt, workbench
from mmsim.practice.cases import cases, expected_and_actual, folios, in_words
from mmsim.scenarios import vfio_map

AGAIN = "Count once more; a second wrong answer is told the whole ledger."


def _sum(folio: Folio) -> str:
    held = ", ".join(f"{who} {n}" for who, n in folio.held)
    return f"page cache {folio.cache_refs}, mappings {folio.mapcount}, {held}"


# -- recall

letters(
    "01.recall",
    {
        "call": ("b", "it was VFIO_IOMMU_MAP_DMA that returned {pin}"),
        "leave": ("c", "CMA memory is only lent, and a pinned page can't be moved away"),
        "out": ("d", "a page under writeback is turned away before the split is counted"),
    },
    "All three are in lesson 00.",
    "call: the last step of the story. leave: what lent means. out: one suspect was turned away.",
    "call b, leave c, and out is the last of the four.",
    choices="abcd",
    facts=lambda: {"pin": errno.name(vfio_map().run().results["pin"])},
)


# -- the equation

WORKED = {"order": "9", "mappings": 3, "holders": 1}


@task(
    "01.faded",
    "a dict: row -> how many references",
    "Take the worked example line by line; only two lines are other numbers.",
    "Every mapping has one reference, and so has everybody who looks the page up.",
    "page cache 512, mappings 3, caller 1, others 1.",
    parts=dict.fromkeys(("page cache", "mappings", "caller", "expected", "others", "actual"), int),
)
def faded(answer: dict[str, int]) -> Verdict:
    """The worked example with other numbers and fewer lines."""
    bench = workbench(**WORKED)
    folio = bench.folio()
    expected, actual = expected_and_actual(bench)
    held = dict(folio.held)
    others = sum(held.values()) - held[ISOLATION]
    right = {
        "page cache": folio.cache_refs,
        "mappings": folio.mapcount,
        "caller": held[ISOLATION],
        "expected": expected,
        "others": others,
        "actual": actual,
    }
    for name, number in right.items():
        if answer[name] != number:
            if "01.faded" not in ANSWERED:
                return failed(f"{name}: not {answer[name]}; whose references are these?", AGAIN)
            return failed(f"{name}: the model has {number}", f"whole ledger: {_sum(folio)}")
    return passed(f"{actual} where {expected} were expected: {plural_of(actual - expected)}")


def plural_of(surplus: int) -> str:
    """How far a count is off, in words."""
    return f"{surplus} reference{'' if surplus == 1 else 's'} that the caller can't explain"


@task(
    "01.equation",
    'a dict: "seed" -> the seed, and each case -> (expected, actual)',
    "Expected: the page cache, the mappings, and 1 for the caller who has isolated the page.",
    "The page cache has one reference for each small page inside; a page of no file none.",
    "Actual is expected plus the others: 1 each, but a pin of a single page is 1,024.",
    parts={"seed": int, **dict.fromkeys("abcde", tuple[int, int])},
)
def equation(answer: dict[str, Any]) -> Verdict:
    """Both sides of every case of a seed."""
    for name, bench in cases(answer["seed"]).items():
        right = expected_and_actual(bench)
        given = answer[name]
        if given != right:
            folio = bench.folio()
            side, n = ("expected", 0) if given[0] != right[0] else ("actual", 1)
            if "01.equation" not in ANSWERED:
                return failed(f"case {name} ({in_words(bench)}), {side}: not {given[n]}", AGAIN)
            return failed(
                f"case {name}, {side}: the model has {right[n]}, you have {given[n]}",
                f"{in_words(bench)}: {_sum(folio)}",
            )
    return passed("all five; another seed gives five others")


# -- the same count, other holders


@task(
    "01.same",
    "a page: workbench(...) with knobs of your choice",
    "A page in the page cache need not be mapped.",
    "With mappings=0 the cache has 512. Who can have the other two?",
    "workbench(mappings=0, holders=1), and the caller's isolation is the second.",
)
def same(answer: object) -> Verdict:
    """Refcount 514 and no user at all."""
    mine = ran(answer)
    if mine is None or not isinstance(mine[0], Bench):
        raise FormError("the answer should be a page: workbench(...) with knobs of your choice")
    folio = folio_on(mine[1])
    told = f"that page has refcount {folio.refcount} and mapcount {folio.mapcount}: {_sum(folio)}"
    if folio.refcount == 514 and folio.mapcount == 0:
        return passed(told)
    return failed(told)


VOTES = {
    "a": "514 users would be 514 rows in the ledger; here {rows} rows add up to 514",
    "b": "this page has refcount 514 too, and mapcount {maps}",
    "c": "a pin is one way to get a reference; this page has refcount 514 too, and pincount {pins}",
}


@task("01.vote", "one letter, a to d", parts=("a", "b", "c", "d"))
def vote(answer: str) -> Verdict:
    """The peer question; a wrong answer meets a page that contradicts it."""
    if answer == "d":
        return passed("the count has no names: the same 514 stands for very different holders")
    bench = workbench()
    folio = bench.folio()
    rows = 1 + (folio.mapcount > 0) + len(folio.held)  # the first is the page cache's
    why = VOTES[answer].format(rows=rows, maps=folio.mapcount, pins=folio.pincount)
    return failed(why, f"{in_words(bench)}: {_sum(folio)}")


# -- how long


class Holder(NamedTuple):
    """One holder: how long it stays, and a word on why."""

    stays: str
    why: str


STAYS = {
    "page cache": Holder("long-term", "it stays as long as the file has the page"),
    "mapping": Holder("long-term", "it stays until the process unmaps the memory or ends"),
    "VFIO pin": Holder("long-term", "it stays as long as the device is handed to the guest"),
    "drop_caches": Holder("temporary", "it lets go at the end of its batch"),
    "direct I/O pin": Holder("temporary", "it is a pin too, but ends with the transfer"),
    "isolation": Holder("temporary", "it ends when the page has been moved or put back"),
}


@task(
    "01.kinds",
    'a dict: holder -> "temporary" or "long-term"',
    "Ask what has to happen before the reference is dropped.",
    "Three of the six end by themselves, soon. Is every pin for long?",
    "A direct I/O pins a page only while its data are transferred.",
    parts=dict.fromkeys(STAYS, ("temporary", "long-term")),
)
def kinds(answer: dict[str, str]) -> Verdict:
    """Who goes by itself."""
    for name, (stays, why) in STAYS.items():
        if answer[name] != stays:
            return failed(f"{name} is {stays}: {why}")
    return passed("and the count shows nothing of it: a reference is a reference")


# -- the leak


def _balance(trace: Trace, who: str) -> tuple[list[int], list[int]]:
    """The steps (from 1) at which somebody takes and drops a reference."""
    mine = [(i, e.op.kind.name) for i, e in enumerate(trace.events, start=1) if e.actor == who]
    return (
        [i for i, name in mine if name == "folio_get"],
        [i for i, name in mine if name == "folio_put"],
    )


@task(
    "01.leak",
    'a dict with "seed", "holder" and "step"',
    "Everybody comes twice. For each name, count folio_get and folio_put.",
    "One name has one folio_put fewer. Which of its folio_get is not answered?",
    "It comes, goes, and comes again: the step is its second folio_get.",
    parts={"seed": int, "holder": str, "step": int},
)
def leak(answer: dict[str, Any]) -> Verdict:
    """Judged by the references that are left at the end of the run."""
    trace = leak_hunt(answer["seed"]).run()
    left = dict(folio_on(trace).held)
    holder, step = answer["holder"], answer["step"]
    actors = [actor.name for actor in trace.scenario.actors]
    if holder not in actors:
        return failed(f"there is no {holder!r} in this run; there are {', '.join(actors)}")
    takes, drops = _balance(trace, holder)
    if holder not in left:
        if not takes:
            return failed(f"{holder} took part, but its allocation's reference is the mapping's")
        return failed(f"{holder} takes in steps {takes} and drops in steps {drops}: it balances")
    if step != takes[-1]:
        if step in takes:
            back = next(drop for drop in drops if drop > step)
            return failed(f"what {holder} takes in step {step} it drops in step {back}")
        return failed(f"{holder} is right, but it takes nothing in step {step}")
    return passed(
        f"what {holder} takes in step {step} is never dropped; "
        f"the count stays at {folio_on(trace).refcount}"
    )


# -- write it yourself


@task(
    "01.expected_refs",
    "a function: expected_refs(folio) -> how many references the caller expects",
    "Start with the caller's own 1.",
    "If folio.cached, the page cache has folio.nr_pages; every mapping has one more.",
    "return (folio.nr_pages if folio.cached else 0) + folio.mapcount + 1",
)
def expected_refs(answer: Callable[[Folio], Any]) -> Verdict:
    """Judged on every folio of `folios`; the plainest one that contradicts is shown."""
    benches = folios()
    for bench in benches:
        folio, (right, _) = bench.folio(), expected_and_actual(bench)
        try:
            given = answer(folio)
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            return failed(f"your function stops with {what}", f"for {in_words(bench)}")
        if given is None:
            return Verdict("not attempted", "the function returns nothing yet")
        if given != right or isinstance(given, bool):
            return failed(
                f"the model expects {right}, your function says {given!r}",
                f"for {in_words(bench)}: {_sum(folio)}",
            )
    return passed(f"right for all {len(benches)} pages, with strangers and without")
