"""What the site shows, as values."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct

from modelyard.evidence.production import ShownWindow
from modelyard.gate.waivers import WaiverState
from modelyard.manifests.model import Model
from modelyard.registry.history import ModelHistory
from modelyard.registry.lineage import Lineage
from modelyard.registry.timeline import Event, Period, events, periods, running
from modelyard.report.content import number
from modelyard.report.html.page import Cell, Link, html_table, page
from modelyard.report.html.site_pictures import lineage_graph, metric_chart, rollout_chart, window_chart
from modelyard.report.terminal.text import when

_PRIMARY = {"binary": "auc", "multiclass": "log_loss", "regression": "mae", "ranking": "ndcg"}
_STYLE = """
header { display: flex; flex-wrap: wrap; gap: 6px 24px; align-items: baseline; justify-content: space-between }
a { color: var(--current) } a:focus-visible, input:focus-visible, .table:focus-visible {
  outline: 3px solid var(--current); outline-offset: 2px }
.skip { position: absolute; left: -999px } .skip:focus { left: 12px; top: 8px }
nav a { margin-right: 16px } input[type=search] { font: inherit; padding: 6px 10px; width: min(100%, 340px);
  border: 1px solid var(--line); border-radius: 6px; background: var(--panel); color: var(--ink) }
rect.earlier { fill: var(--line) } text.on { fill: var(--ink) } rect.current + text.on { fill: #fff }
.node { fill: var(--panel); stroke: var(--line) } .node.main { stroke: var(--current); stroke-width: 2 }
.edge { stroke: var(--reference); fill: none }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 12px 0 }
.tile { background: var(--panel); border-radius: 8px; padding: 10px 16px; min-width: 140px }
.tile b { font-size: 1.3rem; display: block }
.card table { border-collapse: collapse; font-size: .88rem }
.card td, .card th { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: anywhere }
.scroll { overflow-x: auto } .rollouts svg { min-width: 640px } footer { margin-top: 48px }
@media (max-width: 640px) { body { padding: 16px 12px 40px } h1 { font-size: 1.25rem } }
@media print { nav, input, .skip { display: none } }
"""

# Filters rows of the first table by what is typed; "/" goes to the field. Without JavaScript everything is shown.
_SCRIPT = """
const field = document.querySelector('input[type=search]');
const rows = [...document.querySelector('main .table')?.querySelectorAll('tbody tr') ?? []];
field?.addEventListener('input', () => { const words = field.value.toLowerCase().split(/\\s+/);
  for (const row of rows) row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word)); });
document.addEventListener('keydown', event => { if (event.key === '/' && document.activeElement !== field) {
  event.preventDefault(); field?.focus(); } if (event.key === 'Escape' && document.activeElement === field) {
  field.value = ''; field.dispatchEvent(new Event('input')); field.blur(); } });
