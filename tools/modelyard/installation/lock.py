"""The lock that ships with the toolkit: every package of every extra, at one version, with its hashes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ModelyardError

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;]+)")


@dataclass(frozen=True)
class Pin:
    """One package of a lock: its version, its lines with marker and hashes, and the packages that need it."""

    name: str
    version: str
    text: str
    needed_by: frozenset[str]


@dataclass(frozen=True)
class Lock:
    """The pins of a lock. A package has several where versions differ between Pythons."""

    pins: tuple[Pin, ...]

    def closure(self, roots: Iterable[str]) -> tuple[Pin, ...]:
        """The pins of some packages and of all that they need, in the lock's order.

        A lock does not tell which extra of a package needs another one, so a few pins may be too many, never too few.
        ModelyardError for a package that is not in the lock.
        """
        needs: dict[str, set[str]] = {}
        for pin in self.pins:
            for parent in pin.needed_by:
                needs.setdefault(parent, set()).add(pin.name)
        known = {pin.name for pin in self.pins}
        waiting, found = [_plain(root) for root in roots], set[str]()
        while waiting:
            name = waiting.pop()
            if name not in known:
                raise ModelyardError(
                    f"The lock of this modelyard has no package {name}.", "Install modelyard again; its lock is older."
                )
            if name not in found:
                found.add(name)
                waiting += needs.get(name, ())
        return tuple(pin for pin in self.pins if pin.name in found)

    def versions(self, name: str) -> frozenset[str]:
        """The locked versions of a package."""
        return frozenset(pin.version for pin in self.pins if pin.name == _plain(name))


def read_lock(text: str) -> Lock:
    """The lock from the output of ``uv pip compile --generate-hashes`` with its ``# via`` comments."""
    pins: list[Pin] = []
    block: list[str] = []
    for line in [*text.splitlines(), "end==0"]:
        if line and not line[0].isspace() and not line.startswith("#"):
            if block:
                pins.append(_pin(block))
            block = []
        if block or _PIN.match(line):
            block.append(line)
    return Lock(tuple(pins))


def shipped_lock() -> Lock:
    """The lock of the installed toolkit."""
    return read_lock((shipped("requirements") / "lock.txt").read_text(encoding="utf-8"))


def shipped(name: str) -> Path:
    """A file or folder that ships with the toolkit: in the installed package, or at the root of a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "shipped", package.parents[1]):
        if (folder / name).exists():
            return folder / name
    raise ModelyardError(f"The file {name} is missing from this installation.", "Install modelyard again.")


def _pin(block: list[str]) -> Pin:
    found = _PIN.match(block[0])
    assert found is not None  # noqa: S101 - read_lock begins a block with such a line only
    comments = [line.strip(" #") for line in block[1:] if line.lstrip().startswith("#")]
    parents = (comment.removeprefix("via ").strip() for comment in comments)
    text = "\n".join(line for line in block if not line.lstrip().startswith("#"))
    return Pin(
        name=_plain(found[1]),
        version=found[2],
        text=text.rstrip(" \\\n"),
        needed_by=frozenset(_plain(parent) for parent in parents if parent not in ("", "via") and " " not in parent),
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
