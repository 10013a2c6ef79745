"""What every test gets: the rule about tools, and no notebook whose answers are kept."""

from __future__ import annotations

import os

from tool_rule import (  # noqa: F401  pytest finds hooks and fixtures by name here
    chromium,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

os.environ.pop("JPY_SESSION_NAME", None)  # also if pytest itself was started from a notebook
