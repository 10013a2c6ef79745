"""migrate_pages(): the notes R1 to R7 and both decision tables, cell by cell, by running the model.

The tables are those of the specification of the kernel's behaviour (sections 4.2, 5.2 and 5.3); the
huge pages have four pages here, so that what stands there as 512 is NR.
"""

from typing import NamedTuple

import pytest
from small import NR, PFN, isolated, memory

from mmsim.constants import (
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    MR_CONTIG_RANGE,
    MR_LONGTERM_PIN,
    MR_NUMA_MISPLACED,
    MR_SYSCALL,
)
from mmsim.engine.actor import Actor
from mmsim.engine.scenario import Scenario
from mmsim.engine.trace import run_to_end
from mmsim.errno import EAGAIN, EBUSY, ENOMEM
from mmsim.mm.actors import locker, stranger, truncater
from mmsim.mm.folio import Page
from mmsim.mm.migrate import migrate_pages, putback_movable_pages
from mmsim.mm.versions import VERSIONS
from mmsim.scenarios.script import Cue, Position, Script, Scripted

ALL = tuple(VERSIONS)
S, F = "pgmigrate_success", "pgmigrate_fail"
TS, TF, TSP = "thp_migration_success", "thp_migration_fail", "thp_migration_split"
WAITED = "waited for"
SP, SPF, SPMD = "thp_split_page", "thp_split_page_failed", "thp_split_pmd"


class Ran(NamedTuple):
    rc: int
    left: list
    counts: dict
    passes: list
    world: object


def run(version, *folios, cast=(), targets=None, faults=None, **how):
    """One migrate_pages() call on these folios.  `cast`: (actor, positions of its moves) each."""
    world = memory(*folios, targets_huge="either", targets_base="either", faults=True)
    pages = [Page(world.find(f.region, 0), f.nr_pages) for f in folios]
    mode, reason = how.get("mode", MIGRATE_SYNC), how.get("reason", MR_LONGTERM_PIN)

    def path():
        from_ = list(pages)
        rc = yield from migrate_pages(from_, mode, reason, VERSIONS[version])
        return rc, tuple(from_)

    cues = [
        Cue(actor.name, folio, None if at == WAITED else at, when_waited_for=at == WAITED)
        for actor, folio, moves in cast
        for at in moves
    ]
    scenario = Scenario("migrate", world, (Actor("migrate", path), *(c[0] for c in cast)))
    scheduler = Scripted("migrate", Script(tuple(cues), targets=targets or {}, faults=faults or {}))
    state = run_to_end(scenario, scheduler)
    state.world.check()
    rc, left = scenario.results(state)["migrate"]
    passes = [scheduler.passes[key] for key in sorted(scheduler.passes)]
    counts = {name: n for name, n in state.world.vmstat.items() if n}
    return Ran(rc, list(left), counts, passes, state.world)


def thp(**fields):
    return isolated("A", **fields)


def page(name="P", **fields):
    return isolated(name, 0, **fields)


def held(folio="A", until=None, since=None, name="stranger"):
    """Somebody with a reference; positions are numbers of passes (their site is `alloc`)."""
    region, _, index = folio.partition("[")
    actor = stranger(name, region, int(index.rstrip("]") or 0))
    return (actor, folio, [since, *([] if until is None else [Position.at("alloc", until)])])


NO_HUGE = {"A": None}  # every request for A's destination fails


# -- table 5.2: one THP without a destination

NO_NODES = {"faults": {("A", "xas_split_alloc"): ((None, "nomem"),)}}
REFUSED = {"cast": [held()]}

