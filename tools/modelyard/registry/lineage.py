"""Lineage in both directions: the sources of a version, and the versions trained on some data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from modelyard.manifests.names import Version
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.registry.timeline import Period, periods

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?\Z")


class Source(Struct, frozen=True):
    """A data input of a version."""

    path: str
    md5: str
    changed_by: str = ""
    """Author and commit of the last change of its pointer before the version; '' if unknown."""


class Lineage(Struct, frozen=True):
    """The sources of a version, its evidence and approvals, and where it served."""

    model: str
    version: Version
    registered_at: int
    artifact: str
    code: str
    """The commit of the training code."""
    subject: str
    author: str
    data: tuple[Source, ...]
    params: dict[str, Any]
    packages: dict[str, str]
    champion: str
    """The version that it was compared with."""
    verdict: str
    proposed_by: str
    approved_by: tuple[str, ...]
    registered_by: str
    pull: int
    report: str
    evidence: dict[str, str]
    served: tuple[Period, ...]
    elsewhere: bool = False
    """Whether it was trained elsewhere, so that nobody here can reproduce it."""
    imported: str = ""
    """The registry that it was imported from, so that nobody here measured it."""


class Descendant(Struct, frozen=True):
    """A version that was trained on some data."""

    model: str
    version: Version
    path: str
    md5: str
    registered_at: int
    live: tuple[Period, ...]
    """The periods that have not ended."""
    ever_live: bool


def lineage_up(
    history: ModelHistory,
    version: RegisteredVersion,
    commit: tuple[str, str],
    sources: Iterable[Source],
    packages: dict[str, str],
    *,
    elsewhere: bool = False,
) -> Lineage:
    """The lineage of a version, from its tag, its commit (subject, author) and its training evidence."""
    record = version.record
    return Lineage(
        model=history.model, version=version.version, registered_at=version.at,
        artifact=record.artifact if record else "", code=record.code if record and record.code else version.commit,
        subject=commit[0], author=commit[1], data=tuple(sources), params=record.params if record else {},
        packages=packages, champion=record.champion if record else "", verdict=record.verdict if record else "",
        proposed_by=record.by if record else "", approved_by=record.approved_by if record else (),
        registered_by=version.by, pull=record.pull if record else 0, report=record.report if record else "",
        evidence=record.evidence if record else {},
        served=tuple(p for p in periods(history) if p.version == version.version), elsewhere=elsewhere,
        imported=record.imported if record else "",
    )  # fmt: skip


def lineage_down(histories: Iterable[ModelHistory], wanted: str) -> list[Descendant]:
    """The versions trained on some data: those that serve now first, then the newest first.

    ``wanted`` is a path (``data/flights``, its pointer ``data/flights.dvc``, a file below it) or an md5.
    """
    path = wanted.removesuffix(".dvc").removeprefix("./").rstrip("/")
    found = []
    for history in histories:
        served = periods(history)
        for version in history.all_versions:
            for known, md5 in (version.record.data if version.record else {}).items():
                if _same_data(known, md5, path, wanted):
                    of_version = tuple(p for p in served if p.version == version.version)
                    live = tuple(p for p in of_version if p.until is None)
                    found.append(
                        Descendant(
                            model=history.model, version=version.version, path=known, md5=md5,
                            registered_at=version.at, live=live, ever_live=bool(of_version),
                        )
                    )  # fmt: skip
    return sorted(found, key=lambda one: (not one.live, -one.registered_at, one.model))


def _same_data(known: str, md5: str, path: str, wanted: str) -> bool:
    if _MD5.match(wanted):
        return md5.removesuffix(".dir") == wanted.removesuffix(".dir")
    return known == path or path.startswith(f"{known}/") or known.startswith(f"{path}/")
