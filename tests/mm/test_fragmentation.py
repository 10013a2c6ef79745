"""The indices at their edges, and how debugfs shows them."""

from __future__ import annotations

import pytest

from mmsim.mm.fragmentation import (
    PIN_SCOPE_TYPES,
    format_index,
    parse_index,
    sum_types,
    unusable_index,
)

# Indices of whole lists are vectors (data/conformance/metrics.json) and measured rows.


# -- how debugfs shows an index


@pytest.mark.parametrize(
    ("index", "text"),
    [
        *[(0, "0.000"), (7, "0.007"), (499, "0.499"), (1000, "1.000"), (-1000, "-1.000")],
        *[(-500, "0.-500"), (-5, "0.-05"), (-50, "0.-50"), (-999, "0.-999"), (-1500, "-1.-500")],
    ],
)
def test_printed_as_c_does(index, text):
    assert format_index(index) == text
    assert parse_index(f" {text} ") == index
    assert all(parse_index(format_index(each)) == each for each in range(index - 9, index + 9))


NO_INDEX = ("", "1", "0.5", "-0.500", "-1.500", "0.-5", "1.-500", "x", "00.499")


@pytest.mark.parametrize(
    ("do", "given", "says"),
    [
        *((unusable_index, ((1, 0, 0), order), f"order {order} .* 3 counts") for order in (-1, 3)),
        (unusable_index, ((1, -1), 0), "-1"),
        (sum_types, ({"MOVABLE": (1,), "CMA": (1, 2)},), "different numbers of orders"),
        *((parse_index, (text,), "as the kernel prints it") for text in NO_INDEX),
    ],
)
def test_what_is_no_list_and_no_index(do, given, says):
    with pytest.raises(ValueError, match=says):
        do(*given)


def test_summed():
    free = {"Movable": (1, 2, 3), "CMA": (10, 20, 30)}
    assert sum_types(free) == (11, 22, 33)
    assert sum_types(free, PIN_SCOPE_TYPES) == (1, 2, 3)
    assert sum_types({}) == ()
