"""What a kernel printed as indices against what its free lists give."""

from __future__ import annotations

import csv
import random
import shutil

import pytest

from mmsim import datafiles
from mmsim.evidence.kernel_runs import COUNTERS_FILE, LISTS_FILE, compare_file, exist
from mmsim.mm.fragmentation import extfrag_index, pin_scope, summed, unusable_index

INDICES = "s10_extfrag.csv"
RACED = ("b9_s10_movable", "4_order9_outside_cma_used_up")


def measured(name):
    return datafiles.load_csv(f"kernel-runs/{name}")


def lists_of(boot, snapshot):
    by_type = {}
    for row in measured(LISTS_FILE):
        if (row["boot"], row["snapshot"]) == (boot, snapshot):
            by_type.setdefault(row["migratetype"], []).append(int(row["free_blocks"]))
    return by_type


def test_every_value_is_compared_and_only_one_snapshot_was_not_taken_at_one_moment():
    found = compare_file(INDICES)
    rows = measured(INDICES)
    assert len(found.rows) == found.numbers == len(rows) == 814
    assert [len(found.having(v)) for v in ("agree", "explained", "disagree")] == [804, 10, 0]
    differing = {
        (rows[r.number - 2]["boot"], rows[r.number - 2]["snapshot"])
        for r in found.rows
        if r.differing
    }
    assert differing == {RACED}
    assert {name for row in found.rows for name in row.predicted} == {
        "extfrag_index",
        "unusable_index",
    }


def test_the_reason_that_is_given_is_true():
    (counted,) = (
        int(row["nr_free_pages_4k"])
        for row in measured(COUNTERS_FILE)
        if (row["boot"], row["snapshot"]) == RACED
    )
    listed = sum(n << order for order, n in enumerate(summed(lists_of(*RACED))))
    assert (listed, counted) == (149339, 148946)
    why = {row.why for row in compare_file(INDICES).having("explained")}
    (told,) = why
    assert "149339 pages where nr_free_pages is 148946" in told
    shown = {
        int(row["order"]): round(float(row["value"]) * 1000)
        for row in measured(INDICES)
        if (row["boot"], row["snapshot"]) == RACED and row["index"] == "unusable_index"
    }
    assert exist(counted, shown)
    assert not exist(listed, shown)  # no lists that large have these indices: it was another moment


def test_cma_hides_from_the_kernel_s_index_what_a_pin_meets():
    free = lists_of("b8_s10_pinned", "4_order9_outside_cma_used_up")
    assert extfrag_index(summed(free), 9) == -1000
    found = pin_scope(free, 9)
    assert found.blocks == 0
    assert found.unusable_index == 1000
    assert found.extfrag_index > 900


