"""The artifact itself: its format by content, its size, its speed."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.manifests.policy import ArtifactFormat

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Artifact:
    """The scan of one artifact."""

    format: ArtifactFormat | None
    """None for an unknown format."""
    bytes: int
    row_milliseconds: float | None = None
    """Median time to score one row, in milliseconds. It is rounded up to 1, 2 or 5 × a power of ten, so that a rerun
    gives the same document."""


def sniff(head: bytes, members: tuple[str, ...] = ()) -> ArtifactFormat | None:
    """The format of an artifact by its first bytes; ``members`` are the names in a zip archive.

    File names are ignored.
    """
    if head.startswith(b"tree\n"):
        return "lightgbm-text"
    if members:
        if "schema.json" in members:
            return "skops"
        return "pickle" if any(name.endswith(".pkl") for name in members) else None
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    text = head.lstrip()
    if text.startswith(b"{") and b'"learner"' in head[:200]:
        return "xgboost-json"
    if head.startswith(b"{L") and b"learner" in head[:64]:
        return "xgboost-ubj"
    if len(head) > 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000:
        return "safetensors"
    if _is_onnx(head):
        return "onnx"
    return None


def rounded_up(milliseconds: float) -> float:
    """The smallest of … 0.1, 0.2, 0.5, 1, 2, 5 … that is not below ``milliseconds``."""
    step = 1e-3
    while True:
        for factor in (1, 2, 5):
            if milliseconds <= step * factor:
                return round(step * factor, 6)
        step *= 10


def _is_onnx(head: bytes) -> bool:
    # A ModelProto begins with ir_version (field 1, varint), then names a producer (2, 3), a domain or a graph.
    return len(head) > 3 and head[0] == 0x08 and 1 <= head[1] <= 30 and head[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42)
