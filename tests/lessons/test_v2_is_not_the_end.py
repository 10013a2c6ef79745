"""Lesson 09: claims, remedies and policies are judged by runs, and stored scores are theirs."""

from __future__ import annotations

import pytest

from mmsim.datafiles import load_csv
from mmsim.lessons import v2_is_not_the_end as lesson
from mmsim.mm.versions import POLICIES, VERSIONS, get
from mmsim.scenarios import lru_batch, make, vfio_map
from mmsim.scenarios.policy import STEPS_MAX, own_policy
from mmsim.scenarios.situation import SINGLE

# -- one page, eleven failures


def test_the_two_counts_that_the_lesson_speaks_of():
    assert [lesson.held("v2", passes)[0] for passes in lesson.PASSES] == [2, 4, 11]
    assert {lesson.held("v3fix", passes)[0] for passes in lesson.PASSES} == {1}
    assert vfio_map("v2").run().last.world.vmstat["thp_migration_fail"] == 11


# -- claims

COUNT_TWICE = {"v1", "v2", "v3", "2/2-only"}
LOSE_A_MOVE = {"base", "v2", "2/2-only"}


@pytest.mark.parametrize("version", VERSIONS)
def test_who_breaks_which_claim(version):
    for claim, who in ((lesson.counted_once, COUNT_TWICE), (lesson.moved_is_pinned, LOSE_A_MOVE)):
        found = lesson.breaks(claim, version)
        assert bool(found) == (version in who)
        if found:
            counts, schedule = found
            thps, passes = counts.huge_pages, 3 if counts.huge_pages == 1 else 2
            knobs = {"thps": thps, "passes": passes, "order": 1, "targets": "either", "released": 1}
            situation = make("vfio_map", version, knobs)
            assert lesson.counted(situation, situation.replay(schedule).last) == counts
            assert not claim(counts)


def test_every_end_is_looked_at():
    seen = lesson.ends("v3fix")
    assert {c.huge_pages for c in seen} == {1, 2}
    assert {c.pinned for c in seen} == {True, False}
    assert {c.thp_split_page_failed for c in seen} >= {0, 1, 2, 3}
    assert len(seen) == 25


def test_the_shortest_run_is_refused_once_and_then_moves_whole():
    counts, schedule = lesson.breaks(lesson.counted_once, "v2")
    assert counts == lesson.breaks(lesson.moved_is_pinned, "v2")[0]
    assert counts == lesson.Counts(1, 1, 1, 0, 1, 0, pinned=False)
    assert schedule.count("pin:fail") == schedule.count("pin:ok") == 1


def loops(c):
    for _ in range(STEPS_MAX):  # not for ever: without a limit this has to fail, not to hang
        pass


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (lambda c: c.thp_migration_fail <= c.huge_pages, "passed"),
        (lambda c: True, "v2 keeps it too, in all 25 ways"),
        (lambda c: c.pinned, "not even v3fix keeps it: pin*"),
        (lambda c: 5, "your claim returns 5, not True or False, for huge_pages"),
        (lambda c: None if c.pinned else True, "your claim returns None, not True"),
        (lambda c: None, "not attempted"),
        (lambda c: c.nosuch, "the claim raised AttributeError"),
        (lambda: True, "the claim raised TypeError"),
        (loops, "the claim was stopped after"),
    ],
)
def test_a_claim_is_answered_with_a_run(claim, told):
    verdict = lesson.once.judge(claim)
    assert told in f"{verdict.state} {verdict.why}"


def test_the_run_that_the_lesson_speaks_of_is_told_when_the_claim_met_another_one():
    longer = lesson.once.judge(lambda c: c.thp_migration_fail <= c.huge_pages).detail
    told = " ".join(longer.split())
    assert "thp_migration_fail 2" in told
    assert lesson.breaks(lesson.counted_once, "v2")[1] in told.split("as moved and as failed: ")[1]
    assert "as moved and as failed" not in lesson.once.judge(lesson.counted_once).detail


# -- a page in a batch


@pytest.mark.parametrize("version", [*VERSIONS, "subpage_retry", "wait"])
def test_a_page_in_a_batch_that_keeps_its_flag_stays(version):
    run = lru_batch(version).run()
    assert run.scenario.outcome(run.last) == SINGLE
    assert lesson.tries(run) == 10
    assert run.last.world.vmstat["pgmigrate_fail"] == 1
    assert not any(n for name, n in run.last.world.vmstat.items() if name.startswith("thp_"))


@pytest.mark.parametrize("version", [*VERSIONS, *POLICIES])
@pytest.mark.parametrize("batch", ["lru_add", "none"])
def test_a_page_without_the_flag_is_drained_by_the_pin_itself(version, batch):
    run = lru_batch(version, batch=batch).run()
    assert run.results["pin"] == 2
    assert lesson.drains(run) == (batch == "lru_add")