def slowly(pages, shown):
    """Every way to write `pages` as blocks of orders 0 to 3."""
    for o3 in range(pages // 8 + 1):
        for o2 in range((pages - 8 * o3) // 4 + 1):
            for o1 in range((pages - 8 * o3 - 4 * o2) // 2 + 1):
                free = (pages - 8 * o3 - 4 * o2 - 2 * o1, o1, o2, o3)
                if all(unusable_index(free, order) == index for order, index in shown.items()):
                    return True
    return False


def test_exist_against_trying_all_lists():
    rng = random.Random(7)
    answers = []
    for _ in range(400):
        pages = rng.randint(1, 40)
        o3 = rng.randint(0, pages // 8)
        o1 = rng.randint(0, (pages - 8 * o3) // 2)
        free = (pages - 8 * o3 - 2 * o1, o1, 0, o3)
        shown = {order: unusable_index(free, order) for order in range(rng.randint(0, 1), 4)}
        if rng.random() < 0.5:
            shown[rng.choice(list(shown))] += rng.choice([-30, -1, 1, 25, 50])
        answers.append(exist(pages, shown))
        assert answers[-1] == slowly(pages, shown), (pages, shown)
    assert 100 < sum(answers) < 300
    assert not exist(0, {1: 1000})


# -- changed tables


@pytest.fixture
def tables(tmp_path):
    for name in (INDICES, LISTS_FILE, COUNTERS_FILE):
        shutil.copy(datafiles.path(f"kernel-runs/{name}"), tmp_path)
    return tmp_path


def change(file, where, column, value):
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    number, row = next((n, row) for n, row in enumerate(rows, start=2) if where(row))
    row[column] = value
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return number


@pytest.mark.parametrize("value", ["0.499", "0.-500", "-1.000"])
def test_one_changed_value_is_one_disagreement(tables, value):
    line = change(
        tables / INDICES,
        lambda row: row["index"] == "unusable_index" and row["order"] == "9",
        "value",
        value,
    )
    (row,) = compare_file(str(tables / INDICES)).having("disagree")
    assert row.number == line
    assert row.why == ""


def test_a_wrong_value_in_the_raced_snapshot_is_not_explained_away(tables):
    change(
        tables / INDICES,
        lambda row: (
            (row["boot"], row["snapshot"], row["order"]) == (*RACED, "9")
            and row["index"] == "unusable_index"
        ),
        "value",
        "0.564",
    )
    found = compare_file(str(tables / INDICES))
    assert len(found.having("disagree")) == 10
    assert not found.having("explained")


def test_an_index_of_failure_is_never_explained_away(tables):
    change(
        tables / INDICES,
        lambda row: (row["boot"], row["snapshot"]) == RACED and row["index"] == "extfrag_index",
        "value",
        "0.900",
    )
    assert len(compare_file(str(tables / INDICES)).having("disagree")) == 1


def cma(order):
    return lambda row: row["migratetype"] == "CMA" and row["order"] == str(order)


def test_other_lists_of_as_many_pages_disagree(tables):
    assert lists_of("b10_s11", "std_state")["CMA"] == [0] * 10 + [64]
    change(tables / LISTS_FILE, cma(10), "free_blocks", "63")
    change(tables / LISTS_FILE, cma(9), "free_blocks", "2")
    (row,) = compare_file(str(tables / INDICES)).having("disagree")
    assert row.differing == ["unusable_index"]
    assert row.number == 23  # order 10 of the first snapshot


def test_lists_that_do_not_add_up_are_explained_in_words_that_say_so(tables):
    change(tables / LISTS_FILE, cma(10), "free_blocks", "60")
    found = compare_file(str(tables / INDICES))
    assert not found.having("disagree")
    pages = 103903 - 4 * 1024
    assert {row.why for row in found.having("explained") if row.number < 24} == {
        f"the lists were read at another moment: they add up to {pages} pages where nr_free_pages "
        "is 103903, and there are lists of 103903 pages with just these indices"
    }


@pytest.mark.parametrize(
    ("table", "column", "value", "says"),
    [
        (INDICES, "value", "0,499", "line 2: can't be read as an index: '0,499'"),
        (INDICES, "order", "11", "order 11 can't be asked about"),
        (INDICES, "order", "nine", "line 2"),
        (INDICES, "index", "extfrag", "no index 'extfrag'"),
        (INDICES, "snapshot", "tomorrow", "has no lists of b10_s11 tomorrow DMA32"),
        (LISTS_FILE, "free_blocks", "many", "s10_pagetypeinfo.csv, line 2"),
        (LISTS_FILE, "order", "1000000", "no order 1000000"),
        (LISTS_FILE, "free_blocks", "-5", "line 2"),
        (COUNTERS_FILE, "nr_free_pages_4k", "", "s10_snapshots.csv, line 2"),
    ],
)
def test_bad_tables_get_one_sentence(tables, table, column, value, says):
    change(tables / table, lambda row: True, column, value)
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        compare_file(str(tables / INDICES))
    assert says in str(error.value)


def test_indices_without_their_lists(tables):
    (tables / LISTS_FILE).unlink()
    with pytest.raises(ValueError, match=r"s10_pagetypeinfo\.csv cannot be read"):
        compare_file(str(tables / INDICES))


def test_the_lists_alone_can_t_be_compared():
    with pytest.raises(ValueError, match=r"s10_extfrag\.csv"):
        compare_file(LISTS_FILE)
