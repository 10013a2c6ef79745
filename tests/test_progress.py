"""What a learner answered is kept, comes back, and is never lost; and the lesson always goes on."""

from __future__ import annotations

import errno
import getpass
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tool_rule import ROOT
from views.svg_rules import references_are_defined, texts_fit, texts_stand_apart

from mmsim import progress
from mmsim.cli import main
from mmsim.lessons import COURSE
from mmsim.lessons import capstone_and_recall as last
from mmsim.lessons import the_report as lesson
from mmsim.lessons import v2_is_not_the_end as double
from mmsim.lessons import who_holds_this_page as holds
from mmsim.lessons import you_are_the_scheduler as game
from mmsim.lessons.form import options
from mmsim.lessons.tally import cards_of
from mmsim.progress import ANSWER_MAX, FILE, LOCK, NUMBERS, SESSION, read
from mmsim.views.show import as_text, marked
from mmsim.widgets.card import CardBox

MODULES = (lesson, holds, game, last, double)
CARDS = {one.name: cards_of(one) for one in COURSE if one.module in MODULES}
ANSWERED = ("first", "first_text", "right", "last", "text", "unlocked")
KILLS = int(os.environ.get("MMSIM_KILLS", "3"))  # 200 when it matters


def another_kernel():
    """As if the lessons had just been imported."""
    for card in itertools.chain(*CARDS.values()):
        card.about(card.which)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of a learner who has a notebook open in a folder; it is not there yet."""
    monkeypatch.setenv(SESSION, str(tmp_path / "00_the_report.ipynb"))
    another_kernel()
    yield tmp_path / FILE
    monkeypatch.delenv(SESSION, raising=False)
    progress._waiting.clear()
    another_kernel()


def entries(file):
    """What a whole file says of lesson 00, by the names of its cards."""
    book = read(file)
    assert book.damaged == []
    return {key.removeprefix("the_report."): entry for key, entry in book.cards.items()}


def said(card):
    """What a notebook shows of a card."""
    return str(card._repr_mimebundle_()["text/plain"])


def start(sentence="if"):
    return lesson.start.answer(sentence, "starts", "starts", "starts")


# -- what is kept, and what comes back


@pytest.mark.parametrize("session", ["", "Console 1", "solutions/00_the_report.ipynb"])
def test_nothing_is_kept_or_read_where_nobody_has_opened_a_notebook(file, monkeypatch, session):
    lesson.pretest.answer([True] * 6)
    before = file.read_bytes()
    (file.parent / "solutions").mkdir()
    monkeypatch.setenv(SESSION, session and str(file.parent / session))
    another_kernel()
    start().forget()
    lesson.counted.solved().next_hint()
    assert said(lesson.pretest).startswith("○")
    assert file.read_bytes() == before
    assert [*file.parent.glob("solutions/*")] == []


@pytest.mark.parametrize("name", ["the_report", "who_holds_this_page", "you_are_the_scheduler"])
def test_a_reopened_lesson_shows_every_answer(file, name):
    cards = [c for c in CARDS[name] if not c.asks or not progress.packed(c.right())[1]]
    for card in (card for card in cards if card.asks):
        [need.answer(need.right()) for need in card.needs]
        assert card.answer(card.right()).settled
    shown = {card.name: said(card) for card in cards}
    another_kernel()
    assert not any(card.settled for card in cards if card.asks or card.needs)
    assert {card.name: said(card) for card in cards} == shown
    for card in cards:
        box = CardBox(card)
        assert box.rows.layout.display == ("none" if card.asks else "") or not card.parts
        for part, choice in box.choices.items():
            assert str(choice.value) == str(card.stored if card.single else card.stored[part])


def test_wrong_tries_hints_and_what_they_unlock_come_back(file):
    start()
    lesson.counted.answer("a").answer("b").next_hint()
    another_kernel()
    shown = said(lesson.counted)
    assert "only c gives all three" in shown
    assert "At first you had said: a" in shown
    lesson.counted.answer("c")
    entry = entries(file)["counted"]
    kept = {"first": "a", "last": "c", "right": False, "tries": 3, "wrong": 2, "hints": 1}
    assert kept.items() <= entry.items()
    assert abs(entry["at"] - time.time()) < 600


def test_a_solution_that_is_shown_stays_though_another_answer_is_kept(file):
    lesson.ranking.answer(lesson.ranking.right())
    lesson.ruled_out.answer(dict.fromkeys(lesson.SUSPECTS, "fits"))
    lesson.ranking.forget()
    another_kernel()
    assert said(lesson.ruled_out.solved()).startswith("●")


def test_a_forgotten_card_comes_up_open_and_a_solution_that_is_shown_is_no_answer(file):
    lesson.pretest.answer([True] * 6).forget()
    another_kernel()
    assert said(lesson.pretest).startswith("○")
    lesson.pretest.answer([False] * 6)
    lesson.ranking.solved()
    lesson.counted.forget()
    lesson.ruled_out.answer(lesson.which_fit())
    assert {*entries(file)} == {"pretest", "ruled_out"}
    entry = entries(file)["pretest"]
    assert [entry["first"]["ten"], entry["last"]["ten"], entry["right"]] == [True, False, None]
    another_kernel()
    assert "Shown once you have answered" in said(lesson.ruled_out)
    lesson.ranking.solved().answer(lesson.ranking.right())
    assert said(lesson.ruled_out).startswith("●")
    assert entries(file)["ranking"]["tries"] == 1


def test_each_case_has_its_own_answers(file):
    last.verdict.answer("everything moved")
    last.take(4)
    assert "everything moved." not in said(last.verdict)
    last.verdict.answer("a piece was left")
    last.take(1)
    assert "✘ Not yet" in said(last.verdict)
    assert last.verdict.stored == "everything moved"
    assert {*read(file).cards} == {f"capstone_and_recall.verdict.{n}" for n in (1, 4)}


def test_code_is_kept_as_its_cell_and_the_same_cell_again_is_no_new_try(file, monkeypatch):
    cell = "lesson.page_y(page_with(mappings=0))"
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(user_ns={"In": [cell]}))
    for _ in range(2):
        holds.page_y.answer(holds.page_with(mappings=0))
        another_kernel()
    assert f"Handed in earlier: `{cell}`" in said(holds.page_y)
    (entry,) = entries(file).values()
    assert (entry["tries"], entry["text"], entry["last"]) == (1, True, cell)


def test_code_that_is_kept_as_text_is_not_judged_as_a_text(file, monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)  # as in a Python without cells
    double.once.answer(len)
    another_kernel()
    assert "Handed in earlier: `builtin_function_or_method`" in said(double.once)


def test_long_texts_are_cut_and_many_answers_stay_one_line(file):
    for n in range(10):
        start(f"ümläut \ud800 {n:02}")
        (line,) = file.read_bytes().splitlines()
        assert len(line) < 700
    another_kernel()
    assert "ümläut" in said(lesson.start)
    start("x" * 10**6)
    assert entries(file)["start"]["tries"] == 11
    assert len(entries(file)["start"]["last"]) == ANSWER_MAX
    another_kernel()
    assert said(lesson.start).startswith("○")
    assert 'Handed in earlier: `{"sentence": "xxx' in "\n".join(lesson.start.reply())


# -- nothing is lost

WRITER = """
import sys
from mmsim.lessons import the_report as lesson
own, times = getattr(lesson, sys.argv[1]), int(sys.argv[2])
print(0, flush=True)
sys.stdin.readline()
right = [*own._read(own.right()).values()]
for n in range(times):
    own.answer(right[n % 2:] + right[:n % 2])  # another one each time
    lesson.start.answer(f"{sys.argv[1]} {n}", "starts", "starts", "starts")
    print(n + 1, flush=True)
