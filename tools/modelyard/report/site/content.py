"""What the site shows, as values."""

from __future__ import annotations

from msgspec import Struct

from modelyard.evidence.production import ShownWindow
from modelyard.gate.waivers import WaiverState
from modelyard.manifests.model import Model
from modelyard.registry.history import ModelHistory
from modelyard.registry.lineage import Lineage
from modelyard.registry.timeline import Period, running

_PRIMARY = {"binary": "auc", "multiclass": "log_loss", "regression": "mae", "ranking": "ndcg"}


class Desired(Struct, frozen=True):
    """What main says about one model in one environment."""

    environment: str
    version: str


class ModelPage(Struct, frozen=True):
    """One model."""

    name: str
    history: ModelHistory
    manifest: Model | None
    """None for a model whose folder is gone."""
    desired: tuple[Desired, ...]
    """In promotion order."""
    lineage: Lineage | None
    """Of the version the last environment serves, else of the latest."""
    reports: dict[str, str]
    """Version → address of its report, relative to the site's root."""
    waivers: tuple[WaiverState, ...]
    windows: tuple[ShownWindow, ...] = ()
    """That were judged while it served, the newest first."""

    def windows_in(self, environment: str) -> tuple[ShownWindow, ...]:
        """Those of one environment, the newest first."""
        return tuple(window for window in self.windows if window.monitoring.environment == environment)

    @property
    def file(self) -> str:
        """Its page, relative to the site's root; a name of a monorepo has slashes, a page has none."""
        return model_file(self.name)

    @property
    def serving(self) -> dict[str, Period]:
        """Environment → what its newest receipt says."""
        return {period.environment: period for period in running(self.history)}

    @property
    def primary(self) -> str:
        """The metric shown first: the task's, where the versions have it."""
        latest = self.history.latest
        known = latest.record.metrics if latest and latest.record else {}
        wanted = _PRIMARY.get(self.manifest.task, "") if self.manifest else ""
        return wanted if wanted in known else next(iter(known), "")

    @property
    def owners(self) -> str:
        """Who looks after it."""
        return ", ".join(self.manifest.owners) if self.manifest else "nobody: its folder is gone"

    @property
    def lifecycle(self) -> str:
        """active, deprecated, archived, …"""
        return "archived" if self.history.archived or not self.manifest else self.manifest.lifecycle


def model_file(name: str) -> str:
    """Where the page of a model stands."""
    return f"models/{name.replace('/', '~')}.html"


def sync(desired: str, page: ModelPage, recorded: Period | None) -> str:
    """Whether the newest receipt is what main asks for."""
    latest = page.history.latest
    wanted = str(latest.version) if desired == "latest" and latest else desired
    if recorded is None:
        return "not deployed"
    return "in sync" if recorded.version == wanted else "out of sync"


def doing(window: ShownWindow | None) -> str:
    """How the newest window was judged, and when it ended."""
    if window is None:
        return "not watched"
    said = f"{window.verdict.outcome}: {', '.join(window.failed)}" if window.failed else window.verdict.outcome
    return f"{said} ({window.monitoring.until[:10]})"
