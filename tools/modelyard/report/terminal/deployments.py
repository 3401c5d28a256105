"""Deployment plans, their results and the status as text."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.report.terminal.layout import Layout, Paragraph, Part, Table
from modelyard.report.terminal.text import bold, coloured, when
from modelyard.rollout.plan import Delivery, StatusLine


def render_deliveries(deliveries: Sequence[Delivery], plan_only: bool) -> Layout:
    """Every deployment as a diff of what is planned, or as a list of what was done."""
    if not deliveries:
        return Layout.of("No deployment matches these models and environments.")
    parts: list[Part] = []
    for delivery in deliveries:
        parts.append(bold(f"{delivery.environment}/{delivery.model}"))
        parts += [Paragraph(line, "    ") for line in delivery_lines(delivery, plan_only)]
        if delivery.rollout:
            parts.append(Paragraph(f"    {delivery.rollout}", "    "))
        if delivery.pull:
            parts.append(f"    pull request {delivery.pull} changes main to match")
    return Layout.of(*parts)


def render_status(lines: Sequence[StatusLine], detailed: bool) -> Layout:
    """A row per model and environment; with ``detailed`` also reasons and approvals."""
    if not lines:
        return Layout.of("Nothing is deployed: there is no file in deployments/.")
    rows = [
        [line.model, line.environment, line.desired, line.live or "–", when(line.since), line.sync, line.health]
        for line in lines
    ]
    parts: list[Part] = [Table(["model", "environment", "desired", "live", "since", "sync", "health"], rows)]
    for line in lines:
        if line.rollout:
            parts.append(Paragraph(f"  {line.model} in {line.environment}: {line.rollout}", "  "))
        parts += [Paragraph(f"  {line.model} in {line.environment}: {doubt}", "  ") for doubt in line.doubts]
    for line in lines if detailed else ():
        if not line.live and not line.reason:
            continue
        where = bold(f"{line.model} in {line.environment}")
        parts += ["", Paragraph(f"{where}: {line.why or 'no reason is recorded'}", "  ")]
        approved = f"approved by {', '.join(line.approved_by)}" if line.approved_by else "no recorded approval"
        parts.append(Paragraph(f"  proposed by {line.by or 'unknown'}, {approved}", "  "))
        if line.reason:
            parts.append(Paragraph(f"  {coloured(line.health)}: {line.reason}", "  "))
    return Layout.of(*parts)


def delivery_lines(delivery: Delivery, plan_only: bool) -> list[str]:
    """One deployment in plain lines: the version before, the version after and the actions between them."""
    if delivery.skipped:
        failed = delivery.skipped.startswith(("refused", "failed"))
        return [f"    {delivery.skipped}" if failed else f"    {delivery.skipped}: nothing to deploy"]
    receipt = f", receipt {delivery.tag}" if delivery.tag else ""
    fault = [f"    {delivery.live} does not answer: {delivery.fault}"] if delivery.fault else []
    if not delivery.actions:
        state = f"live {delivery.live}" if delivery.rollout else "in sync"
        return [f"    {delivery.desired}  {state}{receipt}", *fault]
    lines = [f"    {action}" for action in delivery.actions]
    if plan_only:
        return [f"  - {delivery.live or 'nothing'}", f"  + {delivery.desired}", *lines]
    lines += [f"    {probe}" for probe in delivery.probes]
    state = "deployed" if delivery.fault else "live"
    return [*lines, f"    {delivery.live or 'nothing'}  {state}{receipt}", *fault]
