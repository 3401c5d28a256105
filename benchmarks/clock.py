"""How things are timed: medians of whole processes, the sides of a ratio in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
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


def median(action: Callable[[], Cost], rounds: int = ROUNDS) -> float:
    """Median seconds of an action, after one round that warms the caches."""
    return medians([action], rounds)[0]


def medians(actions: Sequence[Callable[[], Cost]], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of several actions, taken in turns so that a slow minute of the machine meets all of them."""
    times: list[list[float]] = [[] for _ in actions]
    for round_ in range(rounds + 1):
        for action, of_action in zip(actions, times, strict=True):
            cost = action()
            if round_:
                of_action.append(cost.seconds)
    return [statistics.median(of_action) for of_action in times]


@dataclass(frozen=True)
class Cost:
    """Of a whole process: wall-clock seconds, largest resident bytes."""

    seconds: float
    peak: float


def measured(commands: Sequence[Callable[[], Cost]], rounds: int) -> list[Cost]:
    """Median seconds and largest memory of several commands, taken in turns after one warming round."""
    found: list[list[Cost]] = [[] for _ in commands]
    for round_ in range(rounds + 1):
        for command, of_command in zip(commands, found, strict=True):
            cost = command()
            if round_:
                of_command.append(cost)
    return [Cost(statistics.median(c.seconds for c in of), max(c.peak for c in of)) for of in found]


def process(command: Sequence[str], folder: Path, ends: Sequence[int] = (0,)) -> Callable[[], Cost]:
    """Runs a command that must end with one of these exit codes."""

    def run() -> Cost:
        launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
        done = subprocess.run(launched, cwd=folder, env=ENVIRONMENT, check=False, capture_output=True, text=True)
        assert done.returncode in ends, f"{command}\n{done.stdout}\n{done.stderr}"
        seconds, peak = done.stdout.splitlines()[-1].split()
        return Cost(float(seconds), float(peak))

    return run


# A process counts the memory of the one that started it as its own peak, so that one must be small.
_LAUNCHER = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.call(sys.argv[1:])
took = time.perf_counter() - begun
print("\\n", took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.exit(code)
"""


def modelyard(folder: Path, *arguments: str) -> Callable[[], Cost]:
    """Runs modelyard as a user does."""
    return process([str(Path(sys.executable).with_name("modelyard")), *arguments], folder)
