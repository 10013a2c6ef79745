"""What every widget here is made of: a frame with keys, and in most a board, which is controls in a
row over the picture that they change.

A key that is pressed anywhere in a frame presses the button that it belongs to.  Once the kernel is
gone JupyterLab marks what is left on the page, and a frame says then what to do: no kernel is
asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets as w

from mmsim.mm.seams import Version
from mmsim.scenarios import Situation

ROW = w.Layout(flex_flow="row wrap", align_items="center")
# What takes its time says so after 0.3 s, over the picture, so that nothing jumps.
STYLE = """<style>.mmsim-busy {position: relative}
.mmsim-busy::before {content: "The model runs …"; position: absolute; z-index: 1; padding: 4px 8px;
  color: #1F2328; background: #FFF3BF; animation: mmsim-late 0.01s 0.3s both}
@keyframes mmsim-late {from {visibility: hidden} to {visibility: visible}}
.mmsim-board.jupyter-widgets-disconnected::before {
  content: "✘ The kernel was restarted, so this is dead. Run the cells above again.";
  display: block; order: -1; padding: 6px 8px; font: bold 14px sans-serif;
  color: #1F2328; background: #FFF3BF; border: 2px solid #A33D00}
.mmsim-board.jupyter-widgets-disconnected > * {opacity: 0.6; pointer-events: none}
.mmsim-board .jupyter-widgets-disconnected::before {content: none}
/* A dark page gets dark pictures, in a widget or not: light and dark change places, hues stay. */
[data-jp-theme-light="false"] :is(.mmsim-board svg[role=img],
  .jp-OutputArea img[style*="display:inline;vertical-align:top"][src^="data:image/svg+xml"],
  .jp-MarkdownOutput img[alt^="The way of the bug"])
  {filter: invert(0.92) hue-rotate(180deg)}</style>"""
# Sliders, fields and round buttons keep their own keys; none of them, and no letter, becomes a
# command of the notebook by mistake.  Notebook 7 looks for commands before a slider sees its key,
# so a mark tells it.  ipywidgets names the box of a slider and not its handle, has no words for the
# signs of Play, and titles "null" what has no tooltip.
LISTEN = """<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=" onload="
const box = this.closest('.mmsim-board');
this.remove();
const named = () => {
  box.querySelectorAll('[title=null]').forEach(each => each.removeAttribute('title'));
  box.querySelectorAll('.widget-slider').forEach(each => each.querySelector('[role=slider]')
    ?.setAttribute('aria-label', each.querySelector('label').textContent));
  box.querySelectorAll('.noUi-handle, input, select, textarea')
    .forEach(each => each.dataset.lmSuppressShortcuts = 'true');
  box.querySelectorAll('.mmsim-live').forEach(each => each.setAttribute('aria-live', 'polite'));
  for (const [icon, words] of Object.entries({play: 'Play', pause: 'Pause', stop: 'Stop'}))
    box.querySelector(`.widget-play .fa-${icon}`)?.parentNode.setAttribute('aria-label', words);
};
new MutationObserver(named).observe(box,
  {childList: true, subtree: true, attributeFilter: ['class', 'title']});
named();
box.tabIndex = -1;
box.style.outline = 'none';
box.addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest('.noUi-target, input, select, textarea'))
    return event.stopPropagation();
  const key = '.mmsim-key-' + CSS.escape(event.key.toLowerCase());
  const button = [...box.querySelectorAll(key)].find(b => b.closest('.mmsim-board') == box);
  if (button || event.key.trim().length == 1) event.stopPropagation();
  if (!button) return;
  event.preventDefault();
  box.focus();
  button.click();
});">"""


def in_lines(words: str) -> str:
    """Lines of text as HTML."""
    return "<br>".join(map(escape, words.splitlines()))


def to_choose(situation: Situation, versions: Sequence[str]) -> dict[str, str | Version]:
    """These versions by name, and the situation's own: it may be a row that no name stands for."""
    own = situation.version
    names = versions if own.name in versions else (own.name, *versions)
    return {name: name for name in names} | {own.name: own}


def quiet(html: str) -> w.HTML:
    """HTML that works without being seen: a style, a listener."""
    return w.HTML(html, layout=w.Layout(display="none"))


def keyed(button: w.Button, key: str) -> w.Button:
    """The same button, pressed by this key of the keyboard too, such as `arrowleft`."""
    button.add_class(f"mmsim-key-{key}")
    return button


class Frame(w.VBox):
    """What keeps its keys to itself, and says it when the kernel is gone."""

    def __init__(self, *parts: Any) -> None:
        super().__init__([quiet(STYLE), *parts, quiet(LISTEN)])
        self.add_class("mmsim-board")


class Board(Frame):
    """Controls in a row, over a picture and what is said of it.

    Its parts are attributes, so that a test can press them.  A subclass says what `draw` shows."""

    def __init__(self, controls: Sequence[Any], *above: Any) -> None:
        self.view, self.said = w.HTML(), w.HTML()
        self.said.add_class("mmsim-live")  # read aloud when it changes
        self._silent = False
        row = w.HBox(list(controls), layout=ROW)
        super().__init__(*above, row, self.view, self.said)

    def watch(self, *controls: Any) -> None:
        """Draw again when one of them changes."""
        for control in controls:
            control.observe(lambda _: self.redraw(), "value")

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Controls may change without a picture for each."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    def redraw(self) -> None:
        """Show what the controls say, or why it can't be."""
        if self._silent:
            return
        self.view.add_class("mmsim-busy")
        try:
            self.draw()
        except ValueError as error:
            self.said.value = f"<b>That can't be shown:</b> {escape(str(error))}"
        finally:
            self.view.remove_class("mmsim-busy")

    def draw(self) -> None:
        """Show it; a ValueError is told."""
        raise NotImplementedError
