"""Lesson 11: every case can be solved, its judges run the model, and the numbers of the text."""

from __future__ import annotations

from itertools import combinations

import pytest

from mmsim import errno
from mmsim.evidence.diagnose import diagnose
from mmsim.evidence.measured import disturbed
from mmsim.evidence.tracer import migrate_returns
from mmsim.lessons import FOLDER
from mmsim.lessons import capstone_and_recall as lesson
from mmsim.lessons.form import counters_of
from mmsim.mm.versions import VERSIONS
from mmsim.retrylaw import Retrying, success
from mmsim.scenarios import lru_batch, pin_versus, vfio_map
from mmsim.scenarios.host import fates, host
from mmsim.scenarios.page_life import folio_of, page_with

SEEDS = (0, 1, 3, 4, 9, 14, 24)
CARDS = (lesson.verdict, lesson.trial, lesson.fitting, lesson.look)


@pytest.fixture(autouse=True)
def case_1():
    lesson.FIRST.clear()
    for card in CARDS:
        card.forget()
    yield
    lesson.take(1)


def looks(names):
    return {name: lesson.TRACE if name in names else lesson.LEAVE for name in lesson.LOOKS}


# -- cases


@pytest.mark.parametrize("seed", SEEDS)
def test_every_card_of_every_case_can_be_right(seed):
    lesson.take(seed)
    case = lesson.case()
    run = lesson.situation(case.cause, case.kernel, case.huge_pages)
    assert run.run().results["pin"] == -12
    assert case.cause in case.fitting
    right = [
        end
        for end in lesson.OUTCOMES
        if lesson.verdict_judged({"outcome": end, "sure": "50 %"}).state == "passed"
    ]
    assert right == case.outcomes != []
    assert lesson.trial_judged(run).state == "passed"
    assert lesson.fitting(lesson.fitting.right()).settled
    every, fewest = lesson.tells_apart(lesson.LOOKS), 5
    for number in range(5):
        for names in combinations(lesson.LOOKS, number):
            tells = lesson.tells_apart(names) == every
            fewest = min(fewest, number) if tells else fewest
            passes = lesson.look_judged(looks(names)).state == "passed"
            assert passes == (tells and number == fewest), names
    assert (fewest > 0) == (len(case.fitting) > 1)


def test_all_kinds_come_up():
    cases = [lesson.drawn(seed) for seed in range(60)]
    assert {case.cause for case in cases} == {*lesson.CAUSES}
    assert {case.kernel for case in cases} == {*lesson.KERNELS} <= {*VERSIONS}
    assert {case.huge_pages for case in cases} == {1, 2}


def test_a_cause_belongs_to_a_kernel_only_if_the_pin_fails():
    assert set(lesson.failing("base")) == {*lesson.CAUSES}
    assert "nobody" not in lesson.failing("v1")
    assert "late" in lesson.failing("v2")


@pytest.mark.parametrize("seed", [0, 1, 9, 24])
def test_the_search_finds_what_happened(seed):
    """One of the ends is among the paths of the likeliest group that `mmsim diagnose` names."""
    case = lesson.drawn(seed)
    moved = "\n".join(f"{name} +{n}" for name, n in case.counters.items())
    found = diagnose(moved, kernel=case.kernel).groups[0].paths
    ends = {path.fate.outcome for path in found}
    assert ends & {lesson.OUTCOMES[words] for words in case.outcomes}


def test_another_case_opens_the_cards_again_and_the_same_one_does_not():
    lesson.fitting.solved()
    lesson.take(1)
    assert lesson.fitting.settled
    assert "case 4" in repr(lesson.take(4))
    assert not lesson.fitting.settled
    assert lesson.fitting.right()["late"] == "fits"


@pytest.mark.parametrize("seed", ["1", 1.0, None, True, -1])
def test_what_is_no_seed(seed):
    with pytest.raises(ValueError, match="a seed is a whole number from 0 on"):
        lesson.take(seed)


# -- judges


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (vfio_map("base", thps=2), "it is about v2, your run about base"),
        (vfio_map("v2"), "2 huge pages lay in CMA, in your run 1: set thps"),
        (vfio_map("v2", thps=2, reason="contig_range"), "your run has no pin that ends"),
        (vfio_map("v2", thps=2), "pgmigrate_success 512, not 0; thp_migration_fail 12, not 1"),
        (pin_versus("v2", thps=2), "your run ends with"),
        (7, "Not stored: the answer is a situation such as vfio_map(...)"),
    ],
)
def test_a_run_that_does_something_else_is_told_what(run, told):
    assert told in " ".join(lesson.trial(run).reply())
    assert not lesson.trial.settled


def test_a_run_may_be_handed_in_as_a_trace():
    assert lesson.trial(lesson.trial.right().run()).settled


