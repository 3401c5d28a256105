"""Plans, deliveries, rollbacks and the status."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.report.safe import table as markdown_table
from modelyard.report.safe import text as safe
from modelyard.report.text import bold, coloured, table, when, wrapped
from modelyard.rollout.plan import Delivery, Moment, StatusLine
from modelyard.rollout.progress import RolloutState


def render_deliveries(deliveries: Sequence[Delivery], plan_only: bool) -> str:
    """A plan as a diff a reviewer knows, or what was done."""
    if not deliveries:
        return "No deployment is declared for what was asked."
    lines = []
    for delivery in deliveries:
        lines.append(bold(f"{delivery.environment}/{delivery.model}"))
        lines += [wrapped(line, "    ") for line in _lines(delivery, plan_only)]
        if delivery.rollout:
            lines.append(wrapped(f"    {delivery.rollout}", "    "))
        if delivery.pull:
            lines.append(f"    pull request {delivery.pull} lets main say so")
    return "\n".join(lines)


def plan_comment(deliveries: Sequence[Delivery], marker: str) -> str:
    """What merging a pull request will do to each environment, as the body of a comment."""
    moving = [delivery for delivery in deliveries if delivery.actions or delivery.skipped]
    count = f"{len(moving)} deployment{'' if len(moving) == 1 else 's'}" if moving else "nothing"
    lines = [f"## Merging moves {count}", ""]
    for delivery in deliveries:
        lines += [f"**{safe(delivery.environment)} / {safe(delivery.model)}**", "", "```diff"]
        # Names are of a grammar without backticks, so nothing gets out of the fence.
        lines += [line[2:] if line.startswith(("  - ", "  + ")) else line for line in _lines(delivery, True)]
        lines += ["```", ""]
        if delivery.rollout:
            lines += [safe(delivery.rollout), ""]
    lines += ["<sub>Planned against what the targets report now; deploy looks again.</sub>", "", marker, ""]
    return "\n".join(lines)


def rollback_story(state: RolloutState, moments: Sequence[Moment]) -> str:
    """Why a version was taken back, and what happened when; Markdown for a pull request."""
    rows = [[when(moment.at), safe(moment.sentence)] for moment in moments]
    lines = [
        f"{safe(state.candidate)} was taken back: {safe(state.reason)}.",
        "",
        f"All traffic is on {safe(state.stable)} already. Until this is merged, main says {safe(state.candidate)} and"
        f" {safe(state.stable)} runs. Its bytes (sha256 {state.artifact[:16]}) are deployed nowhere again, unless a"
        " deployment file forgives this rollback under readmit.",
    ]
    return "\n".join([*lines, "", *markdown_table(["when (UTC)", "what"], rows)] if rows else lines)


def render_status(lines: Sequence[StatusLine], detailed: bool) -> str:
    """One row per model and environment; in detail also why and on whose word."""
    if not lines:
        return "Nothing is deployed: there is no file below deployments/."
    rows = [
        [line.model, line.environment, line.desired, line.live or "–", when(line.since), line.sync, line.health]
        for line in lines
    ]
    text = [table(["model", "environment", "desired", "live", "since", "sync", "health"], rows)]
    for line in lines:
        if line.rollout:
            text.append(wrapped(f"  {line.model} in {line.environment}: {line.rollout}", "  "))
    if detailed:
        for line in lines:
            if not line.live and not line.reason:
                continue
            where = f"{line.model} in {line.environment}"
            why = wrapped(f"{where}: {line.why or 'no receipt says why'}", "  ")
            text += ["", why.replace(where, bold(where), 1)]
            word = f"proposed by {line.by or 'unknown'}"
            word += f", approved by {', '.join(line.approved_by)}" if line.approved_by else ", no recorded approval"
            text.append(f"  {word}")
            if line.reason:
                said = wrapped(f"  {line.health}: {line.reason}", "  ")
                text.append(said.replace(line.health, coloured(line.health), 1))
    return "\n".join(text)


def _lines(delivery: Delivery, plan_only: bool) -> list[str]:
    if delivery.skipped:
        told = delivery.skipped.startswith(("refused", "failed"))
        return [f"    {delivery.skipped}" if told else f"    {delivery.skipped}: nothing to deploy"]
    receipt = f", receipt {delivery.tag}" if delivery.tag else ""
    if not delivery.actions:
        state = f"live {delivery.live}" if delivery.rollout else "in sync"
        return [f"    {delivery.desired}  {state}{receipt}"]
    lines = [f"    {action}" for action in delivery.actions]
    if plan_only:
        return [f"  - {delivery.live or 'nothing'}", f"  + {delivery.desired}", *lines]
    return [*lines, f"    {delivery.live or 'nothing'}  live{receipt}"]
