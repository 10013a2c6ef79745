"""Share codes: golden ones, every typing error there is, and what can't be told."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from mmsim import sharecode
from mmsim.engine.scenario import Move
from mmsim.engine.schedule import ScheduleError, coin, render
from mmsim.engine.trace import record
from mmsim.mm.versions import VERSIONS, get
from mmsim.scenarios import SCENARIOS, make
from mmsim.sharecode import ALPHABET, STARTS, ShareError, decode, encode

SMALL = {"order": 2, "released": "1"}
TINY = {"order": 1, "passes": 2}
# Written down for good: people have them on paper.  If one of these changes, FORMAT has to go up.
GOLDEN = {
    "22222-2AJAA": ("vfio_map", "base", {}, "stranger pin*20"),
    "22222-2N9C2": ("vfio_map", "v2", SMALL, "stranger pin*4"),
    "22222-2UNJ8": ("vfio_map", "v2", SMALL, "stranger pin stranger pin*86"),
    "22224-26JMM": ("pin_versus", "base", TINY, "drop_caches*8 pin*28 drop_caches*9"),
    "2CQYV-TPKQA": (
        "pin_versus",
        "v3",
        TINY,
        "pin*26 drop_caches*3 pin*7 drop_caches*2 pin drop_caches pin*19 drop_caches*3",
    ),
    "222CC-ZTGR6": ("pin_versus", "v3", {}, "drop_caches*8 pin*23 drop_caches*8 pin*10258"),
}


@pytest.mark.parametrize("code", GOLDEN)
def test_golden_codes(code):
    scenario, version, knobs, text = GOLDEN[code]
    situation = make(scenario, version, knobs)
    shared = decode(code)
    assert shared == (scenario, version, situation.knobs, text)
    assert encode(situation, situation.replay(text).moves) == code
    assert shared.situation().knobs == situation.knobs


# Whatever would end a run of many choices early is too rare to happen.
NO_END = dict.fromkeys(["pin:ENOMEM", "pin:nomem", "pin:kept"], Fraction(1, 10**9))


def codes():
    """A code of each length, of random runs of a small guest that were stopped somewhere."""
    found = {}
    situation = make("vfio_map", "v3", {"order": 5, "trouble": "nomem", "stranger": 0})
    for seed in range(40):
        moves = record(situation, coin(seed, NO_END)).moves[: 6 * seed]
        code = encode(situation, moves)
        assert decode(code).schedule == render(moves)
        found[len(code)] = code
    return list(found.values())


def letters(code):
    return code.replace("-", "")


def test_a_code_is_groups_of_five_from_a_small_alphabet():
    lengths = set()
    for code in codes():
        assert {len(group) for group in code.split("-")} == {5}
        assert set(letters(code)) <= set(ALPHABET)
        lengths.add(len(letters(code)))
    assert min(lengths) == 10
    assert len(lengths) > 2
    assert not set("0O1IL") & set(ALPHABET)


@pytest.mark.parametrize("code", codes())
def test_every_single_typing_error_is_noticed(code):
    """Each character replaced by each other one; each two neighbours the other way round; each
    character left out, or typed twice."""
    right = letters(code)
    wrong = set()
    for at in range(len(right)):
        wrong |= {right[:at] + other + right[at + 1 :] for other in ALPHABET}
        wrong |= {right[:at] + right[at : at + 2][::-1] + right[at + 2 :]}
        wrong |= {right[:at] + right[at + 1 :], right[:at] + right[at] + right[at:]}
    for each in wrong - {right}:
        with pytest.raises(ShareError, match=r"has a typing error|has \d+ characters"):
            decode(each)


def test_how_it_is_typed_does_not_matter():
    code = "2CQYV-TPKQA"
    for typed in (code.lower(), " 2cqyv tpkqa\n", "2CQYVTPKQA", "2-CQ-YVTP-KQA"):
        assert decode(typed) == decode(code)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "has 0 characters; a code has 10, or 5 more, up to 40"),
        ("2CQYV-TPKQ", "has 9 characters"),
        ("2CQYV-TPKQA-2", "has 11 characters"),
        ("2" * 45, "has 45 characters"),
        ("2CQYV-TPKQ0", "a code has no '0': it is made of 2 to 9 and A to Z without I, L and O"),
        ("2CQYV-TPKQO", "a code has no 'O'"),
        ("2CQYV-TPKQß", "a code has no 'ß'"),
        ("__import__('os')", "a code has no '_'"),
        ("2CQYV-TPKAQ", "has a typing error: compare it again"),
        ("x" * 10**5, "has 100000 characters"),
    ],
)
def test_what_is_no_code_is_told_in_a_sentence(code, says):
    with pytest.raises(ShareError) as error:
        decode(code)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_random_code_is_refused_or_means_a_run():
    """Whatever passes the check character is read with care: nothing but ShareError comes out."""
    rng, accepted, refused = random.Random(5), 0, 0
    for _ in range(6000):
        code = "".join(rng.choice(ALPHABET) for _ in range(rng.choice([10, 15, 40])))
        try:
            shared = decode(code)
        except ShareError:
            refused += 1
            continue
        accepted += 1
        situation = shared.situation()
        assert letters(encode(situation, situation.replay(shared.schedule).moves)) == code
    assert refused > 5900
    assert accepted + refused == 6000


def test_a_code_of_another_format_is_refused():
    """The lowest part of the number is FORMAT: one more makes it another one."""
    from mmsim.sharecode import _number, _spelled

    with pytest.raises(ShareError, match="made by an mmsim that counts differently"):
        decode(_spelled(_number("2CQYV-TPKQA") + 1))


def test_a_run_with_too_many_choices_says_so():
    """A coin decides about each of 64 pieces whether the file lets it go."""
    situation = make("vfio_map", "v3", {"order": 6, "trouble": "nomem", "stranger": 0})
    moves = record(situation, coin(3, NO_END)).moves
    with pytest.raises(ShareError, match=r"makes \d+ choices, too many .* pass the schedule on"):
        encode(situation, moves)


def test_a_version_of_ones_own_has_no_code():
    own = get("v2")._replace(name="mine")
    situation = SCENARIOS["vfio_map"].make(own, SMALL)
    with pytest.raises(ShareError, match=r"version 'mine' has no code; only base, .* have"):
        encode(situation, [])


def test_a_run_in_which_steps_are_one_has_no_code():
    """It would be read back as a run of the scenario in which they are two."""
    situation = make("vfio_map", "v3", SMALL).together("can_split_folio", "folio_ref_freeze")
    with pytest.raises(ShareError, match="steps are taken as one"):
        encode(situation, [])


def test_an_impossible_schedule_has_no_code():
    situation = make("vfio_map", "base", SMALL)
    with pytest.raises(ScheduleError, match="move 3: 'stranger' can't move"):
        encode(situation, [Move("stranger")] * 3)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_version_and_knob_value_has_a_number(scenario):
    """Both ways, for every value of every knob: a code can tell them all."""
    assert (scenario, {}) in STARTS
    spec = SCENARIOS[scenario]
    for knob in spec.knobs:
        values = {}
        for number in range(5000):
            try:
                values[number] = knob.value(number)
            except ValueError:
                break
            assert knob.number(values[number]) == number
        assert len(set(values.values())) == len(values) > 1
        assert knob.default in values.values()
        assert all(knob.read(value) == value for value in values.values())
    for version in VERSIONS:
        situation = spec.make(version, {})
        assert decode(encode(situation, [])).version == version


def test_a_new_starting_point_leaves_older_codes_alone(monkeypatch):
    """It lies nearer, so new codes begin there; those on paper still mean what they meant."""
    situation = make("pin_versus", "v3", {"order": 1, "thps": 2})
    moves = situation.run().moves[:50]
    new = encode(situation, moves)
    monkeypatch.setattr(sharecode, "STARTS", STARTS[:2])
    old = encode(situation, moves)
    assert old != new
    assert decode(old).knobs == situation.knobs
    monkeypatch.undo()
    assert decode(old) == decode(new)
    assert decode(old).situation().knobs == situation.knobs


# A code tells a knob by its place.  New ones go to the end; these stay where they are.
PLACES = {
    "vfio_map": "thps stranger refs taken released trouble targets reason passes order",
    "pin_versus": "thps against on taken released drops io_steps targets zone passes order",
    "drop_caches_only": "folios order dirty mapped held locked",
    "timed_hold": "hold allocation seed passes order",
    "split_race": "strangers taken released passes order",
}


@pytest.mark.parametrize("scenario", PLACES)
def test_knobs_and_versions_keep_their_places(scenario):
    names = [knob.name for knob in SCENARIOS[scenario].knobs]
    first = PLACES[scenario].split()
    assert names[: len(first)] == first
    rows = ["base", "6.1.0", "v1", "v2", "v3", "v3fix", "2/2-only"]
    assert [*VERSIONS][: len(rows)] == rows


def test_a_scenario_without_a_starting_point_has_no_code(monkeypatch):
    monkeypatch.setattr(sharecode, "STARTS", STARTS[:1])
    with pytest.raises(ShareError, match="scenario 'pin_versus' has no codes"):
        encode(make("pin_versus"), [])


def test_starting_points_are_what_they_say():
    for scenario, knobs in STARTS:
        situation = make(scenario, "base", knobs)
        assert {name: situation.knobs[name] for name in knobs} == dict(knobs)
        assert decode(encode(situation, [])).knobs == situation.knobs
