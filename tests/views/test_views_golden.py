"""The pictures and tables that people have looked at, byte for byte.

After a change that is meant, look at the new pictures and store them with

    PYTHONPATH=. python tests/views/test_views_golden.py

The pictures show the model's own source, so a change of a shown function changes them as well.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from view_states import STATES, run, state  # noqa: E402, F401

from mmsim.scenarios.host import host  # noqa: E402
from mmsim.views.memory import memory  # noqa: E402
from mmsim.views.run import step_table, summary  # noqa: E402
from mmsim.views.state import state_picture, state_table  # noqa: E402

GOLDEN = HERE / "golden"


def made() -> dict[str, str]:
    """Two states, a run and a zone."""
    names = ("base_refused_at_the_check", "split_and_half_moved")
    told, trace = state_table(state(names[0])), run("v2", released="1")
    return {
        **{f"{name}.html": state_picture(state(name)).html for name in names},
        f"{names[0]}.txt": "".join(f"{what}: {value}\n" for what, value in told),
        "run_v2_released.txt": step_table(trace) + "\n" + summary(trace),
        "host.html": memory(host(host=64, cma=25, used=60, scattered=80).zone).html,
    }


def test_golden() -> None:
    stored = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}
    found = made()
    assert sorted(found) == sorted(stored)
    for name, text in found.items():
        assert text == stored[name], f"look at {name}; if it is meant, store it (see above)"
        assert str(HERE.parents[1]) not in text
        assert "site-packages" not in text


_CHILD = """
import hashlib, sys
sys.path[:0] = sys.argv[1:]
from test_views_golden import STATES, made, state, state_picture
for name, text in sorted({**made(), **{n: state_picture(state(n)).svg for n in STATES}}.items()):
    print(name, hashlib.sha256(text.encode()).hexdigest())
"""


def test_another_process_makes_the_same_bytes() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _CHILD, str(HERE.parents[1]), str(HERE)],
            env={"PYTHONHASHSEED": seed, "PATH": "", "SYSTEMROOT": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }
    assert len(said) == 1


if __name__ == "__main__":
    for path in GOLDEN.iterdir():
        path.unlink()
    for file, text in made().items():
        (GOLDEN / file).write_text(text, encoding="utf-8", newline="\n")
