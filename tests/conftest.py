"""What every test gets: the rule about tools, and no notebook whose answers are kept."""

from __future__ import annotations

import gc
import os
import sys

from tool_rule import chromium, pytest_runtest_setup  # noqa: F401  found by their names

os.environ.pop("JPY_SESSION_NAME", None)  # also if pytest itself was started from a notebook

# A run keeps all that it makes, so that collecting takes half of its time and finds nothing.
gc.set_threshold(100_000, 50, 50)
# jsonschema compiles a grammar of web addresses at its import, if there is this package.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
