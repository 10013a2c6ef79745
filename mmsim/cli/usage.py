"""What every command shares: how a wrong word is told.

Interface: UsageError, Parser
"""

from __future__ import annotations

import argparse
from typing import NoReturn


class UsageError(ValueError):
    """The command line can't be understood; the message is the one sentence that says why."""


class Parser(argparse.ArgumentParser):
    """argparse, with one sentence instead of a usage text when something is wrong."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")
