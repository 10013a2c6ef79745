"""Every card of every lesson with its answer, as HTML, made with the stand-in for pandas."""

from __future__ import annotations

import importlib
import sys


def made() -> dict[str, object]:
    """Lesson and card -> its HTML; runs under Pyodide too (tests/pyodide/in_node.mjs)."""
    sys.path.insert(0, "/project/tools/lite")
    from mmsim.lessons import COURSE
    from mmsim.lessons.card import Card

    found: dict[str, object] = {"pandas": importlib.import_module("pandas").__file__}
    for lesson in COURSE:
        for card in vars(importlib.import_module(f"mmsim.lessons.{lesson.name}")).values():
            if isinstance(card, Card):
                found[f"{lesson.stem}.{card.name}"] = card.solved()._repr_html_()
    return found
