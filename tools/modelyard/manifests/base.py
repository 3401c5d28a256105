"""What every manifest is built from: the frozen class without unknown keys, and the small types its fields share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Fraction = Annotated[float, Meta(ge=0, le=1, description="A number from 0 to 1.")]
Margin = Annotated[float, Meta(ge=0, description="A number of at least 0, in the metric's own unit.")]
Count = Annotated[int, Meta(ge=0, description="A whole number of at least 0.")]
Port = Annotated[int, Meta(ge=1, le=65535, description="A TCP port from 1 to 65535.")]
Text = Annotated[str, Meta(min_length=1, max_length=20_000)]
ColumnName = Annotated[str, Meta(min_length=1, max_length=128)]
Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day such as 2026-05-31.")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits.")]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Common behaviour: frozen, no unknown keys."""
