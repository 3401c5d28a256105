"""Plans, deliveries and the status, as text."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.report.terminal.text import bold, coloured, table, when, wrapped
from modelyard.rollout.plan import Delivery, StatusLine


def render_deliveries(deliveries: Sequence[Delivery], plan_only: bool) -> str:
    """A plan as a diff a reviewer knows, or what was done."""
    if not deliveries:
        return "No deployment is declared for what was asked."
    lines = []
    for delivery in deliveries:
        lines.append(bold(f"{delivery.environment}/{delivery.model}"))
        lines += [wrapped(line, "    ") for line in delivery_lines(delivery, plan_only)]
        if delivery.rollout:
            lines.append(wrapped(f"    {delivery.rollout}", "    "))
        if delivery.pull:
            lines.append(f"    pull request {delivery.pull} lets main say so")
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


def delivery_lines(delivery: Delivery, plan_only: bool) -> list[str]:
    """One deployment: from what to what, by which actions."""
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
