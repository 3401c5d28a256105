"""What every check and every watch of a policy has, and which metrics are measured for which task."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from modelyard.manifests.names import Manifest, Name, Text

Metric = Literal[
    "auc", "average_precision", "recall_at_precision", "log_loss", "brier", "accuracy", "f1", "precision", "recall",
    "macro_f1", "mae", "rmse", "pinball", "r2", "ndcg", "map",
]  # fmt: skip

Level = Literal["advisory", "soft", "hard"]
Task = Literal["binary", "multiclass", "regression", "ranking"]
Declared = Literal["groups", "slices", "folds"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression", "ranking")
METRIC_TASKS: dict[str, tuple[Task, ...]] = {
    "auc": ("binary",), "average_precision": ("binary",), "recall_at_precision": ("binary",),
    "log_loss": ("binary", "multiclass"), "brier": ("binary", "multiclass"), "accuracy": ("binary", "multiclass"),
    "f1": ("binary",), "precision": ("binary",), "recall": ("binary",), "macro_f1": ("multiclass",),
    "mae": ("regression",), "rmse": ("regression",), "pinball": ("regression",), "r2": ("regression",),
    "ndcg": ("ranking",), "map": ("ranking",),
}  # fmt: skip
"""Metric → the tasks for which it is measured."""
LOWER_IS_BETTER = ("log_loss", "brier", "mae", "rmse", "pinball")
"""The other metrics are better when they are higher."""


def arrow(metric: str) -> str:
    """The direction in which a metric is better: ↑ or ↓; '' for one that is not known."""
    return "" if metric not in METRIC_TASKS else "↓" if metric in LOWER_IS_BETTER else "↑"


class Check(Manifest, frozen=True, kw_only=True, tag_field="kind"):
    """The fields that every check has."""

    judges: ClassVar[tuple[Task, ...]] = TASKS
    """Tasks of which the evidence says something to this kind of check."""
    reads: ClassVar[Declared | None] = None
    """What model.yaml must declare, or there is nothing to judge."""
    mend: ClassVar[str] = ""
    """What to do about a failure, in a sentence or two. docs/checks/ has a page for each kind, made of its class."""

    id: Name
    why: Annotated[Text, Meta(description="Why the rule is there. Reports show it.")]
    tasks: Annotated[
        list[Task], Meta(description="The tasks that the rule is for; a model of another task is not judged by it."
                         " Empty: every task.")
    ] = field(default_factory=list)  # fmt: skip
    only_with: Annotated[
        list[Declared],
        Meta(description="A model that declares no groups (slices, folds) is not judged by the rule. Without it, such a"
             " model is refused by validate."),
    ] = field(default_factory=list)  # fmt: skip
    level: Annotated[
        Level, Meta(description="advisory: shown, never blocks; soft: can be waived; hard: cannot be waived.")
    ] = "soft"
