"""Ask axe-core what is wrong with the outputs on a page, for people who can't see or point."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect
from tool_rule import NODE_MODULES

# What JupyterLab itself puts around an output is not asked about.
OUTPUTS = ".jp-OutputArea-output"
# The box of an output is JupyterLab's, too: it scrolls where a table is wide, and can't be focused.
RUN = """async what => (await axe.run({include: [what]})).violations
    .filter(each => ["serious", "critical"].includes(each.impact))
    .flatMap(each => each.nodes.map(node => [each.id, node.html.slice(0, 160)]))
    .filter(([id, html]) => !html.startsWith('<div class="lm-Widget jp-'))"""


def serious(page: Any, what: str = OUTPUTS) -> list[list[str]]:
    """What of ours keeps somebody from using the page: the rule, and the element that breaks it."""
    expect(page.locator(what)).not_to_have_count(0)
    # evaluate, and no script element: no rule of the page stands in its way
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    found: list[list[str]] = page.evaluate(RUN, what)
    return found
