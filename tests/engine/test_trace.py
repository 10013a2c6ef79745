"""A recorded run: any position can be looked at, and the limit on its length is a limit."""

import pytest
from small import cells, increment, store

from mmsim.engine import trace as trace_module
from mmsim.engine.op import ModelError
from mmsim.engine.schedule import one_after_another, replaying
from mmsim.engine.trace import record

STEPS = 101


def counter():
    for index in range(STEPS):
        yield store("x", index + 1)
    return "done"


@pytest.mark.parametrize("kept_max", [4, trace_module.KEPT_MAX])
def test_every_position_has_the_state_it_had(monkeypatch, kept_max):
    """Also in a long run, which keeps few states."""
    monkeypatch.setattr(trace_module, "KEPT_MAX", kept_max)
    trace = record(cells(counter, x=0), one_after_another)
    assert len(trace) == len(trace.moves) == STEPS
    for position in [*range(STEPS + 1), *reversed(range(STEPS + 1)), 7, 40, 39, STEPS, 0]:
        assert trace.state(position).world.cells == {"x": position}
    assert len(trace._kept) <= kept_max + 1
    assert trace.last.world.cells == {"x": STEPS}
    assert trace.results == {"a": "done"}
    for position in (-1, STEPS + 1):
        with pytest.raises(IndexError, match=f"position {position} is outside 0..{STEPS}"):
            trace.state(position)


@pytest.mark.parametrize(
    "ask", [lambda t: t.state(len(t)), lambda t: t.last, lambda t: t.at().after]
)
def test_states_that_were_handed_out_stay_as_they_were(ask, monkeypatch):
    monkeypatch.setattr(trace_module, "KEPT_MAX", 4)
    scenario = cells(counter, x=0)
    trace = record(scenario, replaying(scenario.moves(scenario.initial())))
    held = {}
    for position in range(1, STEPS):
        held[position] = ask(trace)
        trace.append(trace.moves[0])
        held.setdefault(position - position % 7, trace.state(position - position % 7))
    assert {position: state.world.cells["x"] for position, state in held.items()} == {
        position: position for position in held
    }


def test_a_run_without_end_meets_the_limit():
    with pytest.raises(ModelError, match=f"not finished after {STEPS - 1} steps"):
        record(cells(counter, x=0), one_after_another, steps_max=STEPS - 1)
    assert len(record(cells(counter, x=0), one_after_another, steps_max=STEPS)) == STEPS


def test_a_step_can_be_found_by_its_number():
    trace = record(cells(increment, increment, x=0), one_after_another)
    assert [trace.find("store", number) for number in (1, 2)] == [2, 4]
    with pytest.raises(ValueError, match="'store' comes 2 times in this run, not 3"):
        trace.find("store", 3)
    with pytest.raises(ValueError, match="no step 'stoer'"):
        trace.find("stoer", 2)


def test_a_moment_has_the_states_on_both_sides_of_its_step():
    trace = record(cells(counter, x=0), one_after_another)
    for moment in (trace.at(40), trace.at("store", 40), trace.at(40 - STEPS - 1)):
        assert (moment.position, moment.event) == (40, trace.events[39])
        cells_of = [state.world.cells["x"] for state in (moment.start, moment.before, moment.after)]
        assert cells_of == [0, 39, 40]
    assert trace.at(40, since=10).before.world.cells == {"x": 10}
    first = trace.at(0)
    assert first.event is None
    assert first.before == first.after == first.start
    assert trace.at().position == STEPS
    assert trace.at().local("a").result == "done"
