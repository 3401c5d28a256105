"""How a second making of a version compares with the first, as text."""

from __future__ import annotations

from modelyard.evidence.training import Reproduction
from modelyard.report.text import bold, coloured, table, wrapped

_SAID = {
    "pass": "made again, byte for byte",
    "inconclusive": "other bytes, but the same predictions",
    "fail": "it predicts something else",
}


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
