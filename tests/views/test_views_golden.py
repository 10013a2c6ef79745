"""The pictures and tables that people have looked at, byte for byte.

After a change that is meant, look at the new pictures and store them with

    PYTHONPATH=. python tests/views/test_views_golden.py

The pictures show the model's own source, so a change of a shown function changes them as well.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from view_states import STATES, run, state  # noqa: E402

from mmsim.scenarios.hosts import host  # noqa: E402
from mmsim.views.memory import memory  # noqa: E402
from mmsim.views.run import step_table, summary  # noqa: E402
from mmsim.views.state import state_svg, state_table  # noqa: E402
from mmsim.views.words import sentence  # noqa: E402

GOLDEN = HERE / "golden"


GOLDEN_STATES = ("base_refused_at_the_check", "split_and_half_moved")


def _made() -> dict[str, str]:
    """Two states, a run and a zone."""
    made = {f"{name}.svg": state_svg(state(name)) for name in GOLDEN_STATES}
    facts = state_table(state("base_refused_at_the_check"))
    made["base_refused_at_the_check.txt"] = "".join(f"{a}: {b}\n" for a, b in facts)
    trace = run("v2", released="1")
    made["run_v2_released.txt"] = step_table(trace) + "\n" + summary(trace)
    made["host.svg"] = memory(host(host=64, cma=25, used=60, scattered=80).zone).svg
    return made


def _all() -> dict[str, str]:
    """Whatever has to be the same in every process."""
    return _made() | {name: state_svg(state(name)) for name in STATES}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return _made()


def test_every_golden_file_is_made_and_every_made_one_is_stored(made: dict[str, str]) -> None:
    assert sorted(made) == sorted(path.name for path in GOLDEN.iterdir())


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_golden(name: str, made: dict[str, str]) -> None:
    stored = (GOLDEN / name).read_text(encoding="utf-8")
    assert made[name] == stored, "look at it; if it is meant, store it (see above)"


_CHILD = """
import hashlib, sys
sys.path[:0] = sys.argv[1:]
from test_views_golden import _all
for name, text in sorted(_all().items()):
    print(name, hashlib.sha256(text.encode()).hexdigest())
"""


def test_another_process_makes_the_same_bytes() -> None:
    root = HERE.parents[1]
    said = {
        subprocess.run(
            [sys.executable, "-c", _CHILD, str(root), str(HERE)],
            env={"PYTHONHASHSEED": seed, "PATH": "", "SYSTEMROOT": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }
    assert len(said) == 1


def test_no_picture_names_a_place_on_this_machine(made: dict[str, str]) -> None:
    root = str(HERE.parents[1])
    for name, text in made.items():
        assert root not in text, name
        assert "site-packages" not in text, name


def test_the_claim_is_the_title(made: dict[str, str]) -> None:
    for name in GOLDEN_STATES:
        assert f"<title>{sentence(state(name))}</title>" in made[f"{name}.svg"]


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.iterdir():
        path.unlink()
    for file, text in _made().items():
        (GOLDEN / file).write_text(text, encoding="utf-8", newline="\n")
        print("stored", file)