DECISIONS = [
    # split result, what happens, reason, version -> (code it leaves with, or None if it stays)
    ("not attempted", {}, MR_NUMA_MISPLACED, dict.fromkeys(ALL, -ENOMEM)),
    (
        "refused",
        REFUSED,
        MR_LONGTERM_PIN,
        {**dict.fromkeys(ALL, None), "base": -ENOMEM, "6.1.0": -ENOMEM},
    ),
    ("refused", REFUSED, MR_CONTIG_RANGE, {**dict.fromkeys(ALL, -ENOMEM), "v1": -EAGAIN}),
    ("refused", REFUSED, MR_SYSCALL, {**dict.fromkeys(ALL, -ENOMEM), "v1": -EAGAIN}),
    ("-ENOMEM", NO_NODES, MR_LONGTERM_PIN, dict.fromkeys(ALL, -ENOMEM)),
    (
        "-EBUSY",
        {"faults": {("A", "filemap_release_folio"): ((None, "kept"),)}},
        MR_LONGTERM_PIN,
        {**dict.fromkeys(ALL, -ENOMEM), "v1": -EBUSY},
    ),
    (
        "-EBUSY",
        {"faults": {("A", "filemap_release_folio"): ((None, "kept"),)}},
        MR_SYSCALL,
        {**dict.fromkeys(ALL, -ENOMEM), "v1": -EBUSY},
    ),
]


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(
    ("split", "happens", "reason", "codes"), DECISIONS, ids=[f"{d[0]}, {d[2]}" for d in DECISIONS]
)
def test_decision_for_a_huge_page_without_a_destination(split, happens, reason, codes, version):
    ran = run(version, thp(), page(), targets=NO_HUGE, reason=reason, **happens)
    if codes[version] is None:
        assert ran.passes == [10]
        assert ran.rc > 0
        assert ran.counts[S] == 1  # the next page had its turn
        return
    assert ran.rc == codes[version]
    assert ran.passes == [1]
    assert [p.nr for p in ran.left] == [NR, 1]  # R5: the next page was not tried
    failed = {} if split == "not attempted" else {SPF: 1}
    assert ran.counts == {F: NR, TF: 1, **failed}


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("reason", [MR_LONGTERM_PIN, MR_CONTIG_RANGE, MR_SYSCALL])
def test_a_split_that_succeeds_goes_on_for_any_reason(version, reason):
    ran = run(version, thp(), page(), targets=NO_HUGE, reason=reason)
    assert ran.passes == [1, 1]
    assert ran.counts == {S: NR + 1, TF: 1, TSP: 1, SP: 1, SPMD: 1}


# -- table 5.3: what happens next, for k refusals

E = -ENOMEM


def gup(version, ran):
    return "fails" if VERSIONS[version].gup_fails(ran.rc, not ran.left) else "ok"


def cells(*values):
    return dict(zip(("base", "6.1.0", "v1", "v2", "v3", "v3fix"), values, strict=True))


@pytest.mark.parametrize("k", [1, 2, 5, 9])
@pytest.mark.parametrize("version", cells(*range(6)))
def test_k_refusals_then_the_split_succeeds(version, k):
    ran = run(version, thp(), cast=[held(until=k)], targets=NO_HUGE)
    assert ran.rc == cells(E, E, k + 1, 0, 0, 0)[version]
    assert gup(version, ran) == cells("fails", "fails", "ok", "ok", "ok", "ok")[version]
    assert ran.counts[TF] == cells(1, 1, k + 1, k + 1, k + 1, 1)[version]
    assert ran.counts[SPF] == cells(1, 1, k, k, k, k)[version]
    assert ran.passes == cells([1], [1], *[[k + 1, 1]] * 4)[version]


@pytest.mark.parametrize("k", [1, 2, 5, 9])
@pytest.mark.parametrize("version", cells(*range(6)))
def test_k_refusals_then_a_huge_destination_is_found(version, k):
    """v2's condition `nr_thp_split > 0` fails a pin although everything was moved."""
    targets = {"A": frozenset(range(k))}
    ran = run(version, thp(), cast=[held(until=k)], targets=targets)
    assert ran.rc == cells(E, E, k, k, 0, 0)[version]
    assert gup(version, ran) == cells("fails", "fails", "ok", "fails", "ok", "ok")[version]
    if version not in ("base", "6.1.0"):
        assert ran.left == []
        assert (ran.counts[S], ran.counts[TS]) == (NR, 1)


