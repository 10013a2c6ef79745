"""The table of changes in the kernel says neither more nor less than the seams of the model."""

from __future__ import annotations

import pytest

from mmsim.mm.versions import SEAMS, VERSIONS
from mmsim.series import SERIES

EVERY = (*SEAMS, "had_inverted_test")


def test_every_seam_has_a_row_and_every_row_a_seam():
    assert {change.seam for change in SERIES} == set(EVERY)
    assert all(set(change.versions) <= set(VERSIONS) for change in SERIES)


@pytest.mark.parametrize("seam", EVERY)
def test_versions_differ_where_the_table_says_so(seam):
    """Two versions have the same seam exactly if the same rows of the table are in both."""
    rows = [change for change in SERIES if change.seam == seam]
    for one, first in VERSIONS.items():
        for other, second in VERSIONS.items():
            said = [(one in row.versions) == (other in row.versions) for row in rows]
            assert all(said) == (getattr(first, seam) == getattr(second, seam)), (one, other)


def test_no_sentence_is_long_and_none_is_said_twice():
    for change in SERIES:
        assert max(len(change.before), len(change.after)) <= 85
        assert change.before != change.after
        assert change.function.endswith("()")
    assert len({(c.after, c.seam) for c in SERIES}) == len(SERIES)
