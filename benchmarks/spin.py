"""The same race searched by SPIN, from the model's text to the answer, and by our explorer.

SPIN generates a C program, gcc compiles it, and that one counts the states: a small race is all
compiling, a large one shows what compiled states cost against interpreted ones.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.measure import Result
from mmsim.engine.explore import explore

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "spin")]

# passes, holders
RACES = ((3, 1), (3, 3), (10, 4))
REPEATS = 3


def results() -> list[Result]:
    """Median of three; empty, with a note, without SPIN."""
    from tool_rule import no_spin

    missing = no_spin()
    if missing:
        print(f"spin: {missing} Nothing measured.")
        return []
    return [result for race in RACES for result in _race(*race)]


def _race(passes: int, holders: int) -> list[Result]:
    import promela
    from race import split_race
    from small import NR

    ours, theirs, running = [], [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = explore(split_race(passes=passes, holders=holders, anon=0))
        ours.append(time.perf_counter() - start)
        spin = promela.count("split_race.pml", PASSES=passes, HOLDERS=holders, ANON=0, NR=NR)
        theirs.append(sum(spin.seconds))
        running.append(spin.seconds[-1])
        assert found.complete, found.states
        assert found.states == spin.states, (found.states, spin.states)
    what = f"split race, {found.states} states"
    value = sorted(ours)[REPEATS // 2] * 1000
    return [
        Result(
            what, value, "ms", sorted(theirs)[REPEATS // 2] * 1000, "of SPIN with its compiling"
        ),
        Result(what, value, "ms", sorted(running)[REPEATS // 2] * 1000, "of SPIN's run alone"),
    ]
