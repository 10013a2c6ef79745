"""What every test gets: the rule about tools, and nothing else so far."""

from __future__ import annotations

from tool_rule import (  # noqa: F401  pytest finds hooks and fixtures by name here
    chromium,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