@pytest.mark.parametrize("version", cells(*range(6)))
def test_ten_refusals(version):
    ran = run(version, thp(), cast=[held()], targets=NO_HUGE)
    assert ran.rc == cells(E, E, 11, 11, 11, 1)[version]
    assert gup(version, ran) == "fails"
    assert ran.counts == {
        TF: cells(1, 1, 11, 11, 11, 1)[version],
        SPF: cells(1, 1, 10, 10, 10, 10)[version],
        F: NR,
    }
    assert [p.nr for p in ran.left] == [NR]


@pytest.mark.parametrize("version", cells(*range(6)))
def test_the_split_succeeds_at_once(version):
    ran = run(version, thp(), targets=NO_HUGE)
    assert ran.rc == cells(1, 0, 1, 0, 0, 0)[version]
    assert gup(version, ran) == cells("fails", "ok", "ok", "ok", "ok", "ok")[version]
    assert ran.counts == {S: NR, TF: 1, TSP: 1, SP: 1, SPMD: 1}
    assert ran.left == []


@pytest.mark.parametrize("k", [0, 1, 4])
def test_the_second_half_of_the_patch_alone_is_pointless(k):
    ran = run("2/2-only", thp(), cast=[held(until=k)], targets=NO_HUGE)
    assert (ran.rc, gup("2/2-only", ran)) == (k + 1, "fails")


# -- the notes


def test_r1_page_events_count_pages_and_the_rest_counts_units():
    ran = run("v3", thp(), page("P"), page("Q"))
    assert ran.rc == 0
    assert ran.counts == {S: NR + 2, TS: 1}
    ran = run("v3", thp(), page("P"), page("Q"), cast=[held("A"), held("Q", name="other")])
    assert ran.rc == 2
    assert ran.counts == {S: 1, F: NR + 1, TF: 1}


@pytest.mark.parametrize("version", ALL)
def test_r2_a_piece_of_a_split_huge_page_has_one_attempt(version):
    busy = stranger("stranger", "A", 2)
    moves = [Position.at("alloc", 0, 2), Position.at("between_passes", 0, 2)]
    ran = run(version, thp(), cast=[(busy, "A[2]", moves)], targets=NO_HUGE)
    assert ran.passes == [1, 1]
    assert ran.rc == 1
    assert len(ran.left) == 1
    assert ran.counts == {S: NR - 1, F: 1, TF: 1, TSP: 1, SP: 1, SPMD: 1}
    assert gup(version, ran) == "fails"


@pytest.mark.parametrize("passes", [1, 3, 9])
def test_r3_a_page_that_was_retried_fails_once(passes):
    ran = run("base", page(), cast=[held("P", until=passes)])
    assert (ran.rc, ran.counts, ran.passes) == (0, {S: 1}, [passes + 1])
    ran = run("base", page(), cast=[held("P")])
    assert (ran.rc, ran.counts, ran.passes) == (1, {F: 1}, [10])


def test_r4_at_base_a_split_huge_page_counts_as_failed_although_all_of_it_moved():
    ran = run("base", thp(), targets=NO_HUGE)
    assert (ran.rc, ran.left, ran.counts[S]) == (1, [], NR)


@pytest.mark.parametrize("version", ALL)
def test_r5_without_a_destination_for_a_page_everything_ends(version):
    ran = run(version, page("P"), page("Q"), page("R"), targets={"Q": None})
    assert ran.rc == -ENOMEM
    assert ran.counts == {S: 1, F: 1}
    assert [ran.world.folio(p.pfn).name for p in ran.left] == ["Q", "R"]


def test_r5_pieces_waiting_for_the_second_round_are_given_up():
    ran = run("v3", thp(), page("Q"), targets={"A": None, "Q": None})
    assert ran.rc == -ENOMEM
    assert ran.passes == [1]
    assert [p.nr for p in ran.left] == [1] * (NR + 1)
    assert ran.counts == {F: 1, TF: 1, TSP: 1, SP: 1, SPMD: 1}


