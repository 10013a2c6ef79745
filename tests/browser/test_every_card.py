"""Every card of the core lessons is answered rightly: in two by keyboard alone, else by mouse."""

from __future__ import annotations

import re

import pytest

from mmsim.lessons import COURSE
from mmsim.lessons.card import Card
from mmsim.lessons.form import ONLY, options, said

pytestmark = pytest.mark.browser
TABS_MAX = 40
BY_KEYS = ("the_report", "migrate_or_split")


def chosen(lesson):
    """The cards of a lesson that are answered by choices, in the order of its text."""
    shown = re.findall(r"^lesson\.(\w+)$", lesson.text.read_text(encoding="utf-8"), re.MULTILINE)
    cards = [vars(lesson.module)[name] for name in shown]
    return [card for card in cards if isinstance(card, Card) and card.parts]


def tab_to(place, words=""):
    """Press Tab until the focus is in `place`, on what is called so."""
    for _ in range(TABS_MAX):
        place.page.keyboard.press("Tab")
        name = "n => n.contains(document.activeElement) ? document.activeElement.innerText : null"
        if place.evaluate(name) == words:
            return
    pytest.fail(f"{TABS_MAX} times Tab did not reach {words!r}")


def by_mouse(row, words, card, part):
    kind = row.get_attribute("class")
    if "toggle" in kind:
        row.get_by_role("button", name=words, exact=True).click()
    elif "radio" in kind:
        row.get_by_label(words, exact=True).click()
    elif "dropdown" in kind:
        row.locator("select").select_option(words)
    else:
        row.locator("input").fill(words)


def by_keys(row, words, card, part):
    kind, keyboard = row.get_attribute("class"), row.page.keyboard
    tab_to(row, words if "toggle" in kind else "")
    if "toggle" in kind:
        keyboard.press("Enter")
    elif "radio" in kind:
        keyboard.press("Space")
        names = [said(value, card.parts[part]) for value in options(card.parts[part])]
        for _ in range(names.index(words)):
            keyboard.press("ArrowDown")
    else:
        keyboard.type(words)


@pytest.mark.parametrize("lesson", [each for each in COURSE if each.core], ids=lambda x: x.name)
def test_every_card_is_answered(lesson, lab):
    lab.copy(f"{lesson.stem}.ipynb")
    lab.run_all()
    cards = chosen(lesson)
    assert len(cards) > 2
    keys = lesson.name in BY_KEYS
    for number, card in enumerate(cards):
        right = card.opened()._read(card.right())
        title = re.sub("[`*]", "", card.headline)
        # By its number it is found again at once, and not by all words of all cards.  From the cell
        # of the card, Tab goes on into what it shows.
        found = lab.page.locator(".mmsim-card", has_text=title).first
        found.evaluate("(n, id) => { n.id = id; n.tabIndex = -1; n.focus(); }", f"card-{number}")
        box = lab.page.locator(f"#card-{number}")
        rows = box.locator(".widget-toggle-buttons, .widget-radio, .widget-dropdown, .widget-text")
        for n, part in enumerate(card.parts):
            value = right if part == ONLY else right[part]
            allowed = card.parts[part]
            words = said(value, allowed) if options(allowed) or allowed is str else repr(value)
            (by_keys if keys else by_mouse)(rows.nth(n), words, card, part)
        lab.heard()
        store = box.get_by_role("button", name="Store", exact=True)
        if keys:
            tab_to(store, "Store")
            lab.page.keyboard.press("Enter")
        else:
            store.click()
        box.get_by_role("button", name="Change my answer").wait_for()
