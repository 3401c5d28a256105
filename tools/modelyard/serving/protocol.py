"""The bodies of the Open Inference Protocol v2, as they come and go."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class BadRequest(Exception):
    """The caller's error, in one sentence that names the column."""


class Given(Struct, frozen=True):
    """One named column of a request; its values are decoded when the contract has said what they are."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    """Empty where the values are in the body's binary tail."""
    parameters: dict[str, Any] | None = None


class Tensor(Struct, frozen=True, omit_defaults=True):
    """One named column of an answer."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    """None where the values are in the body's binary tail."""
    parameters: dict[str, Any] | None = None


class RequestedOutput(Struct, frozen=True):
    """An output the caller asks for by name."""

    name: str
    parameters: dict[str, Any] | None = None


class InferBody(Struct, frozen=True):
    """The JSON part of the body of ``POST …/infer``."""

    inputs: list[Given]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None
