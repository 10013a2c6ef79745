"""The slides of the core lessons: a question and then its answer, nothing cut, nothing fetched."""

from __future__ import annotations

import re

import pytest
import slides

from mmsim.lessons.tally import cards_of

each_lesson = pytest.mark.parametrize("lesson", slides.CORE, ids=lambda lesson: lesson.stem)
CUT = """[...document.querySelectorAll("section")].filter(s => s.scrollHeight > s.clientHeight
    || s.scrollWidth > s.clientWidth || [...s.children].some(b => b.style.zoom && b.style.zoom < .6)
    ).map(s => s.dataset.n)"""


@each_lesson
def test_a_question_comes_first_and_its_answer_next(lesson):
    made = slides.slides(lesson)
    asked = [card for card in cards_of(lesson) if card.asks]
    kinds = [kind for kind, *_ in made]
    assert kinds.count("card") == len(asked)
    for at, (kind, heading, *rest) in enumerate(made):
        if kind == "card":
            assert made[at + 1][:2] == ["answer", heading]
            assert not re.search(r"✔|you said|lesson\.", "".join(rest))
    text = "".join("".join(rest) for _, *rest in made)
    assert "you said" not in text
    assert not any(f">{name}<" in text for name in slides.LEFT_OUT)


@pytest.mark.browser
@each_lesson
def test_nothing_is_cut_or_fetched_and_the_keys_go_through(lesson, tmp_path, browser):
    file = tmp_path / "slides.html"
    file.write_text(slides.page(lesson.title, slides.slides(lesson)), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 1366, "height": 768})
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(file.as_uri())
    assert tab.evaluate(CUT) == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    keys = {"ArrowRight": 2, " ": 3, "ArrowLeft": 2, "Home": 1}
    for key, n in (*keys.items(), ("ArrowLeft", 1)):
        tab.keyboard.press(key)
        shown = tab.locator("section.on")
        assert (shown.count(), shown.get_attribute("data-n").split()[0]) == (1, str(n))
        assert shown.is_visible()
    tab.close()
