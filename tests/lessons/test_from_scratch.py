"""Lesson 12: the finished page against every vector that fits, and what wrong pages are told."""

from __future__ import annotations

import json
import re

import pytest

from mmsim.lessons import from_scratch as lesson
from mmsim.lessons.from_scratch import VectorCard, finished, finished_page, page_of_code
from mmsim.widgets.card import CardBox

STEPS = [card for card in vars(lesson).values() if isinstance(card, VectorCard)]


def changed(old, new):
    """The names of the finished page with one place changed."""
    code = page_of_code()
    assert code.count(old) == 1, old
    names = {}
    exec(compile(code.replace(old, new), "a page with a mistake", "exec"), names)
    return names


def handed(card, names):
    """The card with these functions handed in, and everything that it needs answered rightly."""
    return card.opened().answer(*(names[name] for name in card.form.split(", ")))


# -- the finished page

LEFT_OUT = {"count", "faults", "huge_zero", "in_page_cache", "locks", "numa_misplaced", "pages"}
LEFT_OUT |= {"pages_inside_file", "pins", "pte_maps", "swap_cache", "writeback", "A[0]"}
# A page in a batch; pins; anonymous pieces; destinations that are there at some requests.
OTHERS = {"A1a", "A5b", "A13", "B105", "N43", "C104", "N4", "N20"}


def fitting(vector):
    """Does a vector need nothing that the small model leaves out?"""
    text = json.dumps([vector.get(part) for part in ("setup", "script", "operation")])
    return vector["id"] not in OTHERS and not {*re.findall('"([^"]+)"', text)} & LEFT_OUT


@pytest.mark.parametrize("group", ["refcount", "split", "migrate_pages"])
def test_the_finished_page_agrees_with_every_vector_that_fits(group):
    assert "mmsim" not in page_of_code()
    names, compared = finished(), 0
    for vector in filter(fitting, lesson.vectors(group).values()):
        for version, kernel in (("base", "base"), (lesson.PATCHED, "patched")):
            given = names | {"kernel": names[kernel]}
            assert lesson.run_vector(group, vector, version, given) == [], vector["id"]
            told = [expect["versions"] for expect in vector["expect"]]
            compared += any(each == "all" or version in each for each in told)
    assert compared == {"refcount": 24, "split": 16, "migrate_pages": 74}[group]


# -- wrong pages

UNMAP = "    page.refcount -= page.mapcount\n    page.mapcount = 0\n"
CHECK = "page.refcount == page.cache + page.mapcount + 1"
FREEZE = "if page.refcount != page.cache + 1:"
REFUSED = "    elif not can_split(page):\n        rc = host.kernel.ref_errno\n"
WRONG = [
    ("counts", "refcount = pages + maps", "refcount = pages", "A1b", "ref should be 2"),
    ("counts", "refcount = pages + maps", "refcount = 1 + maps", "A2", "ref should be 513"),
    ("counts", "refcount = pages + maps", "refcount = pages + 1", "A3", "ref should be 514"),
    ("counts", "page.mapcount = pages, maps", "page.mapcount = pages, maps == 1", "A1b",
     "mapcount should be 1, and yours is True"),  # Python takes it for equal to 1
    ("counts", UNMAP, "    page.mapcount = 0\n", "A9a", "takes its reference along"),
    ("checking", CHECK, "page.refcount == page.cache + 1", "A6", "can_split should be True"),
    ("checking", CHECK, "True", "A7", "nobody can explain"),
    ("checking", CHECK, "page.refcount <= page.cache + page.mapcount + 1", "A2", "Fewer"),
    ("checking", CHECK, "page.refcount == page.pages + page.mapcount + 1", "A10", "no page cache"),
    ("freezing", "    page.refcount = 0\n", "", "A9a", "refcount after freeze should be 0"),
    ("freezing", FREEZE, "if page.refcount < page.cache + 1:", "A9b", "freeze should be False"),
    ("freezing", FREEZE, "if page.refcount != 513:", "A107", "freeze should be True"),
    ("freezing", FREEZE, "if page.refcount != page.cache + page.mapcount + 1:", "A6", "mapped"),
    ("splitting", REFUSED, "", "B2", "before anything is changed"),
    ("splitting", '        if not freeze(page):\n            rc = host.kernel.ref_errno\n',
     "        freeze(page)\n", "B4", "only the freeze can find it"),
    ("splitting", '    host.meanwhile("check", page)\n', "    unmap(page)\n    host.meanwhile("
     '"check", page)\n', "B2", "mapcount of A|ref of A"),
    ("splitting", REFUSED, REFUSED.replace("host.kernel.ref_errno", "-EBUSY"), "B2", "EAGAIN"),
    ("splitting", "    if not page.cache:\n        rc = -EBUSY\n    elif", "    if", "B6", "EBUSY"),
    ("splitting", "        cut(page, pieces, host)\n", "        pass\n", "B1", "512 × ref 2"),
    ("passing", "            page.refcount -= 1\n    return 0, again", "    return 0, again", "C1",
     "ref of A should be 513"),
    ("passing", "            again.append(page)\n", "            pass\n", "C23", "passes should"),
    ("passing", '            host.vmstat["thp_migration_fail"] += 1\n', "", "C8",
     "thp_migration_fail should be 1"),
    ("passing", "                continue\n            if", "            if", "C4", ""),
    ("passing", "if host.kernel.retry_split(reason, ret)", "if ret == -EBUSY", "C8", ""),
    ("passing", "kernel.retry_split(reason,", 'kernel.retry_split("longterm_pin",', "C13", ""),
    ("passing", "                rc = -EAGAIN\n", "                rc = -EAGAIN\n"
     "            else:\n                rc = ret\n", "C8",
     "rc should be ENOMEM, and yours is EBUSY"),
    ("patching", "ref_errno=-EAGAIN", "ref_errno=-EBUSY", "K3", "[10]"),
    ("patching", 'reason == "longterm_pin" and ret == -EAGAIN', "ret == -EAGAIN",
     "C13", "contig_range"),
    ("patching", 'reason == "longterm_pin" and ret == -EAGAIN',
     'reason == "longterm_pin"', "C10", "truncated page is no reason"),
    ("patching", "rc if left else 0", "rc", "C4", "rc should be 0, and yours is 1"),
    ("patching", "rc if left else 0", "0", "K3", "rc should be 11, and yours is 0"),
]  # fmt: skip


