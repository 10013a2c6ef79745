"""Lesson 01: the numbers of its text, and the ledger with knobs."""

from __future__ import annotations

from mmsim.lessons import who_holds_this_page as lesson


def test_numbers_of_the_text():
    assert list(lesson.guess.outcome().values()) == [512, 0, 1, 1, 1]
    assert lesson.sums(**lesson.Y) == {"expected": 513, "actual": 514}
    assert lesson.sums(mappings=2, holders=2) == {"expected": 515, "actual": 517}


def test_the_rows_of_the_table_are_what_the_model_adds():
    def count(**knobs):
        return lesson.sums(isolated="no", **knobs)["actual"]

    for order, cache, pin in ((0, 1, 1024), (9, 512, 1)):
        first = count(order=order)
        assert first == 1 + cache
        assert count(order=order, mappings=0) == first - 1
        assert count(order=order, mappings=2) == count(order=order, holders=1) == first + 1
        assert lesson.sums(order=order)["actual"] == first + 1
        assert count(order=order, pin="yes") == first + pin


def test_two_pages_with_one_count_are_treated_differently():
    table = lesson.evidence.make()
    assert table.values.tolist() == [[514, lesson.ALLOWED], [514, lesson.REFUSED]]
    alike = lesson.same_count()
    assert {*alike["refcount"]} == {514}
    assert len({*alike["who has them"]}) == len(alike) == 4
    assert "holders 1" in alike["who has them"].iloc[1]
