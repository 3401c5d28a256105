"""GTO's tag grammar: ``model@v1.2.3`` registers a version, ``model#production#4`` assigns one to an environment."""

from __future__ import annotations

import re
from enum import Enum

from msgspec import Struct

from modelyard.manifests.names import Version

_TAG = re.compile(
    r"(?P<model>(?:[a-zA-Z0-9_./-]+=)?[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)"
    r"(?:@v(?P<version>[^#!@]+)|#(?P<stage>[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)|@(?P<word>deprecated|created))"
    r"(?P<off>!)?(?:#(?P<counter>[0-9]{1,9}))?\Z"
)


class Action(Enum):
    """What a tag says happened."""

    REGISTER = "register"
    DEREGISTER = "deregister"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    DEPRECATE = "deprecate"
    CREATE = "create"


class ParsedTag(Struct, frozen=True, gc=False):
    """A tag name taken apart."""

    model: str
    action: Action
    version: Version | None = None
    environment: str | None = None
    counter: int | None = None


def parse_tag(name: str) -> ParsedTag | None:
    """The parts of a tag name, or None when it is not in the grammar (then it is somebody else's tag)."""
    found = _TAG.match(name)
    if not found:
        return None
    model, number, stage, word, off, count = found.groups()
    counter = int(count) if count else None
    if number:
        version = Version.parse(f"v{number}")
        if version is None:
            return None
        return ParsedTag(model, Action.DEREGISTER if off else Action.REGISTER, version, None, counter)
    if stage:
        return ParsedTag(model, Action.UNASSIGN if off else Action.ASSIGN, None, stage, counter)
    return ParsedTag(model, Action.DEPRECATE if word == "deprecated" else Action.CREATE, counter=counter)


def version_tag(model: str, version: Version) -> str:
    """The name of the tag that registers a version."""
    return f"{model}@{version}"


def stage_tag(model: str, environment: str, counter: int) -> str:
    """The name of the tag that assigns a version to an environment."""
    return f"{model}#{environment}#{counter}"


# Of every model. Tags outside the grammar, of which a repository may have thousands, are not even read.
EVERY_MODEL = ("**/*@*", "**/*#*")


def model_patterns(model: str) -> tuple[str, str]:
    """``for-each-ref`` and refspec patterns that match all of one model's tags."""
    return f"{model}@*", f"{model}#*"


def withdrawing_tag(model: str, version: Version) -> str:
    """The name of the tag that takes a version out of use."""
    return f"{model}@{version}!"


def archiving_tag(model: str) -> str:
    """The name of the tag that takes a whole model out of use."""
    return f"{model}@deprecated"


def unassigning_tag(model: str, environment: str, counter: int) -> str:
    """The name of the tag that ends what an environment serves."""
    return f"{model}#{environment}!#{counter}"
