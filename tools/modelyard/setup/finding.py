"""The result of one check of a machine, a checkout or its CI."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The result of one check. A ``warning`` matters for some commands only."""

    what: str
    state: Literal["ok", "warning", "missing"]
    found: str
    remedy: str = ""


def version_of(package: str) -> str:
    """The installed version of a package; '' when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
