"""Plans, deliveries and the status, as text that fits 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.report.text import bold, coloured, table, when, wrapped
from modelyard.rollout.state import Delivery, StatusLine


def render_deliveries(deliveries: Sequence[Delivery], plan_only: bool) -> str:
    """A plan as a diff a reviewer knows, or what was done."""
    if not deliveries:
        return "No deployment is declared for what was asked."
    lines = []
    for delivery in deliveries:
        lines.append(bold(f"{delivery.environment}/{delivery.model}"))
        if delivery.skipped:
            said = (
                delivery.skipped if delivery.skipped.startswith("refused") else f"{delivery.skipped}: nothing to deploy"
            )
            lines.append(wrapped(said, "    "))
        elif not delivery.actions:
            lines.append(f"    {delivery.desired}  in sync" + (f", receipt {delivery.tag}" if delivery.tag else ""))
        else:
            if plan_only:
                lines += [f"  - {delivery.live or 'nothing'}", f"  + {delivery.desired}"]
            lines += [f"    {action.do} {action.version}" for action in delivery.actions]
            if not plan_only:
                lines.append(f"    {delivery.desired}  live" + (f", receipt {delivery.tag}" if delivery.tag else ""))
    return "\n".join(lines)


def render_status(lines: Sequence[StatusLine], detailed: bool) -> str:
    """One row per model and environment; in detail also why and on whose word."""
    if not lines:
        return "Nothing is deployed: there is no file below deployments/."
    rows = [
        [line.model, line.environment, line.desired, line.live or "–", when(line.since), line.sync, line.health]
        for line in lines
    ]
    text = [table(["model", "environment", "desired", "live", "since", "sync", "health"], rows)]
    if detailed:
        for line in lines:
            if not line.live:
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
