"""The packages of each extra of modelyard, from the metadata of the installed package."""

from __future__ import annotations

import re
import sys
from importlib import metadata

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*\bextra == ['\"]([a-z]+)['\"]")
_PLATFORM = re.compile(r"\bsys_platform (==|!=) ['\"](\w+)['\"]")
_FIRST = ("measure", "train", "serve")
"""The smallest extra with a package, if several have it."""


def packages_of_extras() -> dict[str, list[str]]:
    """Extra → its packages on this platform; empty when modelyard is not installed."""
    try:
        requirements = metadata.requires("modelyard") or []
    except metadata.PackageNotFoundError:
        return {}
    packages: dict[str, list[str]] = {}
    for requirement in requirements:
        found = _REQUIREMENT.match(requirement)
        if found and _is_here(requirement):
            packages.setdefault(found[2], []).append(found[1])
    return packages


def extra_with(module: str) -> str | None:
    """The extra to install for a module that cannot be imported, such as ``numpy``; None when no extra brings it."""
    wanted = module.partition(".")[0].lower().replace("_", "-")
    found = [extra for extra, packages in packages_of_extras().items() if wanted in packages]
    return next((extra for extra in _FIRST if extra in found), found[0] if found else None)


def _is_here(requirement: str) -> bool:
    found = _PLATFORM.search(requirement)
    return found is None or (found[2] == sys.platform) == (found[1] == "==")
