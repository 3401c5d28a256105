"""A prediction's way back, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.registry.lineage import Lineage
from modelyard.registry.timeline import Period
from modelyard.report.lineage import render_lineage
from modelyard.report.text import bold, table, when, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable


class Attributed(Protocol):
    """What ``catalog.attribution`` found of one prediction."""

    @property
    def model(self) -> str:
        """That was asked."""

    @property
    def environment(self) -> str:
        """Where it was asked."""

    @property
    def id(self) -> str:
        """Of the prediction."""

    @property
    def time(self) -> str:
        """RFC 3339."""

    @property
    def version(self) -> str:
        """That gave it."""

    @property
    def variant(self) -> str:
        """The part it played."""

    @property
    def score(self) -> Any:
        """A number, or one per class; None where it failed."""

    @property
    def lineage(self) -> Lineage | None:
        """What made the version."""

    @property
    def period(self) -> Period | None:
        """On whose word it served."""


def render_attribution(found: Sequence[Attributed]) -> str:
    """By model and environment the predictions, then each version once: on whose word it served, and what made it."""
    lines: list[str] = []
    for place in dict.fromkeys((one.model, one.environment) for one in found):
        here = [one for one in found if (one.model, one.environment) == place]
        rows = [[one.id, one.time, one.version, one.variant, _score(one.score)] for one in here]
        lines += [*([""] if lines else []), bold(f"{place[0]} in {place[1]}")]
        lines.append(table(["prediction", "time", "version", "as", "score"], rows))
        for version in dict.fromkeys(one.version for one in here):
            lines += ["", *_version(version, [one for one in here if one.version == version])]
    return "\n".join(lines)


def _version(version: str, found: Sequence[Attributed]) -> Iterable[str]:
    period = next((one.period for one in found if one.period), None)
    if period is not None:
        approved = f"approved by {', '.join(period.approved_by)}" if period.approved_by else "no recorded approval"
        said = f"{version} served in {period.environment} since {when(period.since)}: {period.why} ({approved})"
        yield bold(wrapped(said, "  "))
    elif all(one.variant in ("candidate", "shadow") for one in found):
        yield bold(wrapped(f"{version} answered as {found[0].variant} in a rollout; history tells its steps.", "  "))
    else:
        yield bold(wrapped(f"No receipt says that {version} served there then: modelyard audit check", "  "))
    lineage = found[0].lineage
    yield render_lineage(lineage) if lineage else f"{version} is not registered."


def _score(score: Any) -> str:
    if score is None:
        return "failed"
    return ", ".join(f"{value:.4g}" for value in (score if isinstance(score, list) else [score]))
