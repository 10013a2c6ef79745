"""The list of mutants that may live: `make mutants` holds it against what it finds."""

import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROWS = list(csv.reader((ROOT / "tests/survivors.csv").read_text().splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_survivor_is_a_line_that_is_there_and_has_a_reason(row):
    file, _, was, becomes, reason = row
    lines = [" ".join(line.split()) for line in (ROOT / file).read_text().splitlines()]
    assert was in lines, "the line is gone: take the row out"
    assert becomes != was
    assert reason.endswith(".")
