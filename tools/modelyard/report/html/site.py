"""The pages of the registry's site: an overview of all models, and a page per model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from modelyard.evidence.production import ShownWindow
from modelyard.gate.waivers import WaiverState
from modelyard.manifests.check import arrow
from modelyard.manifests.model import Model
from modelyard.registry.history import ModelHistory
from modelyard.registry.lineage import Lineage
from modelyard.registry.tags import VersionRecord
from modelyard.registry.timeline import Event, Period, events, periods, running
from modelyard.report.content import number, with_interval
from modelyard.report.html.figure import Figure
from modelyard.report.html.page import Cell, Link, Table, render, trusted
from modelyard.report.html.site_pictures import lineage_graph, metric_chart, rollout_chart, window_chart
from modelyard.report.terminal.text import when
from modelyard.rollout.promotion import latest_allowed

_PRIMARY = {"binary": "auc", "multiclass": "log_loss", "regression": "mae", "ranking": "ndcg"}
_EVENTS = 40


class Desired(Struct, frozen=True):
    """The desired version of one model in one environment."""

    environment: str
    version: str
    """A number, or ``latest``."""
    readmit: Sequence[str] = ()
    """Rollbacks whose artifact may be deployed again."""


class ModelPage(Struct, frozen=True):
    """The values of one model's page."""

    name: str
    history: ModelHistory
    manifest: Model | None
    """None for a model whose folder is gone."""
    desired: tuple[Desired, ...]
    """In promotion order."""
    lineage: Lineage | None
    """Lineage of the version in the last environment; of the latest version if none is deployed."""
    reports: dict[str, str]
    """Version → address of its report, relative to the site's root."""
    waivers: tuple[WaiverState, ...]
    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Version → title of a tracker → address of the run."""
    windows: tuple[ShownWindow, ...] = ()
    """Monitored windows, newest first."""

    def windows_in(self, environment: str) -> tuple[ShownWindow, ...]:
        """The windows of one environment, newest first."""
        return tuple(window for window in self.windows if window.monitoring.environment == environment)

    @property
    def file(self) -> str:
        """Address of the page, relative to the site's root."""
        return model_file(self.name)

    @property
    def serving(self) -> dict[str, Period]:
        """Environment → its current period, by the newest receipt."""
        return {period.environment: period for period in running(self.history)}

    @property
    def primary(self) -> str:
        """The first metric on the page: the usual one of the task if the versions have it."""
        latest = self.history.latest
        known = latest.record.metrics if latest and latest.record else {}
        wanted = _PRIMARY.get(self.manifest.task, "") if self.manifest else ""
        return wanted if wanted in known else next(iter(known), "")

    @property
    def owners(self) -> str:
        """The owners in one line."""
        return ", ".join(self.manifest.owners) if self.manifest else "none: its folder is gone"

    @property
    def lifecycle(self) -> str:
        """active, deprecated, archived, …; imported for a model without a folder whose versions all were."""
        if self.manifest and not self.history.archived:
            return self.manifest.lifecycle
        records = [version.record for version in self.history.all_versions]
        imported = not self.history.archived and records and all(record and record.imported for record in records)
        return "imported" if imported else "archived"


def model_file(name: str) -> str:
    """Address of a model's page, relative to the site's root. Slashes in the names of a monorepo become ``~``."""
    return f"models/{name.replace('/', '~')}.html"


def sync(desired: Desired, page: ModelPage, recorded: Period | None) -> str:
    """How the newest receipt compares with the desired version: in sync, out of sync or not deployed.

    ``latest`` stands for the same version as for ``deploy``, which skips rolled-back artifacts.
    """
    latest = latest_allowed(page.history, desired.readmit) if desired.version == "latest" else None
    wanted = latest.version if latest else desired.version
    if recorded is None:
        return "not deployed"
    return "in sync" if recorded.version == wanted else "out of sync"


