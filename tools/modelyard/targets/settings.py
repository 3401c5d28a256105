"""What a target asks for in ``modelyard.yaml``, and what it keeps on its own objects."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from modelyard.errors import UsageError
from modelyard.manifests.configuration import Environment
from modelyard.rollout.plan import Traffic

S = TypeVar("S", bound=Struct)

PREFIX = "modelyard"


def settings_of(environment: Environment, kind: type[S]) -> S:
    """The environment's ``settings`` as the target's own type; a UsageError that names the key otherwise."""
    try:
        return msgspec.convert(environment.settings, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(msgspec.json.schema(kind)["$defs"][kind.__name__].get("properties", {}))
        raise UsageError(
            f"modelyard.yaml: environments: {environment.name}: settings: {error}.",
            f"The target {environment.target} reads: {known}; see docs/targets.md.",
        ) from error


def write_traffic(traffic: Traffic) -> str:
    """Traffic as text that a label, an annotation or a tag can hold."""
    return msgspec.json.encode(traffic, order="sorted").decode()


def read_traffic(text: str | None) -> Traffic | None:
    """The same read back; None for what we did not write."""
    try:
        return msgspec.json.decode(text, type=Traffic) if text else None
    except msgspec.MsgspecError:
        return None
