"""Conformance vectors: exact scenarios with the outcome the kernel gives.

Files: files (read and validate), setup (a vector as a world, actors and a script), operations (one
function per group), report (compare, print).  The format is data/conformance/README.md.

Every group runs the same kernel paths as everything else; nothing here knows what a path does.
"""

from mmsim.conformance.files import VectorFileError, load
from mmsim.conformance.report import FileReport, Mismatch, check_file

__all__ = ["FileReport", "Mismatch", "VectorFileError", "check_file", "load"]