def window_verdict(window: ShownWindow | None) -> str:
    """The verdict of the newest window and the day it ended."""
    if window is None:
        return "not monitored"
    said = f"{window.verdict.outcome}: {', '.join(window.failed)}" if window.failed else window.verdict.outcome
    return f"{said} ({window.monitoring.until[:10]})"


def index_page(title: str, environments: Sequence[str], models: Sequence[ModelPage]) -> str:
    """The overview: deployments of all models, recent events and waivers."""
    waivers = [waiver for model in models for waiver in model.waivers]
    newest = sorted(
        ((event, model.name) for model in models for event in events(model.history)), key=lambda e: -e[0].at
    )
    return render(
        "site_index.html.j2",
        title=title,
        tiles=_tiles(models, waivers),
        places=_all_places(models, environments),
        events=[_event(event, Link(name, model_file(name))) for event, name in newest[:_EVENTS]],
        waivers=_waivers(waivers),
    )


def model_page(title: str, environments: Sequence[str], model: ModelPage, card_html: str) -> str:
    """The page of one model. ``card_html`` is the rendered model card, escaped; '' without one."""
    history = model.history
    return render(
        "site_model.html.j2",
        title=f"{model.name} · {title}",
        site_title=title,
        model=model,
        description=model.manifest.description if model.manifest else "",
        latest=history.latest.version if history.latest else "none",
        places=_places(model, environments),
        rollouts=rollout_chart(environments, periods(history), history.last_time),
        windows=_windows(model, environments),
        metrics=_metrics(model),
        versions=_versions(model),
        lineage=lineage_graph(model.lineage) if model.lineage else None,
        events=[_event(event) for event in reversed(events(history))],
        waivers=_waivers(model.waivers),
        card=trusted(card_html),
    )


def _tiles(models: Sequence[ModelPage], waivers: Sequence[WaiverState]) -> list[dict[str, str]]:
    off = sum(
        sync(one, model, model.serving.get(one.environment)) == "out of sync"
        for model in models for one in model.desired
    )  # fmt: skip
    tiles = [
        (len(models), "model", "models"),
        (sum(len(model.history.versions) for model in models), "version in use", "versions in use"),
        (sum(len(model.serving) for model in models), "deployment", "deployments"),
        (off, "out of sync", "out of sync"),
        (sum(not waiver.expired for waiver in waivers), "waiver in force", "waivers in force"),
    ]
    return [{"count": f"{count:,}", "what": one if count == 1 else many} for count, one, many in tiles]


def _all_places(models: Sequence[ModelPage], environments: Sequence[str]) -> Table | None:
    rows: list[list[Cell]] = []
    for model in models:
        serving, wanted = model.serving, {one.environment: one for one in model.desired}
        places = [name for name in environments if name in wanted or name in serving] or ["–"]
        for place in places:
            recorded = serving.get(place)
            rows.append([
                Link(model.name, model.file), place, wanted[place].version if place in wanted else "–",
                recorded.version if recorded else "–", sync(wanted[place], model, recorded) if place in wanted else "–",
                window_verdict(next(iter(model.windows_in(place)), None)) if recorded else "–",
                when(recorded.since) if recorded else "–", recorded.why if recorded else "",
                recorded.by if recorded else "", ", ".join(recorded.approved_by) if recorded else "", model.lifecycle,
            ])  # fmt: skip
    headings = ["model", "environment", "desired", "recorded", "sync", "last window", "since", "reason", "by",
                "approved by", "lifecycle"]  # fmt: skip
    return Table(headings, rows) if rows else None


def _places(model: ModelPage, environments: Sequence[str]) -> Table | None:
    rows = []
    wanted = {one.environment: one for one in model.desired}
    serving = model.serving
    for name in [name for name in environments if name in wanted or name in serving]:
        period = serving.get(name)
        rows.append([
            name, wanted[name].version if name in wanted else "–", period.version if period else "–",
            sync(wanted[name], model, period) if name in wanted else "–", when(period.since) if period else "–",
            period.why if period else "", period.by if period else "", ", ".join(period.approved_by) if period else "",
        ])  # fmt: skip
    headings = ["environment", "desired", "recorded", "sync", "since", "reason", "by", "approved by"]
    return Table(headings, rows) if rows else None


