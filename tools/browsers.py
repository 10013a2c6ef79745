"""The browser that tests and slides drive."""

from __future__ import annotations

import os
import shutil

ON_A_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", ON_A_MAC)


def find_browser() -> str | None:
    """The path of a Chromium-like browser: MMSIM_CHROMIUM alone if it is set, else a usual name."""
    named = os.environ.get("MMSIM_CHROMIUM")
    paths = (shutil.which(name) for name in ([named] if named else BROWSERS))
    return next((path for path in paths if path), None)
