"""What a card says to an answer that somebody may give: first a reason, then how it is.

The wrong answers of the teacher's key are given in tests/test_teaching.py; here stand those whose
reply has a case of its own."""

from __future__ import annotations

import pytest

from mmsim.lessons import capstone_and_recall as last
from mmsim.lessons import cma_borrowed_land as cma
from mmsim.lessons import migrate_or_split as split
from mmsim.lessons import plenty_free as plenty
from mmsim.lessons import probably_drop_caches as walk
from mmsim.lessons import review_v1_then_v2 as review
from mmsim.lessons import the_report as report
from mmsim.lessons import v2_is_not_the_end as end
from mmsim.lessons import who_holds_this_page as holds
from mmsim.lessons import you_are_the_scheduler as game
from mmsim.lessons.activity import State
from mmsim.lessons.card import Card
from mmsim.lessons.form import failed
from mmsim.sandbox import CALL_STEPS, STEPS_MAX
from mmsim.scenarios import cma_alloc, vfio_map

PIN, LOOK, *REST = cma.STEPS
LOCK, CHECK, UNMAP, *LAST = split.WHY
LEFT = walk.left.outcome()
SHORTEST = "a shortest order of steps (pin*9 means nine steps of the pin): pin*20"
CLAIMS = {"alone": "holds", "checked": "broken", "mapped": "broken", "piece": "holds"}
MOMENT = "the holder still finds a moment. Which?"
FITTING = last.fitting.right()


def blocks(*counts):
    return dict(zip(plenty.ORDERS, counts, strict=True))