def _windows(model: ModelPage, environments: Sequence[str]) -> list[dict[str, Any]]:
    metric = model.primary
    headings = ["until", "version", "predictions", "verdict", "failed", f"{metric} realised", "baseline"]
    found = []
    for name in environments:
        windows = model.windows_in(name)
        rows = [
            [w.monitoring.until[:16].replace("T", " "), w.monitoring.version, f"{w.monitoring.rows:,}",
             w.verdict.outcome, ", ".join(w.failed), number(w.realised(metric)),
             number(w.monitoring.accepted.get(metric))]
            for w in windows
        ]  # fmt: skip
        if rows:
            table = Table(headings, rows)
            found.append({"environment": name, "figure": window_chart(metric, windows[::-1]), "table": table})
    return found


def _metrics(model: ModelPage) -> list[Figure]:
    found = {name for version in model.history.versions if version.record for name in version.record.metrics}
    names = sorted(found, key=lambda name: (name != model.primary, name))
    charts = []
    for name in names[:9]:
        points = [
            (version.version, version.record.metrics[name], version.record.held_out)
            for version in model.history.versions
            if version.record and name in version.record.metrics
        ]
        charts.append(metric_chart(name, points))
    return charts


def _versions(model: ModelPage) -> Table | None:
    rows: list[list[Cell]] = []
    trackers = sorted({title for runs in model.runs.values() for title in runs})
    for version in reversed(model.history.all_versions):
        name, record = version.version, version.record
        value = record.metrics.get(model.primary) if record else None
        state = (
            "withdrawn"
            if version in model.history.withdrawn
            else ("imported" if version.imported else record.verdict)
            if record
            else "by hand"
        )
        rows.append([
            name, when(version.at), state, number(value), *_against(record, model.primary),
            "; ".join(record.reasons) if record else "", record.by if record else version.by,
            ", ".join(record.approved_by) if record else "",
            Link("report", f"../{model.reports[name]}") if name in model.reports else "–",
            *(Link("run", model.runs[name][t]) if t in model.runs.get(name, {}) else "–" for t in trackers),
            record.artifact[:12] if record else "–",
        ])  # fmt: skip
    headings = ["version", "registered", "verdict", f"{model.primary or 'metric'} {arrow(model.primary)}".strip(),
                "held-out rows", "against the champion [95 %]", "reasons", "by", "approved by", "report",
                *trackers, "sha256"]  # fmt: skip
    return Table(headings, rows) if rows else None


def _against(record: VersionRecord | None, metric: str) -> tuple[str, str]:
    """The held-out rows of a version, and its filed difference from its champion on these rows."""
    if record is None:
        return "–", "–"
    filed = record.against.get(metric)
    said = f"{with_interval(*filed)} against {record.champion}" if filed else "–"
    return record.held_out_name or "not recorded", said


def _event(event: Event, model: Link | None = None) -> dict[str, Any]:
    return {
        "at": when(event.at),
        "model": model,
        "version": event.version,
        "what": event.what,
        "environment": event.environment,
        "by": event.by or "unknown",
        "approved_by": ", ".join(event.approved_by),
        "why": event.why,
    }


def _waivers(waivers: Sequence[WaiverState]) -> Table | None:
    rows = [
        [w.model, w.check, w.reason, w.requested_by, w.approved_by or "review", w.expires,
         "expired" if w.expired else "in force", w.artifact[:12]]
        for w in waivers
    ]  # fmt: skip
    headings = ["model", "check", "reason", "requested by", "approved by", "last day", "state", "only for sha256"]
    return Table(headings, rows) if rows else None