def test_a_drain_is_what_helps():
    run = lru_batch("drain", pages=8).run()
    assert run.results["pin"] == 8
    run.last.world.check()
    assert {cpu for cpu, _ in run.last.world.batches} <= {"pin"}


@pytest.mark.parametrize("pages", range(1, 9))
def test_what_is_drained_or_not_holds_together(pages):
    for version in ("v2", "drain"):
        for _, state in lru_batch(version, pages=pages, passes=2).explore().walk():
            state.world.check()


def test_a_wrong_remedy_is_asked_first_and_then_told():
    verdict = lesson.batch.judge(dict.fromkeys(lesson.REMEDIES, True))
    assert verdict.why.startswith("v2: what has to happen before the batch lets go")
    assert verdict.second == "v2: 10 tries for the page in the batch, and -ENOMEM"


def test_wrong_reasons_for_the_flag_are_answered_by_the_model():
    assert "`drain` the same page comes to 'pinned'" in lesson.flag.judge("a").why
    assert "before the first step the deactivate_file batch already" in lesson.flag.judge("b").why


def test_the_inverted_test_changes_two_counters_only():
    meant, inverted = (vfio_map("base", isolation=test).run() for test in ("meant", "inverted"))
    counts = [run.last.world.vmstat for run in (meant, inverted)]
    changed = {name for name in counts[0] if counts[0][name] != counts[1][name]}
    assert changed == {"nr_foll_pin_acquired", "nr_foll_pin_released"}
    assert {each[name] for name in changed for each in counts} == {512, 1024}
    assert "1,024 pins, releases 1,024, and drains 1 time" in lesson.accident_told()


# -- the loop of 6.12


def test_all_pins_that_were_held_on_6_12_counted_the_same():
    rows = load_csv("kernel-runs/k612/k612_s3_held_summary.csv")
    one = [r for r in rows if (r["n_units_2mib"], r["alloc_mode"]) == ("1", "inject")]
    assert sum(int(row["n_trials"]) for row in one) == 27
    for counter, value in (("thp_split_page_failed", 10), ("thp_migration_fail", 1)):
        assert {float(row[f"mean_d_{counter}"]) for row in one} == {value}
    assert lesson.measured_612() == {"held_tries": 10, "counted": 1}


# -- policies


@pytest.mark.parametrize("row", lesson.KNOWN)
def test_stored_scores_are_those_of_a_search(row):
    assert {name: lesson.score(get(row), name) for name in lesson.CASES} == lesson.known(row)
    assert lesson.others_notice(get(row)) == []


def test_each_policy_has_its_case_and_none_is_worse_than_none():
    by_case = {
        case: {row: lesson.known(row)[case] for row in lesson.KNOWN} for case in lesson.CASES
    }
    for case, found in by_case.items():
        assert all(each.odds >= found["v3fix"].odds for each in found.values()), case
    assert max(by_case["visit"], key=lambda row: by_case["visit"][row].odds) == "wait"
    assert [row for row, each in by_case["batch"].items() if each.odds] == ["drain"]


@pytest.mark.parametrize(
    ("decide", "told"),
    [
        (lambda a: a.usual, "lets go at some time): yours 95.2 %, v3fix 95.2 %: not better yet"),
        (lambda a: "give up" if a.pin_is_busy else a.usual, "v3fix 95.2 %: worse"),
        (lambda a: None if a.what == "huge page" else a.usual, "nothing for a huge page, -EAGAIN"),
        (
            lambda a: ("drain" if a.tries == 1 else "wait") if a.pin_is_busy else a.usual,
            "never: 210 steps until it gives up; at most 200",
        ),
        (
            lambda a: "drain" if a.pin_is_busy and a.tries == 1 else a.usual,
            "never: 120 steps, 1 drain; can what is held here lie in a batch?",
        ),
        (lambda a: "wait" if a.pin_is_busy else a.usual, "batch (a single page"),
        (lambda a: "drain", "callers who pin nothing notice it: compaction"),
        (lambda a: a.nosuch, "the policy raised AttributeError"),
        (lambda a: "retry", "the policy returned 'retry'"),
    ],
)
def test_a_policy_is_told_where_it_falls_short(decide, told):
    verdict = lesson.policy.judge(decide)
    assert verdict.state == "failed"
    assert told in verdict.why
    assert lesson.policy.judge(lambda a: None).state == "not attempted"


def test_what_waiting_for_pieces_wins():
    row = own_policy(lambda a: "wait" if a.what == "piece" else a.usual)
    beside = lesson.known("subpage_retry")
    for case in ("visit", "drop_caches"):
        assert lesson.score(row, case).odds > beside[case].odds
    for case in ("batch", "never"):
        assert lesson.score(row, case) == beside[case]


def test_the_judge_runs_the_model(monkeypatch):
    monkeypatch.setattr(lesson, "batch_run", lambda name: lru_batch("v2").run())
    assert lesson.batch.judge({name: name == "drain" for name in lesson.REMEDIES}).state == "failed"
