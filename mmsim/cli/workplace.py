"""`mmsim lab` and `mmsim doctor`: the lessons, and the machine they run on.

Interface: lab_arguments, lab, doctor
"""

from __future__ import annotations

import argparse
from pathlib import Path


def lab_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to put the lessons, and how to open them."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="for the lessons")
    parser.add_argument("--here", type=Path, metavar="NOTEBOOK", help="open this one, copy nothing")
    parser.add_argument("--port", type=int, help="port of the server")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")


def lab(args: argparse.Namespace) -> int:
    """`mmsim lab`; returns the exit status."""
    from mmsim import lab

    return lab.lab(args.folder, port=args.port, browser=not args.no_browser, here=args.here)


def doctor(args: argparse.Namespace) -> int:
    """`mmsim doctor`; returns the exit status."""
    from mmsim import doctor

    return doctor.doctor()
