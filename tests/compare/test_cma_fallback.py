"""The half rule at every measured step: what agrees, what is explained and checked, what is not."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from mmsim import datafiles
from mmsim.evidence.kernel_runs import (
    BATCH,
    FROM_CMA,
    RULE,
    compare_file,
    compare_steps,
    populate,
    zone_with,
)

FILE = "s9_cma_fallback.csv"


@pytest.fixture(scope="module")
def found():
    return compare_file(FILE)


def test_every_step_agrees_or_is_explained(found):
    counts = {v: len(found.having(v)) for v in ("agree", "explained", "disagree", "skipped")}
    assert counts == {"agree": 1377, "explained": 731, "disagree": 0, "skipped": 9}
    assert all(not row.differing or row.differing == [FROM_CMA] for row in found.rows)


def test_cma_or_not_is_decided_as_the_kernel_did_in_every_step(found):
    assert [note.partition(";")[0] for note in found.notes[:2]] == [
        "s9_anon_4k_cma64: CMA or not as predicted in 235 of 235 steps",
        "s9_anon_4k_cma256: CMA or not as predicted in 234 of 234 steps",
    ]
    largest = {}
    for note in found.notes:
        curve, agreeing, steps = re.match(r"(\w+): .* in (\d+) of (\d+) steps", note).groups()
        assert agreeing == steps in ("234", "235")
        most = re.search(r"the most by (\d+) pages", note)
        largest[curve] = int(most[1]) if most else 0
    assert largest == {
        "s9_anon_4k_cma64": 38,
        "s9_anon_4k_cma256": 39,
        "s9_anon_4k_cma512": 39,
        "s9_shmem_4k_cma64": 37,
        "s9_shmem_4k_cma256": 39,
        "s9_shmem_4k_cma512": 332,
        "s9_shmem_thp_cma64": 0,
        "s9_shmem_thp_cma256": 0,
        "s9_shmem_thp_cma512": 0,
    }


def test_the_one_large_difference_is_what_the_free_lists_did_not_give(found):
    (row,) = [
        row for row in found.rows if row.differing and "left the free lists before" in row.why
    ]
    off = row.predicted[FROM_CMA] - row.measured[FROM_CMA]
    rows = datafiles.load_csv(f"kernel-runs/{FILE}")
    before, after = (int(rows[row.number - 2 - n]["nr_free_pages"]) for n in (1, 0))
    assert off == 332
    assert 1024 - (before - after) == 331  # mapped, and still no page fewer on the free lists


def test_nothing_is_explained_away(tmp_path):
    """The same table with one number moved by more than the lists can hold: disagree."""
    rows = datafiles.load_csv(f"kernel-runs/{FILE}")
    step = next(
        i for i, row in enumerate(rows) if row["boot"].endswith("anon_4k_cma256") and i > 150
    )
    for column, value in (
        (FROM_CMA, str(int(rows[step][FROM_CMA]) + 2 * BATCH)),
        (RULE, str(1 - int(rows[step][RULE]))),
    ):
        changed = [dict(row) for row in rows[: step + 1]]
        changed[step][column] = value
        path = tmp_path / "s9.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(changed)
        (wrong,) = compare_file(str(path)).having("disagree")
        assert wrong.number == step + 2
        assert column in wrong.differing


@pytest.mark.parametrize("counts", [(5000, 2000), (4096, 2048), (250078, 65536), (10111, 5084)])
def test_a_zone_has_the_counts_of_a_row(counts):
    zone = zone_with(*counts)
    zone.check()
    assert (zone.nr_free, zone.nr_free_cma) == counts
    assert zone.pageblock_order == 10


def test_single_pages_and_huge_pages_are_taken_by_the_same_rule():
    assert populate(zone_with(40960, 20480), 1024, huge=False) == 512
    assert populate(zone_with(40960, 20480), 1024, huge=True) == 512
    assert populate(zone_with(40960, 30720), 1024, huge=True) == 1024
    assert populate(zone_with(40960, 10240), 1024, huge=False) == 0


def test_a_row_that_can_t_be_read_is_named():
    rows = datafiles.load_csv(f"kernel-runs/{FILE}")[:5]
    with pytest.raises(ValueError, match="line 4: can't be read as a step"):
        compare_steps(Path("x"), [rows[0], rows[1], {**rows[2], "nr_free_cma": "many"}])
    with pytest.raises(ValueError, match="line 2: can't be read as a step"):
        compare_steps(Path("x"), rows[1:])