def test_a_wrong_outcome_meets_the_counters_and_the_first_verdict_counts():
    answer = {"outcome": "a piece was left", "sure": "50 %"}
    assert "no run of v2 that ends like this counts pgmigrate_fail 512" in (
        lesson.verdict_judged(answer).why
    )
    lesson.verdict(lesson.verdict.right())
    lesson.take(5)
    lesson.verdict({"outcome": "could not be moved", "sure": "90 %"})
    assert "1 of 2 were right; as sure as you were, it should have been 1.4" in lesson.how_sure()


def test_a_wrong_cause_meets_its_run():
    right = lesson.fitting.right()
    judge = lesson.fitting.judge
    said = judge({**right, "reference": "fits"})
    assert said.why == "reference: pgmigrate_success would be 512, not 0"
    assert judge({**right, "nobody": "fits"}).why.startswith("nobody: pgmigrate_success would be")
    assert judge({**right, "nomem": "out"}).second == "nomem: its run has the same counters"


def test_what_can_be_told_by_none_is_said():
    lesson.take(4)
    said = lesson.look_judged(looks(["references"])).why
    assert said == "5 of 6 pairs of causes are told apart; 1 by none of the four"
    assert "nothing does not tell apart" in lesson.look_judged(looks([])).why
    assert frozenset({"reference", "late"}) not in lesson.tells_apart(lesson.LOOKS)


# -- the text


def test_the_argument_for_case_1():
    case = lesson.drawn(1)
    assert (case.kernel, case.huge_pages) == ("v2", 2)
    assert case.fitting == ["truncated", "nomem"]
    assert case.moved == "pgmigrate_fail 512, thp_migration_fail 1, thp_split_page_failed 1"
    held = vfio_map("v2", thps=2).run().last.world.vmstat
    assert (held["thp_split_page_failed"], held["pgmigrate_success"]) == (10, 512)
    returns = [
        [mark.fields["ret"] for mark in lesson.marks(run) if mark.kind == "split_ret"]
        for run in (lesson.small_run(cause, "v2", 2) for cause in ("truncated", "nomem"))
    ]
    assert [errno.name(ret) for (ret,) in returns] == ["-EBUSY", "-ENOMEM"]


def test_the_six_statements_are_what_the_model_says():
    alone = folio_of(page_with(mappings=0, isolated="no", holders=0).run()).refcount
    truncated = vfio_map("base", holder=0, trouble="truncated").run()
    crowded = host(cma=60, used=50).zone
    blocks = sum(counts[9] + counts[10] for counts in crowded.blocks_by_type().values())
    rescued = vfio_map("v2", released=3).run()
    codes = {
        vfio_map(version, holder=0, trouble="truncated").run().results["pin"]
        for version in ("v1", "v2")
    }
    assert alone == 512
    assert set(counters_of(truncated).values()) == {1}
    assert fates(crowded)["huge page, for a long-term pin"] == "-ENOMEM"
    assert blocks == 154
    assert success(Retrying(10, 2), 20) == success(Retrying(3, 9), 20)
    assert Retrying(10, 2).window == Retrying(3, 9).window == 18
    assert codes == {-12}
    assert counters_of(rescued)["thp_migration_fail"] == 4
    assert rescued.last.world.vmstat["pgmigrate_success"] == 512


def test_the_answers_of_the_two_days():
    page = folio_of(page_with().run())
    assert (page.refcount, page.cache_refs, page.mapcount) == (514, 512, 1)
    held = counters_of(vfio_map("v2").run())
    assert (held["thp_split_page_failed"], held["thp_migration_fail"]) == (10, 11)
    assert [round(float(100 * success(Retrying(*r), 18))) for r in ((10, 2), (3, 9))] == [64, 64]
    alone = vfio_map("base", holder=0).run()
    assert alone.results["pin"] == -12
    assert alone.last.world.vmstat["pgmigrate_success"] == 512
    other = [vfio_map(v, reason="contig_range").run() for v in ("v1", "v2")]
    assert [errno.name(migrate_returns(run)[-1]) for run in other] == ["-EAGAIN", "-ENOMEM"]
    hole = vfio_map("v2", targets="late", released=1).run()
    assert hole.results["pin"] == -12
    assert hole.last.world.vmstat["thp_split_page"] == 0
    assert counters_of(hole)["thp_migration_fail"] == 1
    pinned = [name for name in ("v2", "wait", "drain") if lru_batch(name).run().results["pin"] > 0]
    assert pinned == ["drain"]
    assert [disturbed(kind).failed.hits for kind in ("base", "v2")] == [501, 503]
    assert disturbed("v2").only_pieces_left == 503
    text = (FOLDER / "capstone_and_recall.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in lesson.COUNTERS)
