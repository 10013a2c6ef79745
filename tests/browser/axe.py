"""Ask axe-core what is wrong with the outputs on a page, for people who can't see or point."""

from __future__ import annotations

from typing import Any

from tool_rule import NODE_MODULES

OUTPUTS = ".jp-OutputArea-output"
# What JupyterLab itself puts around an output is not asked about.
RUN = """async what => (await axe.run({include: [what]})).violations.map(
    each => [each.id, each.impact, each.nodes.map(node => node.html.slice(0, 160))])"""


def violations(page: Any, what: str = OUTPUTS) -> dict[str, tuple[str, list[str]]]:
    """Rule -> how bad it is, and the elements that break it."""
    if page.locator(what).count() == 0:
        raise AssertionError(f"there is no {what} on the page")
    # evaluate, and no script element: no rule of the page stands in its way
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    return {rule: (impact, nodes) for rule, impact, nodes in page.evaluate(RUN, what)}


def serious(page: Any, what: str = OUTPUTS) -> dict[str, list[str]]:
    """Those of ours that keep somebody from using the page.

    The box of an output is JupyterLab's: it scrolls where a table is wide, and can't be focused."""
    found = {
        rule: [node for node in nodes if not node.startswith('<div class="lm-Widget jp-')]
        for rule, (impact, nodes) in violations(page, what).items()
        if impact in ("serious", "critical")
    }
    return {rule: nodes for rule, nodes in found.items() if nodes}