"""


def writer(file, *words, patch=""):
    """Another notebook in the same folder, which has begun and waits for a line."""
    env = {**os.environ, SESSION: str(file.with_name("x.ipynb")), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", patch + WRITER, *map(str, words)]
    process = subprocess.Popen(words, env=env, stdin=-1, stdout=-1, text=True)
    assert process.stdout.readline() == "0\n"
    return process


def test_two_notebooks_at_once_lose_nothing(file):
    pair = [writer(file, name, 15) for name in ("ranking", "pretest")]
    for process in pair:
        print(file=process.stdin, flush=True)
    [process.communicate() for process in pair]
    found = {name: entry["tries"] for name, entry in entries(file).items()}
    assert found == {"ranking": 15, "pretest": 15, "start": 30}


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kernel_that_is_killed_loses_no_answer_that_it_had_taken(file, seed):
    process = writer(file, "pretest", 10_000)
    print(file=process.stdin, flush=True)
    # Killed after so many answers, in whatever it does then.
    told = [process.stdout.readline() for _ in range(random.Random(seed).randint(3, 30))]
    process.kill()
    told += process.communicate()[0].split()
    assert process.returncode == -signal.SIGKILL
    assert entries(file)["start"]["tries"] >= int(told[-1]) >= 3
    start()
    assert [path for path in file.parent.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_kernel_that_is_killed_in_the_middle_of_writing_leaves_the_old_file(file, call):
    start()
    before = file.read_bytes()
    patch = f"import os, signal\nos.{call} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    assert writer(file, "pretest", 1, patch=patch).communicate("\n")[0] == ""
    assert file.read_bytes() == before
    lesson.pretest.answer([True] * 6)
    assert {*entries(file)} == {"start", "pretest"}
    assert {path.name for path in file.parent.iterdir()} == {FILE, LOCK}


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("trouble", ["fsync", "replace", "no folder", "a folder", "busy"])
def test_what_cannot_be_kept_is_told_and_kept_later(file, monkeypatch, trouble):
    busy = progress._locked(file.with_name(LOCK)) if trouble == "busy" else nullcontext()
    with monkeypatch.context() as patch, busy:
        if trouble == "no folder":
            patch.setenv(SESSION, str(file.parent / "gone" / "x.ipynb"))
        elif trouble == "a folder":
            file.mkdir()
        elif trouble == "busy":
            patch.setattr(progress, "LOCK_SECONDS_MAX", 0.05)
        else:
            patch.setattr(os, trouble, full)
        lesson.counted.next_hint()
        assert "Not kept on disk" in said(lesson.counted)
        start()
        box = CardBox(lesson.counted)
        box.choices["answer"].value = "c"
        box.store.click()
        shown = said(lesson.counted)
        assert "✔ Right" in shown
        assert f"Not kept on disk: {FILE} can't be written" in " ".join(shown.split())
        assert box.said.value == marked(lesson.counted.reply())
    if trouble == "a folder":
        file.rmdir()
    assert "Not kept" not in said(start())  # the same answer again
    assert entries(file)["start"]["tries"] == 1
    assert "Not kept" not in said(lesson.pretest.answer([True] * 6))
    assert {*entries(file)} == {"counted", "start", "pretest"}


NUMBERED = b'{"card": "x", "tries": -1, "wrong": 0, "hints": 0, "first_at": 0, "at": 0}'
RUBBISH = b"\x00\xff\xfe", b'{"card": "x", "tri', b"[" * 100_000, b'{"card": 1}', NUMBERED


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda rubbish: str(rubbish[:9]))
def test_a_damaged_file_is_set_aside_whole_and_its_good_lines_stay(file, rubbish):
    lesson.pretest.answer([True] * 6)
    damaged = rubbish + b"\n" + file.read_bytes()
    file.write_bytes(damaged)
    another_kernel()
    shown = " ".join(said(lesson.pretest).split())
    assert shown.startswith("●")
    (aside,) = file.parent.glob("progress.damaged-*.jsonl")
    assert f"{FILE} was damaged (line 1) and is set aside as {aside.name}." in shown
    assert aside.read_bytes() == damaged
    assert {*entries(file)} == {"pretest"}
    file.write_bytes(damaged)
    lesson.pretest.forget()
    assert f"{FILE} was damaged" in " ".join(said(lesson.pretest).split())


@pytest.mark.parametrize("change", [{"last": 7}, {"first": [[]]}, {}])
def test_an_entry_that_is_no_answer_any_more_leaves_the_card_open(file, change):
    lesson.pretest.answer([True] * 6)
    (entry,) = read(file).cards.values()
    file.write_text(f"\n{json.dumps({**entry, **change})}\n \n")
    assert {*entries(file)} == {"pretest"}  # an empty line is no damage
    another_kernel()
    assert said(lesson.pretest).startswith("○" if change else "●")


# -- mmsim progress, mmsim tally


def nameless(*_):
    raise OSError("no place left")


def test_progress_and_what_is_handed_in(file, monkeypatch, capsys):
    monkeypatch.chdir(file.parent)
    assert main(["progress"]) == 2
    assert "there is no progress.jsonl in this folder" in capsys.readouterr().err
    lesson.start.answer("my own words", "does not start", "does not start", "starts")
    lesson.counted.answer("a").next_hint()
    last.afterwards.answer([False] * 6)
    assert main(["progress", "--hand-in", "Zoë / 7"]) == 0
    name, _, _, first, _, total, _, *rest = capsys.readouterr().out.splitlines()
    assert name == FILE
    assert first.split()[-6:] == ["2", "1", "of", "2", "1", "1"]
    assert total.split() == ["all", "3", "1", "of", "3", "1", "1"]
    assert rest[0].startswith("hand-in-Zoë-7.jsonl is written. It holds the name 'Zoë / 7'")
    target = file.parent / "hand-in-Zoë-7.jsonl"
    head, *lines = map(json.loads, target.read_bytes().splitlines())
    assert {*head} == {"hand_in", "made", "mmsim"}
    assert lines == [*read(file).cards.values()]
    assert {*lines[0]} == {"card", *NUMBERS, *ANSWERED}
    text = file.read_text() + target.read_text()
    assert not any(word in text for word in (str(file.parent), getpass.getuser()))
    assert main(["progress", "--hand-in", "..."]) == 2
    assert "needs a letter or a digit" in capsys.readouterr().err
    monkeypatch.setattr(os, "replace", nameless)
    assert main(["progress", "--hand-in", "Zoë"]) == 2
    assert "hand-in-Zoë.jsonl can't be written: no place left" in capsys.readouterr().err


def test_the_card_that_compares_before_and_after(file, monkeypatch):
    lesson.pretest.answer([True] * 6)
    last.afterwards.answer([False, False, False, False, True, False])
    assert "Right: lesson 00 2 of 6, today 5 of 6." in repr(last.afterwards)
    monkeypatch.delenv(SESSION)
    assert "Right: today 5 of 6." in repr(last.afterwards)
    last.afterwards.state = replace(last.afterwards.state, last={})  # the book: before an answer
    told = "\n".join(map(as_text, last.before_and_after()))
    assert "it is" in told
    assert "today" not in told


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A class: each learner takes other choices than the one before, and then the right ones."""
    folder = tmp_path_factory.mktemp("class")
    for number in range(3):
        own = tmp_path_factory.mktemp("own")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(SESSION, str(own / "lesson.ipynb"))
            patch.chdir(folder)
            another_kernel()
            for card in CARDS["the_report"] + CARDS["capstone_and_recall"]:
                choices = {part: options(allowed) for part, allowed in card.parts.items()}
                if choices and all(choices.values()):
                    card.opened()
                    for _ in range(number):
                        card.next_hint()
                    card.answer({part: c[number % len(c)] for part, c in choices.items()})
                    card.answer(card.right())
            assert main(["progress", str(own), "--hand-in", f"learner {number + 1:02}"]) == 0
    another_kernel()
    return folder


