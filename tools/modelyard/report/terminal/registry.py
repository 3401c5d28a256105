"""The answers of the registry as text: differences, search, faults, lineage, storage, reproduction, one prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from modelyard.evidence.training import NOT_APPLICABLE, Reproduction, flat
from modelyard.manifests.check import arrow
from modelyard.registry.comparison import MetricChange, VersionDifference
from modelyard.registry.faults import Fault
from modelyard.registry.lineage import Descendant, Lineage
from modelyard.registry.search import Entry
from modelyard.registry.storage import StoragePlan
from modelyard.registry.timeline import Period
from modelyard.report.terminal.layout import Layout, Paragraph, Part, Table
from modelyard.report.terminal.text import bold, coloured, when

_SAID = {
    "pass": "reproduced byte for byte",
    "inconclusive": "the bytes differ, the predictions are the same",
    "fail": "the predictions differ",
}
_UNDER = " " * 13
"""Indent of a lineage's further lines, below its values."""


def render_version_difference(found: VersionDifference) -> Layout:
    """Metrics first, then their causes."""
    head = bold(f"{found.model} {found.before} → {found.after}")
    parts: list[Part] = [head + (": the same bytes" if found.same_bytes else "")]
    rows = [
        [f"{m.name} {arrow(m.name)}".strip(), _number(m.before), _number(m.after), _change(m)] for m in found.metrics
    ]
    parts += ["", Table(["metric", found.before, found.after, "difference [95 %]"], rows)] if rows else []
    parts += ["", Paragraph(found.measured)] if found.measured else []
    for title, differences in (("parameter", found.params), ("data", found.data), ("package", found.environment)):
        if differences:
            most = 16 if title == "data" else None  # of an md5 the first digits are enough
            rows = [[d.name, d.before[:most] or "–", d.after[:most] or "–"] for d in differences]
            shrink = (title, found.before, found.after) if title == "parameter" else ()
            parts += ["", Table([title, found.before, found.after], rows, shrink)]
    for title, sentences in (("Features", found.features), ("Files", found.files)):
        if sentences:
            parts += ["", bold(title), *(Paragraph(f"  {sentence}", "    ") for sentence in sentences)]
    return Layout.of(*parts)


def _change(metric: MetricChange) -> str:
    if metric.difference is None:
        return "–"
    interval = metric.interval
    return f"{metric.difference:+.4f}" + (f" [{interval[0]:+.4f}, {interval[1]:+.4f}]" if interval else "")


def render_found(entries: Sequence[Entry], metrics: Sequence[str] = ()) -> Layout:
    """A row per version, newest first, with the metrics of the search; without any, its first metric."""
    if not entries:
        return Layout.of("No version meets all conditions.")
    rows = []
    for entry in entries:
        shown = [name for name in metrics if name in entry.metrics] or list(entry.metrics)[:1]
        values = ", ".join(f"{name} {entry.metrics[name]:.4f}" for name in shown)
        live = ", ".join(entry.words.get("live", ())) or "–"
        rows.append([entry.model, entry.version, when(entry.at), live, entry.words["lifecycle"][0], values])
    headings = ["model", "version", "registered", "live in", "lifecycle", "metrics"]
    return Layout.of(Table(headings, rows, shrink=("live in", "metrics")))


def render_faults(faults: Sequence[Fault]) -> Layout:
    """Every fault with its remedy, errors first."""
    if not faults:
        return Layout.of("Tags and evidence agree.")
    parts = []
    for fault in faults:
        parts.append(Paragraph(f"{coloured(fault.level)}  {fault.tag}: {fault.sentence}", "  "))
        parts.append(Paragraph(f"  {fault.remedy}", "  "))
    return Layout.of(*parts)


def render_lineage(found: Lineage) -> Layout:
    """Data, code, packages and people behind a version, and the environments it served in."""
    parts: list[Part] = [bold(f"{found.model} {found.version or 'candidate'}")]
    parts.append(f"  sha256     {found.artifact or 'unknown'}")
    if found.imported:
        parts.append(Paragraph(f"  imported   from {found.imported}: nobody here measured it", _UNDER))
    if found.elsewhere:
        parts.append(Paragraph(f"  training   {NOT_APPLICABLE}", _UNDER))
    for source in found.data:
        changed = f" ({source.changed_by})" if source.changed_by else ""
        parts.append(Paragraph(f"  data       {source.path} {source.md5[:12]}{changed}", _UNDER))
    parts.append(Paragraph(f"  code       {found.code[:12]} {found.subject} ({found.author})", _UNDER))
    params = ", ".join(f"{name} {value}" for name, value in flat(found.params).items())
    packages = ", ".join(f"{name} {version}" for name, version in found.packages.items())
    for label, said in (("params", params), ("packages", packages)):
        if said:
            parts.append(Paragraph(f"  {label:10} {said}", _UNDER))
    verdict = f"{found.verdict or 'none'}" + (f", against {found.champion}" if found.champion else "")
    parts.append(f"  verdict    {verdict}")
    parts.append(Paragraph(f"  people     {_people(found)}", _UNDER))
    for kind, digest in found.evidence.items():
        parts.append(f"  evidence   {kind} sha256 {digest[:12]}")
    for period in found.served:
        until = when(period.until) if period.until else "now"
        parts.append(f"  served     {period.environment}, {when(period.since)} to {until}")
    return Layout.of(*parts)


