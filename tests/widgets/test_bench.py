"""The bench without a browser: every knob at every value, with callbacks live."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from mmsim.lessons import Prediction
from mmsim.practice.benches import WORKBENCH_KNOBS, page_life, refs_added, workbench
from mmsim.practice.cases import folios
from mmsim.views.account import HEIGHT, WIDTH, account_svg
from mmsim.views.svg import text_width
from mmsim.widgets import bench, stepper
from mmsim.widgets.bench import BenchConsole

NS = "{http://www.w3.org/2000/svg}"


def guess():
    return Prediction("?", {"a": ("equal", "not equal"), "b": ("equal", "not equal")})


def parts(widget):
    """The question and the console of a locked bench."""
    question, console = widget.children
    return question, console


def test_every_control_at_every_value_draws_or_says_why_not():
    widget = bench(workbench())
    assert isinstance(widget, BenchConsole)
    assert list(widget.boxes) == [knob.name for knob in WORKBENCH_KNOBS]
    for box in widget.boxes.values():
        first = box.value
        values = box.options if hasattr(box, "options") else range(box.min, box.max + 1)
        for value in values:
            box.value = value
            assert "<svg" in widget.view.value
            assert widget.said.value
        box.value = first


def test_the_picture_is_the_one_of_the_static_twin():
    widget = bench(workbench())
    widget.boxes["holders"].value = 2
    assert widget.view.value == account_svg(workbench(holders=2).run())
    widget.boxes["holders"].value = 3
    assert widget.view.value == account_svg(workbench(holders=3).run())
    widget.reset.click()
    assert widget.view.value == account_svg(workbench().run())


def test_contradicting_knobs_get_a_sentence():
    widget = bench(workbench())
    widget.boxes["cached"].value = "no"
    widget.boxes["mappings"].value = 0
    assert "the kernel frees it" in widget.said.value


def test_the_bench_is_locked_until_the_prediction_is_stored():
    prediction = guess()
    question, console = parts(bench(workbench(), unlock=prediction))
    assert all(box.disabled for box in console.boxes.values())
    assert "<svg" not in console.view.value
    question.choices["a"].value = "equal"
    question.store.click()
    assert "Not stored" in question.said.value
    assert console.boxes["holders"].disabled
    question.choices["b"].value = "equal"
    question.store.click()
    assert prediction.stored == {"a": "equal", "b": "equal"}
    assert not any(box.disabled for box in console.boxes.values())
    assert "<svg" in console.view.value
    assert "Stored: a equal, b equal." in question.said.value
    later, open_ = parts(bench(workbench(), unlock=prediction))
    assert later.choices["a"].value == "equal"
    assert not open_.boxes["pin"].disabled


def test_a_stepper_can_ask_how_a_count_grows():
    prediction = Prediction("?", dict.fromkeys(refs_added(page_life().run()), (0, 1)))
    widget = stepper(page_life(), unlock=prediction, versions=("base",), happened=refs_added)
    prediction.set(dict.fromkeys(prediction.choices, 0))
    widget.slider.value = widget.slider.max
    assert "mapped 0: ✔ as predicted" in widget.verdict.value
    assert "drop_caches looks 1: ✘ you predicted 0" in widget.verdict.value
    for row in range(widget.slider.max + 1):
        widget.slider.value = row
        assert "<svg" in widget.view.value


def test_pictures_of_the_bench_can_be_read():
    for page in [*folios(), workbench(isolated="no"), workbench(mappings=4, holders=3, pin="yes")]:
        trace = page.run()
        root = ET.fromstring(account_svg(trace))
        assert root.get("role") == "img"
        assert root[1].text.startswith(root[0].text)
        texts = list(root.iter(f"{NS}text"))
        assert {event.actor for event in trace.events} <= {text.text for text in texts}
        boxes = []
        for text in texts:
            size = float(text.get("font-size"))
            mono, bold = "font-family" in text.attrib, text.get("font-weight") == "700"
            wide = text_width(text.text, size, mono=mono, bold=bold)
            assert not text.text.endswith("…")
            assert wide <= float(text.get("data-w")) + 0.01
            left = float(text.get("x")) - wide * (text.get("text-anchor") == "end")
            assert 0 <= left <= left + wide <= WIDTH
            y = float(text.get("y"))
            assert y < HEIGHT
            box = (left, y - size * 0.72, left + wide, y + size * 0.1)
            for other in boxes:
                apart = box[0] >= other[2] or other[0] >= box[2]
                assert apart or box[1] >= other[3] or other[1] >= box[3], text.text
            boxes.append(box)
        assert not re.search(r"_by_name", account_svg(trace))