def test_the_hand_ins_of_a_class_become_a_table_and_a_picture(handed_in, capsys):
    assert main(["tally", str(handed_in)]) == 0
    lines = capsys.readouterr().out.splitlines()
    # "a" is chosen first, then "b", then "c", which is right; the second and third ask for hints.
    at = next(n for n, line in enumerate(lines) if line.startswith("counted "))
    assert lines[at].split() == ["counted", "3", "1", "of", "3", "2", "3"]
    assert lines[at + 1] == "    a 1, b 1, c 1 ✔, d 0"
    assert "   1 → 1 of 3  Trying ten times" in "\n".join(lines)
    svg = (handed_in / "tally.svg").read_text()
    for rule in (texts_fit, texts_stand_apart, references_are_defined):
        rule(ET.fromstring(svg))
    assert all(words in svg for words in ("3 hand-ins", "“ten”, before", "00 counted"))


def test_odd_files_among_the_hand_ins(handed_in, tmp_path, capsys, monkeypatch):
    for number, path in enumerate(sorted(handed_in.glob("*.jsonl"))[:2]):
        (tmp_path / f"{number}.jsonl").write_bytes(path.read_bytes() + b"half a li" * number)
    later = json.loads((tmp_path / "0.jsonl").read_text().splitlines()[0]) | {"made": 9 * 10**9}
    odd = {"card": "gone.card", "first": [1, {}], **dict.fromkeys(NUMBERS, 1)}
    lines = [later, odd, {**odd, "card": "the_report.pretest", "right": "?", "first": 3}]
    lines.append({**odd, "card": "capstone_and_recall.afterwards", "first": {"ten": False}})
    (tmp_path / "a-later.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "mine.jsonl").write_text("")
    # A hand-in without its date counted before every other.
    undated = [{"hand_in": later["hand_in"], "made": made} for made in (None, "later", [1])]
    for number, head in enumerate([{"hand_in": later["hand_in"]}, *undated]):
        (tmp_path / f"undated-{number}.jsonl").write_text(json.dumps(head))
    assert main(["tally", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Hand-ins: 2\n")
    assert "of another release\ncard " in out
    assert "of 1  Trying ten times" in out  # one learner of two answered before and after
    assert "mine.jsonl is left out: it is no hand-in" in err
    assert "is damaged and left out" in err
    assert "'learner 01' handed in 6 times: the latest one counts" in err
    picture = (tmp_path / "tally.svg").read_bytes()
    monkeypatch.setattr(os, "replace", full)
    assert main(["tally", str(tmp_path)]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert (tmp_path / "tally.svg").read_bytes() == picture
    assert main(["tally", str(tmp_path / "nowhere")]) == 2
    assert "there is no hand-in (.jsonl) in" in capsys.readouterr().err
