"""A vector of one's own, in the form of the public ones, and what does not agree with it."""

from __future__ import annotations

import json

import pytest

from mmsim.evidence.vectors import check_file


@pytest.fixture
def differences(tmp_path):
    """The mismatches of one vector; no mismatch: the list is empty."""

    def run(group, setup, operation, expect, script=None, versions="all"):
        vector = {
            "id": "X1",
            "title": "of our own",
            "certainty": "certain",
            "source": "kernel source 6.1-rc6",
            "setup": setup,
            "operation": operation,
            "expect": [{"versions": versions, **expect}],
            **({"script": script} if script else {}),
        }
        path = tmp_path / "own.json"
        path.write_text(json.dumps({"format": 1, "group": group, "vectors": [vector]}))
        return check_file(path).mismatches

    return run
