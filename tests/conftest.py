"""What every test gets: the rule about browsers, and nothing else so far."""

from __future__ import annotations

from browser_rule import (  # noqa: F401  pytest finds hooks and fixtures by name here
    chromium,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_terminal_summary,
)