@pytest.mark.parametrize(
    ("version", "counts"),
    [
        ("base", {F: NR, TF: 1, SPF: 1}),
        ("v3", {F: 1 + NR, TF: 2, SPF: 1}),
        ("v3fix", {F: 1 + NR, TF: 1, SPF: 1}),
    ],
)
def test_r3_r5_an_exit_counts_what_waits_for_another_pass(version, counts):
    ran = run(version, thp(), page(), cast=[held()], targets={"A": None, "P": None})
    assert (ran.rc, ran.counts) == (-ENOMEM, counts)


def test_r6_the_result_is_a_negative_code_or_a_number_of_units():
    assert run("v3", thp(), page(), cast=[held(), held("P", name="other")]).rc == 2
    assert run("v3", page(), targets={"P": None}).rc == -ENOMEM
    assert run("v3", page()).rc == 0


def test_r7_thp_migration_fail_counts_attempts_not_huge_pages():
    ran = run("v3", thp(), cast=[held(until=4)], targets=NO_HUGE)
    assert (ran.rc, ran.counts[TF], ran.counts[TSP]) == (0, 5, 1)


# -- one folio


@pytest.mark.parametrize("version", ALL)
def test_a_folio_that_was_freed_meanwhile_is_a_success_without_a_destination(version):
    freed = isolated("A", cached=False, mapping=False, pmd_maps=0)
    ran = run(version, freed, targets=NO_HUGE)
    assert (ran.rc, ran.counts, ran.world.folios) == (0, {S: NR, TS: 1}, {})


def test_a_busy_huge_page_with_a_destination_is_never_split():
    ran = run("v3", thp(), cast=[held()])
    assert (ran.rc, ran.passes, ran.counts) == (1, [10], {F: NR, TF: 1})


def test_a_failed_move_restores_the_mappings():
    ran = run("base", thp(pmd_maps=2, pte_maps=1), cast=[held()])
    after = ran.world.folio(PFN)
    assert (after.pmd_maps, after.pte_maps, after.refcount) == (2, 1, NR + 3 + 2)
    assert SPMD not in ran.counts


@pytest.mark.parametrize(
    ("error", "rc", "passes", "counts"),
    [
        ("EBUSY", 1, [1], {F: 1}),
        ("EINVAL", 1, [1], {F: 1}),
        ("EAGAIN", 1, [10], {F: 1}),
        ("ENOSYS", 1, [1], {F: 1}),
        ("ENOMEM", -ENOMEM, [1], {F: 1}),
    ],
)
def test_what_becomes_of_an_error_of_the_move(error, rc, passes, counts):
    ran = run("v3", page(), faults={("P", "folio_expected_refs"): ((None, error),)})
    assert (ran.rc, ran.passes, ran.counts) == (rc, passes, counts)
    assert len(ran.left) == 1
    assert ran.world.folio(PFN).mapcount == 1


@pytest.mark.parametrize(
    ("mode", "error", "passes"), [(MIGRATE_SYNC, 0, [4]), (MIGRATE_ASYNC, 1, [1])]
)
def test_writeback_is_waited_for_from_the_fourth_pass_on(mode, error, passes):
    ran = run("base", page(writeback=True), mode=mode)
    assert (ran.rc, ran.passes) == (error, passes)
    assert not error or ran.world.folio(PFN).writeback


@pytest.mark.parametrize(
    ("mode", "rc", "passes"), [(MIGRATE_SYNC, 0, [4]), (MIGRATE_ASYNC, 1, [10])]
)
def test_a_lock_is_slept_for_from_the_fourth_pass_on(mode, rc, passes):
    cast = [(locker("locker", "P", 0), "P", [None, WAITED])]
    ran = run("base", page(), cast=cast, mode=mode)
    assert (ran.rc, ran.passes) == (rc, passes)


