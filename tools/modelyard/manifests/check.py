"""What every rule of a policy has, whatever it looks at."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from modelyard.manifests.base import Manifest, Text
from modelyard.manifests.names import Name

Metric = Literal[
    "auc", "average_precision", "recall_at_precision", "log_loss", "brier", "accuracy", "f1", "precision", "recall",
    "macro_f1", "mae", "rmse", "pinball", "r2", "ndcg", "map",
]  # fmt: skip
Level = Literal["advisory", "soft", "hard"]


class Check(Manifest, frozen=True, kw_only=True, tag_field="kind"):
    """What every check has, whatever it looks at."""

    id: Name
    why: Text
    level: Annotated[
        Level, Meta(description="advisory: shown, never blocks; soft: can be waived; hard: cannot be waived.")
    ] = "soft"