"""

_EVENTS = 40
_FOOT = (
    '<footer class="soft">Made by modelyard from tags and evidence in git. What a target serves at this moment is in'
    " <code>modelyard status</code>.</footer>"
)


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
    wanted = latest.version if desired == "latest" and latest else desired
    if recorded is None:
        return "not deployed"
    return "in sync" if recorded.version == wanted else "out of sync"


def doing(window: ShownWindow | None) -> str:
    """How the newest window was judged, and when it ended."""
    if window is None:
        return "not watched"
    said = f"{window.verdict.outcome}: {', '.join(window.failed)}" if window.failed else window.verdict.outcome
    return f"{said} ({window.monitoring.until[:10]})"


def index_page(title: str, environments: Sequence[str], models: Sequence[ModelPage]) -> str:
    """Who runs where, what happened lately, and the waivers."""
    rows: list[list[Cell]] = []
    for model in models:
        serving, wanted = model.serving, {one.environment: one.version for one in model.desired}
        places = [name for name in environments if name in wanted or name in serving] or ["–"]
        for place in places:
            recorded = serving.get(place)
            rows.append([
                Link(model.name, model.file), place, wanted.get(place, "–"),
                recorded.version if recorded else "–", sync(wanted[place], model, recorded) if place in wanted else "–",
                doing(next(iter(model.windows_in(place)), None)) if recorded else "–",
                when(recorded.since) if recorded else "–", recorded.why if recorded else "",
                recorded.by if recorded else "", ", ".join(recorded.approved_by) if recorded else "", model.lifecycle,
            ])  # fmt: skip
    headings = [
        "model",
        "environment",
        "main says",
        "receipt says",
        "sync",
        "last window",
        "since",
        "why",
        "by",
        "approved by",
        "lifecycle",
    ]
    waivers = [waiver for model in models for waiver in model.waivers]
    happened = sorted(
        ((event, model.name) for model in models for event in events(model.history)), key=lambda e: -e[0].at
    )
    parts = [
        '<a class="skip" href="#main">To the content</a>',
        f'<header><h1>{escape(title)}</h1><nav><a href="#events">Events</a><a href="#waivers">Waivers</a></nav>'
        "</header>",
        f'<main id="main">{_tiles(models, waivers)}<h2>Who runs where</h2>',
        '<p><label>Filter <input type="search" placeholder="model, owner, version …  ( / )"></label></p>',
        _scrolling(html_table(headings, rows), "Who runs where") if rows else "<p>There is no model yet.</p>",
        '<h2 id="events">What happened lately</h2>',
        _events([(event, name) for event, name in happened[:_EVENTS]]),
        '<h2 id="waivers">Waivers</h2>',
        _waivers(waivers),
        "</main>",
        _FOOT,
    ]
    return page(title, parts, _STYLE, _SCRIPT)


def model_page(title: str, environments: Sequence[str], model: ModelPage, card_html: str) -> str:
    """One model: where it runs, how it got better, what made it, and on whose word."""
    history = model.history
    latest = history.latest
    description = model.manifest.description if model.manifest else ""
    found = periods(history)
    parts = [
        '<a class="skip" href="#main">To the content</a>',
        f'<header><h1>{escape(model.name)}</h1><nav><a href="../index.html">{escape(title)}</a>'
        '<a href="#windows">Windows</a><a href="#versions">Versions</a><a href="#lineage">Lineage</a>'
        '<a href="#card">Card</a></nav></header>',
        f'<main id="main"><p>{escape(description)}</p><p class="soft">{escape(model.lifecycle)} · owners'
        f" {escape(model.owners)} · latest {escape(latest.version if latest else 'none')}</p>",
        "<h2>Where it runs</h2>",
        _places(model, environments),
        f'<div class="scroll rollouts" tabindex="0">{rollout_chart(environments, found, history.last_time)}</div>',
        '<h2 id="windows">How it is doing</h2>',
        _windows(model, environments),
        "<h2>Metrics over its versions</h2>",
        _metrics(model),
        '<h2 id="versions">Versions</h2>',
        _versions(model),
        '<h2 id="lineage">Lineage</h2>',
        f'<div class="scroll rollouts" tabindex="0">{lineage_graph(model.lineage)}</div>' if model.lineage else "",
        "<h2>Everything that happened</h2>",
        _events([(event, "") for event in reversed(events(history))]),
        "<h2>Waivers</h2>",
        _waivers(model.waivers),
        f'<h2 id="card">Model card</h2><div class="card scroll">{card_html or "<p>No version yet.</p>"}</div>',
        "</main>",
        _FOOT,
    ]
    return page(f"{model.name} · {title}", parts, _STYLE)


def _tiles(models: Sequence[ModelPage], waivers: Sequence[WaiverState]) -> str:
    off = sum(
        sync(one.version, model, model.serving.get(one.environment)) == "out of sync"
        for model in models for one in model.desired
    )  # fmt: skip
    tiles = [
        (len(models), "models"),
        (sum(len(model.history.versions) for model in models), "versions in use"),
        (sum(len(model.serving) for model in models), "deployments"),
        (off, "out of sync"),
        (sum(not waiver.expired for waiver in waivers), "waivers in force"),
    ]
    return f'<div class="tiles">{"".join(f"<div class=tile><b>{n:,}</b>{what}</div>" for n, what in tiles)}</div>'


def _places(model: ModelPage, environments: Sequence[str]) -> str:
    rows = []
    wanted = {one.environment: one.version for one in model.desired}
    serving = model.serving
    for name in [name for name in environments if name in wanted or name in serving]:
        period = serving.get(name)
        rows.append([
            name, wanted.get(name, "–"), period.version if period else "–",
            sync(wanted[name], model, period) if name in wanted else "–", when(period.since) if period else "–",
            period.why if period else "", period.by if period else "", ", ".join(period.approved_by) if period else "",
        ])  # fmt: skip
    headings = ["environment", "main says", "receipt says", "sync", "since", "why", "by", "approved by"]
    return _scrolling(html_table(headings, rows), "Where it runs") if rows else "<p>It is not deployed.</p>"


def _windows(model: ModelPage, environments: Sequence[str]) -> str:
    parts = []
    for name in environments:
        windows = model.windows_in(name)
        if not windows:
            continue
        metric = model.primary
        rows = [
            [w.monitoring.until[:16].replace("T", " "), w.monitoring.version, f"{w.monitoring.rows:,}",
             w.verdict.outcome, ", ".join(w.failed), number(w.realised(metric)),
             number(w.monitoring.accepted.get(metric))]
            for w in windows
        ]  # fmt: skip
        headings = ["until", "version", "predictions", "verdict", "failed", f"{metric} realised", "accepted"]
        table = _scrolling(html_table(headings, rows), f"Windows in {name}")
        parts.append(f"<h3>{escape(name)}</h3>{window_chart(metric, windows[::-1])}{table}")
    return "".join(parts) or "<p>No window of it was judged and filed: <code>modelyard monitor --file</code>.</p>"


def _metrics(model: ModelPage) -> str:
    found = {name for version in model.history.versions if version.record for name in version.record.metrics}
    names = sorted(found, key=lambda name: (name != model.primary, name))
    charts = []
    for name in names[:9]:
        points = [
            (version.version, version.record.metrics[name])
            for version in model.history.versions
            if version.record and name in version.record.metrics
        ]
        charts.append(metric_chart(name, points))
    if not charts:
        return "<p>No version carries metrics.</p>"
    note = "Each version's value is of the rows held out when it was registered."
    return f'<div class="figures">{"".join(charts)}</div><p class="soft">{note}</p>'


def _versions(model: ModelPage) -> str:
    rows: list[list[Cell]] = []
    for version in reversed(model.history.ever):
        name, record = version.version, version.record
        value = record.metrics.get(model.primary) if record else None
        state = "withdrawn" if version in model.history.withdrawn else record.verdict if record else "by hand"
        rows.append([
            name, when(version.at), state, number(value),
            "; ".join(record.reasons) if record else "", record.by if record else version.by,
            ", ".join(record.approved_by) if record else "",
            Link("report", f"../{model.reports[name]}") if name in model.reports else "–",
            record.artifact[:12] if record else "–",
        ])  # fmt: skip
    headings = [
        "version",
        "registered",
        "verdict",
        model.primary or "metric",
        "because of",
        "by",
        "approved by",
        "report",
        "sha256",
    ]
    return _scrolling(html_table(headings, rows), "Versions") if rows else "<p>No version yet.</p>"


def _events(found: Sequence[tuple[Event, str]]) -> str:
    if not found:
        return "<p>Nothing yet.</p>"
    lines = []
    for event, name in found:
        link = f'<a href="{escape(model_file(name), quote=True)}">{escape(name)}</a> ' if name else ""
        where = f" in {escape(event.environment)}" if event.environment else ""
        approved = f", approved by {escape(', '.join(event.approved_by))}" if event.approved_by else ""
        lines.append(
            f"<li><time>{when(event.at)}</time> {link}<b>{escape(event.version)}</b> {event.what}{where}"
            f' <span class="soft">by {escape(event.by or "unknown")}{approved}: {escape(event.why)}</span></li>'
        )
    return f"<ul>{''.join(lines)}</ul>"


def _waivers(waivers: Sequence[WaiverState]) -> str:
    rows = [
        [w.model, w.check, w.reason, w.requested_by, w.approved_by or "its review", w.expires,
         "expired" if w.expired else "in force", w.artifact[:12]]
        for w in waivers
    ]  # fmt: skip
    headings = ["model", "check", "reason", "asked by", "approved by", "last day", "state", "only for sha256"]
    return _scrolling(html_table(headings, rows), "Waivers") if rows else "<p>There is none.</p>"


def _scrolling(table: str, label: str) -> str:
    focusable = f'<div class="table" tabindex="0" role="region" aria-label="{escape(label, quote=True)}">'
    return table.replace('<div class="table">', focusable, 1)