@pytest.mark.parametrize("card", STEPS, ids=lambda card: card.name)
def test_a_wrong_step_is_shown_the_vector_that_it_fails_and_can_be_mended(card):
    box = CardBox(card)
    for _, old, new, vector, told in [row for row in WRONG if row[0] == card.name]:
        said = "\n".join(handed(card, changed(old, new)).reply())
        assert card.state.verdict.state == "failed", (new, said)
        assert re.search(rf"[Vv]ector ({vector})\b", said), (new, said)
        assert re.search(told.replace("[", r"\["), said), (new, said)
        assert "[Picture: Vector" in repr(card)
        assert re.search(r"expected +yours\nafter your code", repr(card))
        assert "<img" in box.shown.value  # at the first wrong answer already
    assert "[Picture" not in repr(handed(card, finished()))
    assert card.settled


# -- garbage


def for_ever(*given):
    for _ in range(10**6):  # without a limit: a failure, and no hang
        pass


def a_text(*given):  # a reply quotes the line, so what is told must not stand in it
    return "x"


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (lambda *given: None, "returns nothing|has no|'NoneType'|returned"),
        (for_ever, "was stopped after .* steps in line .*: does a loop end"),
        (a_text, "returned 'x'|has no name"),
    ],
    ids=["None", "for ever", "text"],
)
def test_garbage_gets_a_sentence(odd, told, monkeypatch):
    monkeypatch.setattr(lesson, "STEPS_MAX", 20_000)
    for card in (step for step in STEPS if step is not lesson.patching):
        handed(card, dict.fromkeys(card.form.split(", "), odd))
        assert not card.settled
        assert re.search(told, "\n".join(card.reply())), card.reply()


def test_what_is_not_written_is_not_judged_and_an_old_picture_goes():
    card = handed(lesson.checking, changed(CHECK, "True"))
    assert "[Picture" in repr(card)
    assert card.answer(a_text).reply()[0].startswith("✘ No: can_split() returned 'x'; it should")
    assert "[Picture" not in repr(card)
    card.forget()
    assert card.answer(lambda page: None).problem == "Not stored: can_split() returns nothing."


# -- the review


@pytest.mark.parametrize(
    ("seams", "told"),
    [
        ({}, "your seams and those of v3 agree in all 22,181 schedules of three races"),
        ({"final_rc": lambda rc, left: rc}, "in the race of a pin"),
        ({"retry_split": lambda reason, ret: ret == -11}, "of a caller that is no pin"),
        ({"retry_split": lambda reason, ret: reason == "longterm_pin"}, "that is truncated"),
        ({"retry_split": lambda reason, ret: 1 / 0}, "raised ZeroDivisionError"),
    ],
)
def test_the_review_compares_the_seams_in_every_order_of_steps(seams, told):
    patched = finished_page()["patched"]._replace(**seams)
    said = handed(lesson.reviewed, {"patched": patched}).state.verdict
    assert told in said.why
    differs = "another kernel" in said.why
    assert bool(re.search("after this schedule: (pin|migrate)", said.detail)) == differs


def test_the_two_ways_in_which_a_patched_pin_fails():
    left = [end for name, end in lesson.ends(lesson.VERSIONS["v3"], "of a pin").items()
            if "'pin': -12" in name]  # fmt: skip
    assert ["thp_split_page_failed': 10" in end.name for end in left] == [False, True]
    assert ["thp_split_page': 1" in end.name for end in left] == [True, False]
