"""Claims about the books: the search finds the double count, and the hole of the second version."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import VERSIONS
from mmsim.policy import STEPS_MAX, PolicyError
from mmsim.practice.books import Books, books, judged
from mmsim.scenarios import vfio_map


def once(c):
    return c.thp_migration_success + c.thp_migration_fail <= c.huge_pages


def moved_is_pinned(c):
    return c.pinned or c.pages_in_cma > 0


COUNT_TWICE = {"v1", "v2", "v3", "2/2-only"}
LOSE_A_MOVE = {"base", "v2", "2/2-only"}


@pytest.mark.parametrize("version", VERSIONS)
def test_who_counts_a_huge_page_twice(version):
    found = judged(once, version)
    assert bool(found.schedule) == (version in COUNT_TWICE)
    if found.books is not None:
        assert not once(found.books)
        run = vfio_map(version, **found.knobs)
        assert books(run, run.replay(found.schedule).last) == found.books


@pytest.mark.parametrize("version", VERSIONS)
def test_who_fails_although_everything_moved(version):
    found = judged(moved_is_pinned, version)
    assert bool(found.schedule) == (version in LOSE_A_MOVE)


def test_the_second_version_loses_a_huge_page_that_moved_whole():
    found = judged(moved_is_pinned, "v2")
    assert found.books == Books(1, 1, 1, 0, 1, 0, pinned=False)
    assert found.schedule.count("pin:fail") == found.schedule.count("pin:ok") == 1


def test_every_end_is_looked_at():
    seen = set()
    assert judged(lambda c: seen.add(c) or True, "v3fix").ends == len(seen)
    assert {c.huge_pages for c in seen} == {1, 2}
    assert {c.pinned for c in seen} == {True, False}
    assert {c.thp_split_page_failed for c in seen} >= {0, 1, 2, 3}


def test_the_counterexample_is_a_shortest_one():
    found = judged(lambda c: c.thp_split_page_failed == 0, "base")
    assert found.books.thp_split_page_failed == 1
    longer = judged(lambda c: c.thp_split_page_failed < 2, "v3fix")
    assert len(longer.schedule) > 0
    assert longer.books.thp_split_page_failed == 2


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (lambda c: c.nothing, "the claim raised AttributeError"),
        (lambda: True, "the claim raised TypeError"),
    ],
)
def test_a_claim_that_goes_wrong_is_one_sentence(claim, says):
    with pytest.raises(PolicyError, match=says):
        judged(claim, "v3fix")


def test_a_claim_that_loops_is_stopped():
    def loops(c):
        for _ in range(STEPS_MAX):  # not for ever: without a limit this has to fail, not to hang
            pass

    with pytest.raises(PolicyError, match="the claim was stopped after"):
        judged(loops, "v3fix")