def loops(given):
    for _ in range(2 * STEPS_MAX // CALL_STEPS):  # without a limit: a failure, and no hang
        vfio_map("v1", reason="syscall")


def asks(look, **knobs):
    """A regression test: what a caller that is no pin finds in a kernel."""
    return lambda version: look(vfio_map(version, **{"reason": "contig_range", **knobs}).run())


def enomem(run):
    return run.results["migrate"] == -12


def once(run, counter="thp_split_page_failed"):
    return run.last.world.vmstat[counter] == 1


BASE_STEPS = len(vfio_map("base", reason="contig_range").run().events)
NARROW = "it also stops a kernel that keeps the contract", "look at what the caller is told"
BOTH = "v1 passes it, too", ""


# card, answer, what is said first, what is said the second time only
WRONG = [
    (report.counted, "a", "would be 10, and it is 11", "only c gives"),
    (report.ranking, ["nomem", "nomem", "reference", "writeback"], "exactly once", ""),
    (holds.page_y, holds.page_with(), "expects all of them and splits it", ""),
    (holds.page_y, holds.page_with(holders=1), "515 references", ""),
    (holds.page_y, holds.page_with(mappings=2, isolated="no"), "nobody has isolated it", ""),
    (holds.page_y, holds.page_with(order=0), "page Y is a huge page", ""),
    (holds.page_y, vfio_map(), "should be a page: lesson.page_with(", ""),
    (cma.one, 12, "none in CMA", ""),
    (cma.one, 27, "cma must be 0-26, not 27", ""),
    (cma.first, 256, "with 256 MiB in use, 721 MiB would be free", ""),
    (cma.first, 700, "long since", ""),
    (cma.order, [LOOK, PIN, *REST], "`first`: not 'look'; what belongs there", "`first`: pin; the"),
    (cma.order, [PIN, LOOK, *REST[:3], "wait"], "`sixth`: nobody waits", "`sixth`: map; "),
    (plenty.blocks, blocks(4, 2, 1, 1, 0), "has 12 free pages, your blocks have 20", "0-1, 2, 5"),
    (plenty.blocks, blocks(4, 4, 0, 0, 0), "not the largest blocks", "6-7, 9, 11, 12-15"),
    (plenty.least, [5], "and pages 512 to 1023 are a huge page", ""),
    (plenty.least, [*range(512, 4096, 512)], "and pages 0 to 511 are a huge page", ""),
    (plenty.least, [*range(0, 4096, 256)], "it can be done with fewer", ""),
    (plenty.least, [4096], "Not stored: there is no page 4096", ""),
    (plenty.least, ["x"], "there is no page 'x'", ""),
    (plenty.least, 7, "could not be used", ""),
    (split.pair, vfio_map("base"), "the pair, but with a holder; find one without", ""),
    (split.pair, vfio_map(targets="available"), "elsewhere no split is tried", ""),
    (split.pair, vfio_map(holder=0, trouble="writeback"), "thp_migration_fail 1", ""),
    (split.pair, 1, "the answer should be a situation", ""),
    (split.order, [LOCK, UNMAP, CHECK, *LAST], "`second`: not 'unmap'; what", "`second`: check; "),
    (split.order, [LOCK, "wait", UNMAP, *LAST], "'wait' is not part of a", "`second`: check; "),
    (walk.window, 2, "had the page's lock by then?", "after step 2 it meets the reference"),
    (walk.window, 3, "what does drop_caches still have", "after step 3 it waits for the lock"),
    (walk.window, 14, "what does drop_caches still have", "nobody is in the way: it succeeds"),
    (walk.window, -1, "a number from 0 to 17", ""),
    (walk.left, {**LEFT, "v2_not_split": False}, "stand still for long", SHORTEST),
    (walk.left, {**LEFT, "base_succeeds": True}, "return once", "base never ends so"),
    (game.at_check, "split*99", "after this schedule: split", ""),
    (game.at_check, "splitt*3", "no actor 'splitt'", ""),
    (game.at_check, "split*6 holder", "split can go on: are all references to huge page A", ""),
    (game.at_check, "split*6 holder", "holder can go on: drop a reference", ""),
    (game.at_check, "__import__('os')", "can't read", ""),
    (game.at_freeze, "split*6 holder split*9", "after this schedule: failed", ""),
    (game.at_freeze, "split*8 holder*2 holder split*99", "after this schedule: split", ""),
    (game.rescue, "holder*2 pin*99", "after this schedule: ", ""),
    (game.claims, {**CLAIMS, "checked": "holds"}, "before the …: there", "Play `split*7 holder`: "),
    (game.claims, {**CLAIMS, "mapped": "holds"}, "a schedule of 13", "`split*9 holder split*3`"),
    (game.claims, {**CLAIMS, "alone": "broken"}, "which schedule breaks it?", "none of all 55"),
    (game.claims, {**CLAIMS, "piece": "broken"}, "there is a schedule", "Play `split*11 holder`"),
    (review.hole, vfio_map("v1", targets="late", released=1), "that is v1; it should happen", ""),
    (review.hole, vfio_map("v2", targets="late", holder=0), "no failing pin", ""),
    (review.hole, vfio_map("v2"), "not everything has moved", ""),
    (review.hole, vfio_map("v2", taken="0.move.freeze"), "not everything has moved", ""),
    (review.hole, vfio_map("v2", reason="syscall"), "no pin", ""),
    (review.hole, vfio_map, "the answer should be a situation", ""),
    (end.once, lambda c: True, "v2 keeps it too, in all", ""),
    (end.once, lambda c: c.thp_migration_fail <= 1, "not even v3fix keeps it: ", ""),
    (end.once, lambda c: c.pinned or c.thp_split_page_failed > 0, "not even v3fix keeps it: ", ""),
    (end.once, lambda c: c.pinned or c.pages_in_cma > 0, "not even v3fix keeps it: ", ""),
    (end.once, lambda c: 5, "your claim returns 5, not True or False, for Counts(huge_pages", ""),
    (end.once, lambda c: None if c.pinned else True, "your claim returns None, not True", ""),
    (end.once, lambda c: None, "Not stored: the function returns nothing yet", ""),
    (end.once, loops, "✘ Not yet: the claim was stopped after", ""),
    (end.policy, loops, "✘ Not yet: the policy was stopped after", ""),
    (review.regression, lambda version: once(cma_alloc(version).run()), *NARROW),
    (review.regression, asks(lambda run: enomem(run) and once(run)), *NARROW),
    (review.regression, asks(lambda r: enomem(r) and len(r.events) == BASE_STEPS), *NARROW),
    (review.regression, asks(lambda run: once(run, "thp_migration_fail")), *BOTH),
    (review.regression, lambda version: version.name != "v1", *BOTH),
    (review.regression, lambda version: True, *BOTH),
    (review.regression, lambda version: False, "base does not pass it, and should", ""),
    (review.regression, asks(once, reason="longterm_pin"), "v2 does not pass it", ""),
    (review.regression, lambda version: 1, "with base it returns 1, not True or False", ""),
    (review.regression, lambda version: None, "returns nothing yet", ""),
    (review.regression, loops, "✘ Not yet: the test was stopped after", ""),
    (review.regression, lambda: True, "✘ Not yet: the test raised TypeError", ""),
    (review.regression, "v1", "hand in the function itself", ""),
    *((game.together, {"stretch": x, "check": True}, MOMENT, "after `split*") for x in "abc"),
    (last.fitting, {**FITTING, "reference": "fits"}, "would be 10, not 1: base tries", ""),
    (last.fitting, {**FITTING, "nomem": "out"}, "", ": its run has the same counters; its"),
    (game.together, ["d", False], "comes before the stretch", "refused at the check"),
]
LATE = vfio_map("v2", targets="late", released=3)
TELLS = "v1 fails; base, v2 and a kernel that tries and counts otherwise pass"
RIGHT = [
    (review.regression, asks(enomem), TELLS),
    (review.regression, asks(enomem, trouble="truncated", holder=0), TELLS),
    (review.regression, asks(enomem, reason="syscall"), TELLS),
    (review.regression, lambda v: cma_alloc(v).run().results["owner"] == -12, TELLS),
    (review.hole, LATE.run(), "nothing is left in CMA"),
    (end.once, lambda c: c.thp_migration_fail <= c.huge_pages, "v3fix keeps your claim, v2 does"),
    (holds.page_y, holds.page_y.solution.run(), "expected are 512 + 0 + 1"),
    (plenty.least, [511, 512, 1500, 2000, 2049, 3000, 3500, 4095], "99.8 %, and no huge page"),
    (split.pair, vfio_map(holder=0, trouble="nomem"), "nobody held a reference"),
    (split.order, tuple(split.order.solution), "this is the order"),
    (walk.window, 10, "back on its LRU list"),
    (walk.window, 13, "it meets the reference in each pass"),
    (game.at_check, "split*6 holder split*13", "nothing was changed"),
    (game.piece, "pin*22 holder pin*60", "one pass"),
    (game.rescue, "pin*14 holder pin*2 holder pin*90", "Without the retry"),
]


def said(card, answer):
    return " ".join(card.answer(answer).reply())


def named(value):
    """An id that is the same in each process: no place in memory."""
    return value.key if isinstance(value, Card) else str(value).partition(" at 0x")[0][:40]


@pytest.mark.parametrize(("card", "answer", "first", "second"), WRONG, ids=named)
def test_a_wrong_answer_meets_a_reason_and_then_how_it_is(card, answer, first, second):
    told = said(card.opened(), answer)
    assert first in told
    assert not second or second not in told
    assert first in said(card, answer)  # the same answer again is no new try
    card.forget()
    card.state = State(verdict=failed("another"))
    assert second in said(card, answer)
    assert repr(card).startswith("○ ")  # it can be shown, and is still open


@pytest.mark.parametrize(("card", "answer", "told"), RIGHT, ids=named)
def test_another_right_answer_is_right(card, answer, told):
    assert told in said(card, answer)
    assert card.settled
    assert card.opened().stored is None
