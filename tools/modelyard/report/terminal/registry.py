"""What the registry answers, as text: differences, search, faults, lineage, storage, reproduction, one prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from modelyard.evidence.training import Reproduction, flat
from modelyard.registry.comparison import VersionDifference
from modelyard.registry.faults import Fault
from modelyard.registry.lineage import Descendant, Lineage
from modelyard.registry.search import Entry
from modelyard.registry.storage import StoragePlan
from modelyard.registry.timeline import Period
from modelyard.report.terminal.text import bold, coloured, table, when, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable


_SAID = {
    "pass": "made again, byte for byte",
    "inconclusive": "other bytes, but the same predictions",
    "fail": "it predicts something else",
}


def render_version_difference(found: VersionDifference) -> str:
    """Metrics first, then what explains them."""
    head = f"{found.model} {found.before} → {found.after}"
    lines = [bold(head) + (": the same bytes" if found.same_bytes else "")]
    rows = [
        [m.name, _number(m.before), _number(m.after),
         f"{m.after - m.before:+.4f}" if m.before is not None and m.after is not None else "–"]
        for m in found.metrics
    ]  # fmt: skip
    lines += ["", table(["metric", found.before, found.after, "difference"], rows)] if rows else []
    for title, differences in (("parameter", found.params), ("data", found.data), ("package", found.environment)):
        if differences:
            rows = [[d.name, d.before[:16] or "–", d.after[:16] or "–"] for d in differences]
            lines += ["", table([title, found.before, found.after], rows)]
    for title, sentences in (("Features", found.features), ("Files", found.files)):
        if sentences:
            lines += ["", bold(title), *(wrapped(f"  {sentence}", "    ") for sentence in sentences)]
    if found.metrics:
        lines += ["", wrapped("Each version's metrics are of the rows held out when it was registered.")]
    return "\n".join(lines)


def render_found(entries: Sequence[Entry], metrics: Sequence[str] = ()) -> str:
    """One row a version, newest first, with the metrics that were asked for (else the first it has)."""
    if not entries:
        return "No version fulfils all of that."
    rows = []
    for entry in entries:
        shown = [name for name in metrics if name in entry.metrics] or list(entry.metrics)[:1]
        values = ", ".join(f"{name} {entry.metrics[name]:.4f}" for name in shown)
        live = ", ".join(entry.words.get("live", ())) or "–"
        rows.append([entry.model, entry.version, when(entry.at), live, entry.words["lifecycle"][0], values])
    return table(["model", "version", "registered", "live in", "lifecycle", "metrics"], rows)


def render_faults(faults: Sequence[Fault]) -> str:
    """Errors first, each with what to do."""
    if not faults:
        return "Tags and evidence agree."
    lines = []
    for fault in faults:
        lines.append(wrapped(f"{fault.level}  {fault.tag}: {fault.sentence}", "  ").replace(
            fault.level, coloured(fault.level), 1))  # fmt: skip
        lines.append(wrapped(f"  {fault.remedy}", "  "))
    return "\n".join(lines)


def render_lineage(found: Lineage) -> str:
    """Data, code, environment and people that made a version, and where it went."""
    lines = [bold(f"{found.model} {found.version}"), f"  sha256     {found.artifact or 'unknown'}"]
    for source in found.data:
        changed = f" ({source.changed_by})" if source.changed_by else ""
        lines.append(wrapped(f"  data       {source.path} {source.md5[:12]}{changed}", " " * 13))
    lines.append(wrapped(f"  code       {found.code[:12]} {found.subject} ({found.author})", " " * 13))
    params = ", ".join(f"{name} {value}" for name, value in flat(found.params).items())
    packages = ", ".join(f"{name} {version}" for name, version in found.packages.items())
    for label, said in (("params", params), ("packages", packages)):
        if said:
            lines.append(wrapped(f"  {label:10} {said}", " " * 13))
    judged = f"{found.verdict or 'not judged'}" + (f", against {found.champion}" if found.champion else "")
    lines.append(f"  verdict    {judged}")
    lines.append(wrapped(f"  people     {_people(found)}", " " * 13))
    for kind, digest in found.evidence.items():
        lines.append(f"  evidence   {kind} sha256 {digest[:12]}")
    for period in found.served:
        until = when(period.until) if period.until else "now"
        lines.append(f"  served     {period.environment}, {when(period.since)} to {until}")
    return "\n".join(lines)


def render_descendants(found: Sequence[Descendant], wanted: str) -> str:
    """The versions that saw some data; those that serve now first."""
    if not found:
        return f"No version's record names {wanted}."
    rows = [
        [one.model, one.version, one.md5[:12], ", ".join(p.environment for p in one.live) or "–",
         when(min(p.since for p in one.live)) if one.live else ("served before" if one.ever_live else "never served")]
        for one in found
    ]  # fmt: skip
    live = sum(bool(one.live) for one in found)
    versions = "1 version" if len(found) == 1 else f"{len(found)} versions"
    said = f"{wanted} went into {versions}; {live} of them {'serves' if live == 1 else 'serve'} now."
    return "\n".join([bold(said), "", table(["model", "version", "content", "live in", "since"], rows)])


def render_plans(plans: Sequence[StoragePlan], commits: int, removed: bool) -> str:
    """One row a place, then what to do."""
    rows = [
        [plan.where, f"{plan.kept:,} ({size(plan.kept_bytes)})", f"{plan.young:,}",
         f"{len(plan.remove):,} ({size(plan.remove_bytes)})"]
        for plan in plans
    ]  # fmt: skip
    lines = [bold(f"{commits} commits need their data"), ""]
    lines.append(table(["where", "needed", "too young", "removed" if removed else "nothing needs"], rows))
    if not removed and any(plan.remove for plan in plans):
        lines += ["", wrapped("Nothing was deleted. To delete it for good, add --remove.")]
    return "\n".join(lines)


def size(count: int) -> str:
    """Bytes as people say them."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def render_reproduction(found: Reproduction) -> str:
    """The outcome, then everything that differs."""
    lines = [f"{coloured(found.outcome)}  {bold(f'{found.model} {found.version}')}: {_SAID[found.outcome]}"]
    if found.outcome == "pass":
        lines.append(f"  sha256 {found.artifact_before}")
    else:
        lines += [f"  sha256 then {found.artifact_before[:16]}, now {found.artifact_after[:16]}"]
        if found.largest_difference is not None:
            lines.append(f"  largest difference of a prediction: {found.largest_difference:.3g}")
    if found.outputs:
        lines.append(wrapped(f"  outputs that differ: {', '.join(found.outputs)}", "    "))
    for title, differ in (("metric", found.metrics), ("package", found.packages)):
        if differ:
            lines += ["", table([title, "then", "now"], [[d.name, d.before or "–", d.after or "–"] for d in differ])]
    return "\n".join(lines)


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


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _people(found: Lineage) -> str:
    approved = f"approved by {', '.join(found.approved_by)}" if found.approved_by else "no recorded approval"
    pull = f" in pull request {found.pull}" if found.pull else ""
    return f"proposed by {found.proposed_by or 'unknown'}{pull}, {approved}, registered by {found.registered_by}"


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
