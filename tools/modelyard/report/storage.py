"""What is stored and what would go, as text."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.registry.storage import StoragePlan
from modelyard.report.text import bold, table, wrapped


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
