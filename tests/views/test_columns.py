"""A run as columns: one row per atomic step, what changed in bold, folded when it is long."""

from __future__ import annotations

import pytest
from coin import coin
from svg_rules import seen

from mmsim.engine.trace import Trace, record
from mmsim.scenarios import pin_versus, split_race, vfio_map
from mmsim.views.columns import ROWS_MAX, columns_picture, rows_of

SMALL = {"order": 2, "released": "1"}
WALKS = (
    split_race(released="1", holders=3, passes=2),
    vfio_map("v3", **SMALL),
    vfio_map("v3", thps=2, targets="either", **SMALL),
    pin_versus("v3", order=1, passes=2, against="drop_caches,lookup,direct_io"),
)


@pytest.mark.parametrize(("seed", "situation"), [*enumerate(WALKS)])
def test_pictures_are_readable_at_many_positions(seed, situation):
    whole = record(situation, coin(seed))
    trace = Trace(situation)
    seen(columns_picture(trace))
    for number, move in enumerate(whole.moves):
        trace.append(move)
        if number % 7 == seed or number + 1 == len(whole):
            assert str(len(trace)) in seen(columns_picture(trace))  # the last step is there


def test_one_row_per_step_in_the_column_of_its_actor():
    lines = rows_of(split_race(released="1").replay("split*8 holder split*3"))
    assert [line.number for line in lines] == [*range(1, 13)]
    assert [line.actor for line in lines] == ["split"] * 8 + ["holder"] + ["split"] * 3
    assert lines[6].text == "can_split_folio(A) = yes"
    assert (lines[6].bold, lines[6].changed) == (False, ())
    assert (lines[7].bold, lines[7].changed) == (True, ("A refs 514 → 513", "A mapcount 1 → 0"))
    assert (lines[8].bold, lines[8].changed) == (True, ("A refs 513 → 514",))


def test_of_a_long_run_the_last_steps_are_drawn():
    trace = vfio_map("v3", **SMALL).replay("pin*31 holder pin*30")
    for most in (8, ROWS_MAX, 2 * len(trace)):
        first, *lines = rows_of(trace, most)
        assert 1 + sum(line.high for line in lines) <= most
        numbers = [first.number, *(line.number for line in lines)]
        assert numbers == [*range(first.number, len(trace) + 1)]
        assert first.number == 1 or first.text == f"… {first.number} earlier steps"


def test_a_blocked_actor_says_for_whom_it_waits_and_the_end_how_it_failed():
    shown = seen(columns_picture(split_race(released="1").replay("split*10")))
    assert "blocked: A is frozen: its" in " ".join(shown)
    assert "not finished" in shown
    ended = seen(columns_picture(split_race(released="1").replay("split*6 holder split*3")))
    assert any(text.startswith("failed: a huge page could not be split, still") for text in ended)


def test_a_row_that_is_too_wide_keeps_its_answer():
    shown = seen(columns_picture(WALKS[-1].replay("pin*14 drop_caches*4 lookup direct_io*2")))
    rows = [text for text in shown if "…" in text and " = " in text]
    assert all(text.count("(") == text.count(")") for text in rows)
    cut = [text.rpartition(" = ")[2] for text in rows]
    assert len(cut) > 3
    assert set(cut) <= {"yes", "no", "none", "A", "2", "4", "1 pinned", "2 pinned"}
