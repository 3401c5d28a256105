"""Names, versions and the small types that manifests share."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

MODEL_PATTERN = r"^[a-zA-Z0-9]([a-zA-Z0-9_-]{0,62}[a-zA-Z0-9])?$"
VERSION_PATTERN = (
    r"^v(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
)

Name = Annotated[
    str,
    Meta(
        pattern=MODEL_PATTERN,
        description="Letters, digits, - and _; begins and ends with a letter or digit; at most 64 characters.",
    ),
]

RelativePath = Annotated[
    str,
    Meta(
        pattern=r"^(?!/)(?!.*(^|/)\.\.(/|$))(?!.*[\x00-\x1f]).{1,200}$",
        description="A path below the model's folder, written with / and without '..'.",
    ),
]

RootPath = Annotated[
    str,
    Meta(
        pattern=r"^(?!/)(?!.*(^|/)\.\.(/|$))(?!.*[\x00-\x1f]).{1,200}$",
        description="A path below the repository's root, written with / and without '..'.",
    ),
]

VersionText = Annotated[str, Meta(pattern=VERSION_PATTERN, description="A semantic version such as v1.2.3.")]
VersionOrLatest = Annotated[
    str,
    Meta(pattern=f"^latest$|{VERSION_PATTERN}", description="A semantic version such as v1.2.3, or latest."),
]

DURATION_PATTERN = r"^[0-9]{1,6}(\.[0-9]{1,3})?(s|m|h|d)$(?!\n)"
Duration = Annotated[
    str,
    Meta(
        pattern=DURATION_PATTERN,
        description="A length of time such as 90s, 15m, 24h or 7d.",
    ),
]

Reference = Annotated[
    str,
    Meta(
        pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]{0,199}|(vault|aws-sm):[A-Za-z0-9_./+=@-]{1,400}(#[A-Za-z0-9_.-]{1,200})?)$(?!\n)",
        description=(
            "Where a secret is kept, never the secret itself: env:NAME, vault:mount/path#key or aws-sm:name#key."
        ),
    ),
]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MODEL = re.compile(MODEL_PATTERN)
_DURATION = re.compile(DURATION_PATTERN)
_VERSION = re.compile(VERSION_PATTERN)
_PLAIN = re.compile(r"v(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\Z")
Fraction = Annotated[float, Meta(ge=0, le=1, description="A number from 0 to 1.")]
Margin = Annotated[float, Meta(ge=0, description="A number of at least 0, in the metric's own unit.")]
Count = Annotated[int, Meta(ge=0, description="A whole number of at least 0.")]
Port = Annotated[int, Meta(ge=1, le=65535, description="A TCP port from 1 to 65535.")]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
ColumnName = Annotated[str, Meta(min_length=1, max_length=128)]
Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day such as 2026-05-31.")]

Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="A runner's label, such as gpu.")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits.")]


def is_name(text: str) -> bool:
    """Whether ``text`` may name a model, an environment, a policy or a check."""
    return bool(_MODEL.match(text)) and "\n" not in text


def seconds_of(duration: str) -> float:
    """The seconds of a duration such as ``15m``; ValueError when it is not a duration."""
    if not _DURATION.match(duration):
        raise ValueError(f"{duration!r} is not a duration")
    return float(duration[:-1]) * _SECONDS[duration[-1]]


class Version(str):
    """A checked semantic version (semver.org 2.0), written with a leading v as GTO does.

    It compares by precedence, not by letters: ``Version.parse("v1.10.0") > Version.parse("v1.9.0")``.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """The version, or None when ``text`` is not one."""
        # Most versions have no suffix; the full pattern takes three times as long.
        if _PLAIN.match(text) or (_VERSION.match(text) and not text.endswith("\n")):
            return cls(text)
        return None

    @classmethod
    def of(cls, major: int, minor: int, patch: int) -> Version:
        """The version of three numbers."""
        return cls(f"v{major}.{minor}.{patch}")

    @property
    def release(self) -> tuple[int, int, int]:
        """Major, minor and patch; (-1, -1, -1) for text that is not a version, as GTO shows a stage without one."""
        found = _VERSION.match(self)
        return (int(found[1]), int(found[2]), int(found[3])) if found else (-1, -1, -1)

    @property
    def order(self) -> tuple[object, ...]:
        """The sort key (semver 2.0 §11): a release after its prereleases, numeric identifiers before words."""
        found = _VERSION.match(self)
        if not found or not found[4]:
            return (*self.release, True)
        words = tuple((0, int(w), "") if w.isdigit() else (1, 0, w) for w in found[4][1:].split("."))
        return (*self.release, False, words)

    def bump(self, part: str) -> Version:
        """The next version after a change of ``part``: major, minor or patch."""
        major, minor, patch = self.release
        if part == "major":
            return Version.of(major + 1, 0, 0)
        return Version.of(major, minor + 1, 0) if part == "minor" else Version.of(major, minor, patch + 1)

    def __lt__(self, other: str) -> bool:
        return self.order < Version(other).order

    def __gt__(self, other: str) -> bool:
        return self.order > Version(other).order

    def __le__(self, other: str) -> bool:
        return not self > other

    def __ge__(self, other: str) -> bool:
        return not self < other


NO_VERSION = Version("")
"""The absent version; it is false."""


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The base of all manifests: frozen, without unknown keys."""


class SchemaManifest(Manifest, frozen=True, kw_only=True):
    """The base of manifests that are files of their own; modelyard.yaml has ``toolkit`` instead."""

    schema: Annotated[
        str,
        Meta(
            pattern=r"^(\d{1,6}\.\d{1,6}\.\d{1,6})?$",
            description="The first modelyard that reads this file; left out: that of modelyard.yaml.",
        ),
    ] = ""
