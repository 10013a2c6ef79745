"""From a key on a slider to the new picture, in JupyterLab in a real browser.

Beside the stepper stands a bare HTML widget that only shows a number.  The sliders of the retry law
draw an SVG like the stepper.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import nbformat

from benchmarks import Result

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "browser")]

KEYS = 15
CELLS = {
    "bare": """
import ipywidgets as w
slider, view = w.IntSlider(max=21), w.HTML("<b id=bare>0</b>")
slider.observe(lambda change: setattr(view, "value", f"<b id=bare>{change['new']}</b>"), "value")
w.VBox([slider, view])""",
    "stepper": """
from mmsim import stepper, vfio_map
stepper(vfio_map())""",
    "retry": """
from mmsim.lessons.how_likely import law
law.play()""",
}
# What has changed once the new picture is there: its text.
SVG = (
    "root => root.querySelector('svg[role=img] desc')?.textContent"
    " + root.querySelector('svg[role=img]')?.textContent"
)
SEEN = {
    "bare": "root => root.querySelector('#bare')?.textContent",
    "stepper": SVG,
    "retry": SVG,
}
PRESS = """
async ([root, seen]) => {
  const look = eval(seen), before = look(root), start = performance.now();
  const handles = root.querySelectorAll('[role=slider]');
  const handle = handles[Math.min(1, handles.length - 1)];  // the gap between two passes
  const key = {key: 'ArrowRight', code: 'ArrowRight', keyCode: 39, which: 39};
  Object.assign(key, {bubbles: true, cancelable: true});
  handle.focus();
  handle.dispatchEvent(new KeyboardEvent('keydown', key));
  for (;;) {
    const now = look(root);
    if (now && now !== before) break;
    if (performance.now() - start > 5000) return -1;
    await new Promise(done => setTimeout(done, 1));
  }
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""


def browser() -> list[Result]:
    """Median of fifteen keys for each; empty, with a note, without a browser."""
    from browsers import find_browser

    program = find_browser()
    if program is None:
        print("browser: no browser on this machine, nothing measured")
        return []
    medians = _measure(program)
    against = "of a bare HTML widget"
    return [
        Result(f"slider to picture: {name}", medians[name], "ms", medians["bare"], against, "60 ms")
        for name in ("stepper", "retry")
    ]


def _measure(browser: str) -> dict[str, float]:
    from lab import BROWSER_FLAGS, Lab, Server
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        cells = [nbformat.v4.new_code_cell(code.strip()) for code in CELLS.values()]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, server.work / "bench.ipynb")
        try:
            with sync_playwright() as playwright:
                flags = {"executable_path": browser, "args": BROWSER_FLAGS}
                lab = Lab(playwright.chromium.launch(**flags), server)
                lab.page.set_viewport_size({"width": 1400, "height": 2200})
                lab.open(server.work / "bench.ipynb")
                lab.run_all()
                lab.page.get_by_role("slider").nth(len(CELLS)).wait_for(timeout=60000)
                return {name: _median(lab.page, number, name) for number, name in enumerate(CELLS)}
        finally:
            server.stop()


def _median(page: object, number: int, name: str) -> float:
    handle = page.get_by_role("slider").nth(number)  # type: ignore[attr-defined]
    root = handle.locator("xpath=ancestor::div[contains(@class,'jp-OutputArea ')][1]")
    times: list[float] = []
    for key in range(KEYS):
        times.append(root.evaluate(f"(root, seen) => ({PRESS})([root, seen])", SEEN[name]))
        if times[-1] < 0:
            raise RuntimeError(f"{name}: key {key} was never answered")
    return statistics.median(times)
