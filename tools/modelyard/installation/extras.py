"""The packages of each extra of modelyard, from the metadata of the installed package."""

from __future__ import annotations

import re
import sys
from importlib import metadata

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"\bextra == ['\"]([a-z0-9]+)['\"]")
_PLATFORM = re.compile(r"\bsys_platform (==|!=) ['\"](\w+)['\"]")
_FIRST = ("plan", "measure", "train", "serve")
"""The smallest extra with a package, if several have it."""

_DRIVERS = {"s3fs": "s3", "gcsfs": "gs", "adlfs": "azure", "sshfs": "ssh"}


def packages_of_extras(*, everywhere: bool = False) -> dict[str, list[str]]:
    """Extra → its packages on this platform, or on every one; '' → what every command needs.

    Empty when modelyard is not installed.
    """
    try:
        requirements = metadata.requires("modelyard") or []
    except metadata.PackageNotFoundError:
        return {}
    packages: dict[str, list[str]] = {}
    for requirement in requirements:
        name, extra = _NAME.match(requirement), _EXTRA.search(requirement)
        if name and name[0] != "modelyard" and (everywhere or _is_here(requirement)):
            packages.setdefault(extra[1] if extra else "", []).append(name[0])
    return packages


def extra_with(module: str) -> str | None:
    """The extra to install for a module that cannot be imported, such as ``numpy``; None when no extra brings it."""
    wanted = module.partition(".")[0].lower().replace("_", "-")
    found = [extra for extra, packages in packages_of_extras().items() if extra and wanted in packages]
    return next((extra for extra in _FIRST if extra in found), found[0] if found else None)


def extra_of_driver(said: str) -> tuple[str, str] | None:
    """The extra and the package of the object store whose driver an ImportError of fsspec or DVC asks for."""
    words = set(re.findall(r"[a-z0-9_]+", said.lower()))
    return next(((extra, package) for package, extra in _DRIVERS.items() if package in words), None)


def _is_here(requirement: str) -> bool:
    found = _PLATFORM.search(requirement)
    return found is None or (found[2] == sys.platform) == (found[1] == "==")
