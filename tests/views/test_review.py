"""Tables of the review: what the list said, the cells to predict, the measured requests."""

from __future__ import annotations

from mmsim.series import REMARKS
from mmsim.views.review import (
    cells_happened,
    cells_question,
    list_said,
    measured_requests,
    owner_happened,
    owner_question,
)


def test_every_remark_can_be_found_in_the_archive():
    table = list_said()
    assert len(table) == len(REMARKS) == 4
    assert all("@" in row.message_id and len(row.said) > 60 for row in REMARKS)


def test_the_cells_to_predict_are_cells_of_the_table():
    question, happened = cells_question(), cells_happened()
    assert set(question.choices) == set(happened)
    assert all(happened[name] in choices for name, choices in question.choices.items())
    assert list(happened.values()) == [
        "stays",
        "stays",
        "-EBUSY",
        "-ENOMEM",
        "-EAGAIN",
        "-ENOMEM",
    ]


def test_the_owner_gets_what_can_be_chosen_and_what_the_model_gives():
    question, happened = owner_question(), owner_happened()
    assert {
        name: happened[name] in choices for name, choices in question.choices.items()
    } == dict.fromkeys(happened, True)
    assert happened == {
        "calls in base": 1,
        "base": "nothing",
        "calls in v1": 5,
        "v1": "memory",
    }


def test_measured_requests_are_the_same_in_every_run_of_a_kind():
    table = measured_requests()
    assert [name.partition(":")[0] for name in table.index[::2]] == [
        "28 MiB of 256 MiB",
        "248 MiB of 256 MiB",
    ]
    assert not any(" or " in cell for row in table.values for cell in row)
    assert table["v1"].tolist() == ["30,725", "0", "10,245", "-ENOMEM"]
    assert table["base"].tolist() == table["v2"].tolist() == ["1", "-ENOMEM", "1", "-ENOMEM"]
