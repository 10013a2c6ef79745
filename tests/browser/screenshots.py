"""What the first four outputs of five lessons look like, as far as any font shows it.

Each output has a box of its own, so that a line more in one does not move the others.  The screen
is reduced to 16 x 12 greys; `screens.json` holds those that were looked at.  To renew a lesson,
take its line out of that file: the test then writes it, and fails once so that somebody looks.
With all letters in serif the greys stayed within the tolerance.
`make test` leaves this out, because it was never tried with the fonts of a second machine."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from lab import NOTEBOOKS
from PIL import Image

pytestmark = pytest.mark.browser
LESSONS = ("00", "02", "04", "08", "11")
SEEN = Path(__file__).with_name("screens.json")
MEAN, MOST = 6, 24  # of 255
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {margin: 0; font: 14px/1.3 sans-serif; display: grid;
  grid: repeat(2, 360px) / repeat(2, 480px)}
section {overflow: hidden; padding: 8px} p {margin: 4px 0}
img {max-width: 100%; min-width: 0 !important}"""
BREAKS = {
    "dark": "html {background: #fff; filter: invert(.92) hue-rotate(180deg)}",
    "no pictures": "img {visibility: hidden}",
    **{f"no output {n}": f"section:nth-of-type({n}) {{visibility: hidden}}" for n in range(1, 5)},
}


def outputs(lesson: str) -> str:
    path = next(NOTEBOOKS.glob(f"{lesson}_*.ipynb"))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = [each.get("data", {}) for cell in cells for each in cell.get("outputs", [])]
    shown = ["".join(data["text/html"]) for data in found if "text/html" in data]
    return "".join(f"<section>{html}</section>" for html in shown[:4])


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_looks_as_it_did_and_no_break_does(browser, lesson) -> None:
    page = browser.new_page(viewport={"width": 960, "height": 720})

    def screen(style: str = "") -> np.ndarray:
        page.set_content(f"{PAGE} {style}</style>{outputs(lesson)}", wait_until="load")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("L")
        return np.asarray(picture.resize((16, 12), Image.Resampling.BOX), float).round()

    seen = json.loads(SEEN.read_text(encoding="utf-8"))
    if lesson not in seen:
        seen[lesson] = screen().astype(int).ravel().tolist()
        lines = [f'"{key}": {json.dumps(seen[key])}' for key in sorted(seen)]
        SEEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        pytest.fail(f"Lesson {lesson} was not in {SEEN.name}. It is now; look at the lesson.")
    then = np.array(seen[lesson]).reshape(12, 16)
    for name, style in {"": "", **BREAKS}.items():
        apart = np.abs(then - screen(style))
        same = apart.mean() <= MEAN and apart.max() <= MOST
        assert same == (not name), f"{name} was not noticed" if name else apart
    page.close()