def test_a_split_sleeps_for_the_lock_in_the_first_pass():
    cast = [(locker("locker", "A", 0), "A", [None, WAITED])]
    ran = run("v3", thp(), cast=cast, targets=NO_HUGE)
    assert (ran.rc, ran.passes, ran.counts[TSP]) == (0, [1, 1], 1)


def test_only_the_lock_that_is_waited_for_is_given_back():
    """Two locked pages: whoever waits for the one must not free the other."""
    cast = [
        (locker("first", "P", 0), "P", [None, WAITED]),
        (locker("second", "A", 0), "A", [None, WAITED]),
    ]
    ran = run("v3", thp(), page(), cast=cast, targets=NO_HUGE)
    # The split waits for A in the first pass; P stays locked until the fourth, which waits for it.
    assert (ran.rc, ran.passes) == (0, [4, 1])


TRUNCATED = {
    # site of pass 0 -> result of v2 and v3, passes, events of either
    "alloc": (0, 0, [1], {S: NR, TS: 1}),
    "split_lock": (-ENOMEM, -ENOMEM, [1], {F: NR, TF: 1, SPF: 1}),
    "site1": (1, 0, [2], {S: NR, TS: 1, TF: 1, SPF: 1}),
    "site2": (1, 0, [2], {S: NR, TS: 1, TF: 1, SPF: 1, SPMD: 1}),
}


@pytest.mark.parametrize("site", TRUNCATED)
def test_truncation_at_each_site_of_a_split(site):
    """Once out of its file, only the isolation's reference is left: freed on the next visit."""
    v2, v3, passes, counts = TRUNCATED[site]
    for version, rc in (("v2", v2), ("v3", v3)):
        cast = [(truncater("truncate", "A", 0), "A", [Position.at(site, 0)])]
        ran = run(version, thp(), cast=cast, targets=NO_HUGE)
        assert (ran.rc, ran.passes, ran.counts) == (rc, passes, counts)


@pytest.mark.parametrize(("site", "passes"), [("unmap", [1]), ("move_freeze", [2])])
def test_truncation_during_a_move(site, passes):
    cast = [(truncater("truncate", "A", 0), "A", [Position.at(site, 0)])]
    ran = run("v3", thp(), cast=cast)
    assert (ran.rc, ran.passes, ran.counts) == (0, passes, {S: NR, TS: 1})
    assert ran.world.folios == {}


def test_a_moved_page_keeps_what_is_known_about_it():
    ran = run("base", page(referenced=True, dirty=False, active=True))
    moved = ran.world.folio(ran.world.find("P", 0))
    assert (moved.referenced, moved.dirty, moved.active) == (True, False, True)
    assert (moved.refcount, moved.mapcount, moved.lru) == (2, 1, True)
    assert not ran.world.in_cma(ran.world.find("P", 0))


def test_a_page_that_was_not_mapped_stays_in_the_batch():
    ran = run("base", page(pte_maps=0))
    moved = ran.world.folio(ran.world.find("P", 0))
    assert (moved.refcount, moved.lru) == (2, False)


def test_pieces_beyond_the_file_count_as_moved():
    ran = run("v3", thp(pages_inside_file=3), targets=NO_HUGE)
    assert ran.counts[S] == NR
    assert len(ran.world.folios) == 3


def test_putting_back_empties_the_list():
    world = memory(isolated("A"), isolated("P", 0))
    pages = [Page(PFN, NR), Page(PFN + NR, 1)]

    def path():
        from_ = list(pages)
        yield from putback_movable_pages(from_)
        return tuple(from_)

    scenario = Scenario("putback", world, (Actor("migrate", path),))
    state = run_to_end(scenario, Scripted("migrate", Script()))
    assert scenario.results(state) == {"migrate": ()}
    state.world.check()
    assert all("isolation" not in dict(f.held) for f in state.world.folios.values())
