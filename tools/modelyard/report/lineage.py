"""Lineage as text that fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.evidence.training import flat
from modelyard.registry.lineage import Descendant, Lineage
from modelyard.report.text import bold, table, when, wrapped


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


def _people(found: Lineage) -> str:
    approved = f"approved by {', '.join(found.approved_by)}" if found.approved_by else "no recorded approval"
    pull = f" in pull request {found.pull}" if found.pull else ""
    return f"proposed by {found.proposed_by or 'unknown'}{pull}, {approved}, registered by {found.registered_by}"
