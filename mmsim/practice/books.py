"""The books of a pin: what its counters say at the end, and claims about them.

Interface: Books, Claim, Judged, books, judged

A claim is a function of the books that is true or false.  Whoever suspects that something is
counted wrongly writes down what has to be true of right books; the search then looks for a run that
breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mmsim.engine.explore import Verdict, always, explore
from mmsim.engine.scenario import State
from mmsim.engine.schedule import render
from mmsim.mm.world import EITHER
from mmsim.policy import limited
from mmsim.scenarios import Situation, make

# One huge page in three passes, two in two: a stranger on the first, who leaves at any time, and a
# free huge page that is there or not each time it is asked for.
SITUATIONS = ({"thps": 1, "passes": 3}, {"thps": 2, "passes": 2})


class Books(NamedTuple):
    """What is known when a pin has returned.  `pages_in_cma`: how many are left there."""

    huge_pages: int
    thp_migration_success: int
    thp_migration_fail: int
    thp_split_page: int
    thp_split_page_failed: int
    pages_in_cma: int
    pinned: bool

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._asdict().items())


Claim = Callable[[Books], object]


class Judged(NamedTuple):
    """What the search says of a claim in one version.

    `ends`: how many different books there are.  `schedule`, `books`: a shortest way to break the
    claim, and what it leaves; empty and None if nothing breaks it."""

    version: str
    ends: int
    schedule: str
    knobs: dict[str, object]
    books: Books | None


def books(situation: Situation, state: State) -> Books:
    """The books at the end of a run."""
    vmstat = state.world.vmstat
    inside = [
        folio.nr_pages
        for pfn, folio in state.world.folios.items()
        if folio.name and state.world.in_cma(pfn)
    ]
    return Books(
        huge_pages=int(situation.knobs["thps"]),
        thp_migration_success=vmstat["thp_migration_success"],
        thp_migration_fail=vmstat["thp_migration_fail"],
        thp_split_page=vmstat["thp_split_page"],
        thp_split_page_failed=vmstat["thp_split_page_failed"],
        pages_in_cma=sum(inside),
        pinned=situation.local(state, situation.main).result > 0,
    )


def judged(claim: Claim, version: str) -> Judged:
    """Hold a claim against every order of steps; a shortest run that breaks it, if there is one.

    A huge page has two pieces here.  Raises PolicyError, in one sentence, if the claim itself goes
    wrong."""
    said: dict[Books, bool] = {}
    for knobs in SITUATIONS:
        given: dict[str, object] = {**knobs, "order": 1, "targets": EITHER, "released": 1}
        situation = make("vfio_map", version, given, merge=True)

        def holds(state: State, situation: Situation = situation) -> bool:
            if not situation.finished(state):
                return True
            found = books(situation, state)
            if found not in said:
                said[found] = bool(limited("claim", claim, found))
            return said[found]

        search = explore(situation, properties=[always("claim", holds)])
        (finding,) = search.findings
        if finding.verdict is Verdict.NOT_FINISHED:
            raise AssertionError(f"a search of {given} was not finished")
        if finding.schedule is not None:
            schedule = render(finding.schedule)
            last = situation.replay(schedule).last
            return Judged(version, len(said), schedule, given, books(situation, last))
    return Judged(version, len(said), "", {}, None)
