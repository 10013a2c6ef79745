"""Lesson 09: claims, remedies and policies are judged by runs; what is stored is what runs give."""

from __future__ import annotations

from itertools import product

import pytest

from mmsim.engine.schedule import render
from mmsim.lessons import v2_is_not_the_end as lesson
from mmsim.mm.versions import POLICIES, VERSIONS, get
from mmsim.mm.world import EITHER, NONE
from mmsim.scenarios import lru_batch, make
from mmsim.scenarios.situation import MISSED, NOT_SPLIT

# A holder of the first page leaves at any time.  A free huge page is there or not, each time it is
# asked for; not so if the page cache gets no memory, where the search would not end.
SEARCHED = (
    {"thps": 1, "passes": 3, "targets": EITHER},
    {"thps": 2, "passes": 2, "targets": EITHER},
    {"trouble": "writeback", "passes": 2, "targets": EITHER},
    {"trouble": "truncated", "passes": 2, "targets": EITHER},
    {"trouble": "nomem", "passes": 2, "targets": NONE},
)


def counted(situation, state):
    """What was counted when a pin has returned."""
    world, vmstat = state.world, state.world.vmstat
    left = (f.nr_pages for pfn, f in world.folios.items() if f.name and world.in_cma(pfn))
    fields = lesson.Counts._fields[1:5]
    numbers = [situation.knobs["thps"], *(vmstat[name] for name in fields), sum(left)]
    return lesson.Counts(*map(int, numbers), pinned=situation.succeeded(state))


def searched(version):
    """Everything that a pin can count in any order of steps, each with a shortest schedule."""
    found = {}
    for knobs in SEARCHED:
        situation = make("vfio_map", version, {**knobs, "order": 1, "released": 1})
        search = situation.explore()
        assert search.complete
        for end in search.outcomes(lambda state, of=situation: str(counted(of, state))):
            schedule = render(end.shortest or ())
            run = situation.replay(schedule)
            if "pin" in run.results:
                found.setdefault(counted(situation, run.last), schedule)
    return found


@pytest.mark.parametrize("version", ["v2", "v3fix"])
def test_what_is_stored_of_every_run_is_what_a_search_finds(version):
    found = searched(version)
    assert [*lesson.ends_of(version).items()] == [*found.items()]
    assert {c.huge_pages for c in found} == {1, 2}
    assert any(not c.pinned and not c.thp_split_page_failed and not c.pages_in_cma for c in found)


def test_a_page_without_the_flag_is_drained_by_the_pin_itself():
    for version, batch in product((*VERSIONS, *POLICIES), ("lru_add", "none")):
        run = lru_batch(version, batch=batch).run()
        assert run.results["pin"] == 2
        assert lesson.drains(run) == (batch == "lru_add")


# -- policies


def test_what_is_left_with_a_wait():
    scenario, knobs = lesson.CASES["drop_caches"]
    situation = make(scenario, "wait", knobs)
    ends = situation.explore().outcomes(situation.outcome, {lesson.PIN: lesson.OFTENER})
    found = {end.name: f"{100 * float(end.odds):.0f} %" for end in ends}
    assert found == {NOT_SPLIT: "44 %", MISSED: "16 %", "mapped": "40 %"}
    assert all(number in lesson.policy.why for number in ("44 %", "16 %"))
    (mapped,) = (end.odds for end in ends if end.name == "mapped")
    assert round(float(mapped), 12) == lesson.KNOWN["wait"][1]


@pytest.mark.slow
@pytest.mark.parametrize("row", lesson.KNOWN)
def test_stored_scores_are_those_of_a_search(row):
    for case, known in zip(lesson.CASES, lesson.KNOWN[row], strict=True):
        if (row, case) != ("wait", "drop_caches"):  # the test above has searched it
            assert lesson.score(get(row), case) == known


def busy(answer, when=lambda a: True):
    return lambda a: answer if a.pin_is_busy and when(a) else a.usual


@pytest.mark.parametrize(
    ("decide", "told"),
    [
        (lambda a: a.usual, "✘ Not yet: visit: yours 95.2 %, v3fix 95.2 %: not better yet"),
        (lambda a: "give up" if a.pin_is_busy else a.usual, "v3fix 95.2 %: worse"),
        (lambda a: None if a.what == "huge page" else a.usual, "nothing for a huge page, -EAGAIN"),
        (busy("wait"), "never: 219 steps until it gives up; at most 200"),
        (busy("drain", lambda a: a.tries == 5), "a huge page that is held for ever costs 1 drain"),
        (busy("drain", lambda a: a.what != "huge page"), "a piece that is held for ever costs 10"),
        (busy("drain", lambda a: a.what == "single page"), "a single page that is held for ever"),
        (busy("wait", lambda a: a.tries < 4), "lru_batch: yours 0.0 %, v3fix 0.0 %: not better"),
        (lambda a: "drain", "callers other than a pin notice it: compaction"),
        (lambda a: "drain" if a.reason == "syscall" else a.usual, "a pin notice it: syscall"),
        (lambda a: None, "Not stored: the function returns nothing yet."),
        (lambda a: "retry", "the policy returned 'retry'"),
    ],
)
def test_a_policy_is_told_where_it_falls_short(decide, told):
    assert told in "\n".join(lesson.policy.answer(decide).reply())
    assert not lesson.policy.settled
