"""How things are timed: medians of whole processes, the sides of a ratio in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.yard import IDENTITY

ROUNDS = 15
ENVIRONMENT = os.environ | IDENTITY | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``bound`` is the most that ``ratio`` may be; None claims nothing."""

    name: str
    ratio: float
    bound: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the claim does not hold here."""
        return self.bound is not None and not self.ratio <= self.bound


def median(action: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median seconds of an action, after one round that warms the caches."""
    return medians([action], rounds)[0]


def medians(actions: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of several actions, taken in turns so that a slow minute of the machine meets all of them."""
    times: list[list[float]] = [[] for _ in actions]
    for round_ in range(rounds + 1):
        for action, of_action in zip(actions, times, strict=True):
            begun = time.perf_counter()
            action()
            if round_:
                of_action.append(time.perf_counter() - begun)
    return [statistics.median(of_action) for of_action in times]


def process(command: Sequence[str], folder: Path) -> Callable[[], object]:
    """Runs a command whose result must be right."""

    def run() -> None:
        done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    return run


def modelyard(folder: Path, *arguments: str) -> Callable[[], object]:
    """Runs modelyard as a user does."""
    return process([str(Path(sys.executable).with_name("modelyard")), *arguments], folder)
