"""Every text that somebody can hand in, damaged at random: an answer or one sentence, never more.

One table of entries: what is handed in, and who reads it.  A reader may return or raise UserError.
It may not run for ever, and the memory of all of them together may not grow.
`FUZZ=100000 pytest tests/evidence/test_fuzz.py` is the long run.  What a reader must not lose is
the matter of test_mutations.py, whose texts are used here, too."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from test_mutations import MAKERS, damaged, moved, trace, vmstat

from mmsim import datafiles
from mmsim.errors import MESSAGE_MAX, UserError
from mmsim.evidence.counters import read
from mmsim.evidence.diagnose import explain
from mmsim.evidence.kernel_runs import COMPARED, compare_file
from mmsim.evidence.pasted import load
from mmsim.evidence.vectors import check_file
from mmsim.lessons.activity import State
from mmsim.lessons.tally import cards
from mmsim.scenarios import SCENARIOS, SMALL, make
from mmsim.views import diagnosis
from mmsim.views.memory import machine

LONG = "FUZZ" in os.environ
INPUTS = int(os.environ.get("FUZZ", "100"))
HANGS_AFTER = 5 if LONG else 60  # seconds of this process
GROWTH_MAX = 200_000_000  # bytes, of all readers together
WILD = Path(__file__).with_name("wild")


# -- who reads


def seen(text):
    machine(text)
    machine(text, order=random.Random(len(text)).choice([-1, 0, 3, 31, 10**9]))


def diagnosed(text):
    diagnosis.report(explain(read(text)))


def between(text):
    before, _, after = text.partition("\f")
    read(before, after)


def of_a_file(text, name):
    """The name of a file that holds this; each test has a folder of its own."""
    Path(name).write_bytes(text.encode("utf-8", errors="surrogateescape"))
    return name


def knobs(text):
    scenario, version, *words = [*text.split("\n"), "", ""]
    make(scenario, version, dict(word.partition("=")[::2] for word in words if word))


def answered(text):
    name, _, value = text.partition("\n")
    card = CARDS.get(name, next(iter(CARDS.values())))
    card.forget()
    for need in card.needs:
        need.state = State(unlocked=True)
    answers = [value]
    with contextlib.suppress(ValueError, RecursionError):
        answers.append(json.loads(value))
    for answer in answers:
        card.answer(answer)
        assert card.problem or card.reply()


CARDS = {name: card for name, card in cards().items() if card.parts}


# -- what they read when nobody has damaged it


def made(*makers):
    return [make(random.Random(number)) for number, make in enumerate([*makers] * 2)]


def wild(*kinds):
    return [path.read_text(encoding="utf-8") for path in WILD.iterdir() if path.suffix in kinds]


def two_vmstats():
    return ["\f".join(sorted(made(vmstat), key=len)), "pgfault 1\nthp_migration_fail 1\n\f" * 2]


def stored(pattern):
    """The texts of the data files whose names have this in them."""
    names = [name for name in datafiles.names() if re.search(pattern, name)]
    return [datafiles.path(name).read_text(encoding="utf-8") for name in names]


def small_vectors():
    """One vector and one version in each."""
    found = []
    for content in map(json.loads, stored(r"conformance/(?!schema).*json")):
        for vector in content["vectors"][:4]:
            expect = vector["expect"][0]
            if expect["versions"] == "all" or len(expect["versions"]) > 1:
                expect["versions"] = ["base"]
            one = {**content, "vectors": [{**vector, "expect": [expect]}]}
            found.append(json.dumps(one, indent=0))
    return found


def settings_of_knobs():
    return [
        "\n".join([name, "v2", *(f"{knob.name}={knob.default}" for knob in spec.knobs)])
        for name, spec in SCENARIOS.items()
    ]


def right_answers():
    return [
        f"{name}\n{json.dumps(None if card.needs else card.right(), default=str)}"
        for name, card in CARDS.items()
    ]


MEMORY = [make for make in MAKERS if make not in (moved, trace, vmstat)]
TABLES = rf"kernel-runs/(k612/)?({'|'.join(COMPARED)})"
ENTRIES = {
    "memory": (seen, lambda: made(*MEMORY) + wild(".buddyinfo", ".pagetypeinfo", ".zoneinfo")),
    "counters": (diagnosed, lambda: made(moved, trace) + wild(".txt", ".trace", ".dmesg")),
    "vmstat": (between, two_vmstats),
    "ftrace": (diagnosed, lambda: [text[:6000] for text in stored("/traces/")[::6]]),
    "files": (lambda text: read(load(of_a_file(text, "text"))), lambda: made(moved, trace)),
    "vectors": (lambda text: check_file(Path(of_a_file(text, "vectors.json"))), small_vectors),
    "tables": (
        lambda text: compare_file(of_a_file(text, "runs.csv")),
        lambda: ["".join(text.splitlines(keepends=True)[:4]) for text in stored(TABLES)],
    ),
    "schedules": (
        make("vfio_map", "v2", SMALL).replay,
        lambda: ["holder pin*7 pin:fail*3 pin*20", "pin", "holder*2 pin*9"],
    ),
    "knobs": (knobs, settings_of_knobs),
    "answers": (answered, right_answers),
}


# -- damage

ODD = [
    *" \n\0\t\f,\"'{[]}:=*-+>|é٣×🧮\ufeff\u2028\udcff",
    *("", "\x1b[31m", "null", "true", "NaN", "1e999", "-1", "1.0", "1_000", "0x10", "1" + "0" * 9),
    *("9" * n for n in (12, 19, 25, 5_000)),
    *("[" * 50_000, "x" * 20_000, "7 " * 4_000, "Node 0, zone ", "mm_migrate_pages: ", "order="),
]


def edited(draw, seeds):
    """A seed after some edits: half of them put something odd in the place of a word or number."""
    text = draw.choice(seeds)
    for _ in range(draw.choice([1, 1, 2, 5])):
        sort = draw.choice([r"\d+", r"\w+", ""])
        word = sort and re.compile(sort).search(text, draw.randint(0, len(text)))
        if word:
            text = text[: word.start()] + draw.choice(ODD) + text[word.end() :]
        else:
            text = damaged(draw, text, ODD)
    return text


@settings(max_examples=1, database=None)
@given(st.text())
def signs(text):
    pass


class Hangs(BaseException):
    """An input that takes too long."""


def hangs(number, frame):
    raise Hangs


def memory():
    """The most that this process ever held, in bytes; 0 where that is not told."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_input_gets_an_answer_or_a_sentence(entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reads, make_seeds = ENTRIES[entry]
    seeds = make_seeds()
    # What is loaded once is no growth, and hypothesis has a table of all signs.
    for seed in seeds if LONG else seeds[::5]:
        refused(reads, seed)
    signs()
    before = memory()

    @settings(
        max_examples=INPUTS // len(ENTRIES) // 2,
        deadline=None,
        database=None,
        derandomize=not LONG,
        suppress_health_check=list(HealthCheck),
    )
    @given(draw=st.randoms(use_true_random=LONG), other=st.text())
    def fuzz(draw, other):
        text = edited(draw, seeds)
        note(repr(text))
        refused(reads, text)
        refused(reads, other)

    signal.signal(signal.SIGPROF, hangs)
    try:
        fuzz()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    assert memory() - before < GROWTH_MAX


def refused(reads, text):
    """Hand in a text; if it is refused, the sentence is one line and not too long."""
    signal.setitimer(signal.ITIMER_PROF, HANGS_AFTER)
    try:
        reads(text)
    except UserError as error:
        told = str(error)
    else:
        return
    assert 0 < len(told) < MESSAGE_MAX + 200
    assert told.isprintable()