def render_descendants(found: Sequence[Descendant], wanted: str) -> Layout:
    """The versions that were trained on some data, those in service first."""
    if not found:
        return Layout.of(f"No version's record names {wanted} as training data.")
    rows = [
        [one.model, one.version, one.md5[:12], ", ".join(p.environment for p in one.live) or "–",
         when(min(p.since for p in one.live)) if one.live else ("served before" if one.ever_live else "never served")]
        for one in found
    ]  # fmt: skip
    live = sum(bool(one.live) for one in found)
    versions = "1 version was" if len(found) == 1 else f"{len(found)} versions were"
    said = f"{versions} trained on {wanted}; {live} of them {'is' if live == 1 else 'are'} in service now."
    table = Table(["model", "version", "md5", "live in", "since"], rows, shrink=("live in",))
    return Layout.of(Paragraph(bold(said)), "", table)


def render_plans(plans: Sequence[StoragePlan], commits: int, removed: bool) -> Layout:
    """A row per storage, then how to remove what is not needed."""
    rows = [
        [plan.where, f"{plan.kept:,} ({size(plan.kept_bytes)})", f"{plan.young:,}",
         f"{len(plan.remove):,} ({size(plan.remove_bytes)})"]
        for plan in plans
    ]  # fmt: skip
    headings = ["storage", "needed", "too recent", "removed" if removed else "not needed"]
    parts: list[Part] = [bold(f"The data of {commits} commits are needed"), ""]
    parts.append(Table(headings, rows, shrink=("storage",)))
    if not removed and any(plan.remove for plan in plans):
        parts += ["", Paragraph("Nothing was deleted. Add --remove to delete what is not needed, for good.")]
    return Layout.of(*parts)


def size(count: int) -> str:
    """A number of bytes with a decimal unit."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def render_reproduction(found: Reproduction) -> Layout:
    """The outcome, then everything that differs."""
    head = f"{coloured(found.outcome)}  {bold(f'{found.model} {found.version}')}: {_SAID[found.outcome]}"
    parts: list[Part] = [head]
    if found.outcome == "pass":
        parts.append(f"  sha256 {found.artifact_before}")
    else:
        parts.append(f"  sha256 then {found.artifact_before[:16]}, now {found.artifact_after[:16]}")
        if found.largest_difference is not None:
            parts.append(f"  largest difference of a prediction: {found.largest_difference:.3g}")
    if found.probe:
        parts.append(f"  probe {found.probe}")
    if found.outputs:
        parts.append(Paragraph(f"  outputs that differ: {', '.join(found.outputs)}", "    "))
    for title, differ in (("metric", found.metrics), ("package", found.packages)):
        if differ:
            parts += ["", Table([title, "then", "now"], [[d.name, d.before or "–", d.after or "–"] for d in differ])]
    return Layout.of(*parts)


class Attributed(Protocol):
    """One prediction with its origin, as ``audit.attribution`` finds it."""

    @property
    def model(self) -> str:
        """The model that was asked."""

    @property
    def environment(self) -> str:
        """The environment that answered."""

    @property
    def id(self) -> str:
        """The prediction's id."""

    @property
    def time(self) -> str:
        """RFC 3339."""

    @property
    def version(self) -> str:
        """The version that answered."""

    @property
    def variant(self) -> str:
        """champion, candidate or shadow."""

    @property
    def score(self) -> Any:
        """A number, or one per class; None for a failed request."""

    @property
    def lineage(self) -> Lineage | None:
        """The version's lineage; None for a version that is not registered."""

    @property
    def period(self) -> Period | None:
        """The receipt by which the version was in service; None without one."""


def render_attribution(found: Sequence[Attributed]) -> Layout:
    """The predictions by model and environment, then the approval and the lineage of every version once."""
    parts: list[Part] = []
    for place in dict.fromkeys((one.model, one.environment) for one in found):
        here = [one for one in found if (one.model, one.environment) == place]
        rows = [[one.id, one.time, one.version, one.variant, _score(one.score)] for one in here]
        parts += [*([""] if parts else []), bold(f"{place[0]} in {place[1]}")]
        parts.append(Table(["prediction", "time", "version", "as", "score"], rows, shrink=("score",)))
        for version in dict.fromkeys(one.version for one in here):
            parts += ["", *_version(version, [one for one in here if one.version == version])]
    return Layout.of(*parts)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _people(found: Lineage) -> str:
    approved = f"approved by {', '.join(found.approved_by)}" if found.approved_by else "no recorded approval"
    pull = f" in pull request {found.pull}" if found.pull else ""
    return f"proposed by {found.proposed_by or 'unknown'}{pull}, {approved}, registered by {found.registered_by}"


def _version(version: str, found: Sequence[Attributed]) -> tuple[Part, ...]:
    period = next((one.period for one in found if one.period), None)
    if period is not None:
        approved = f"approved by {', '.join(period.approved_by)}" if period.approved_by else "no recorded approval"
        said = f"{version} was in service in {period.environment} since {when(period.since)}: {period.why} ({approved})"
    elif all(one.variant in ("candidate", "shadow") for one in found):
        said = f"{version} answered as {found[0].variant} in a rollout; modelyard history shows the rollout."
    else:
        said = f"No receipt says that {version} was in service there then; run modelyard audit check."
    lineage = found[0].lineage
    origin = render_lineage(lineage).parts if lineage else (f"{version} is not registered.",)
    return Paragraph(bold(said), "  "), *origin


def _score(score: Any) -> str:
    if score is None:
        return "failed"
    return ", ".join(f"{value:.4g}" for value in (score if isinstance(score, list) else [score]))
