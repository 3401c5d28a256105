"""Some rounds of the crash loop that ``make bench`` runs for hundreds."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")
sys.path.append(BENCHMARKS)

from crash_loop import after, loop, scenes  # noqa: E402 - found by the line above

sys.path.remove(BENCHMARKS)  # its modules would hide folders of the tests


def test_killed_at_random_every_command_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    stages = scenes(tmp_path)
    assert loop(tmp_path, stages, 6, random.Random(7)) == []  # noqa: S311
    register = replace(stages[0], tags=99)
    assert after(register.folder / "repository", register) == ["4 tags, not 99"], "the loop sees what is wrong"
