"""The answer to ``/modelyard explain``: each rule in words, and how the way on looks."""

from __future__ import annotations

import msgspec

from modelyard.manifests.document import Document
from modelyard.manifests.policy import AnyCheck, Policy
from modelyard.report.safe import table, text

EXPLAINED = "<!-- modelyard:explain -->"
_LEVELS = {
    "advisory": "It is shown and never blocks.",
    "soft": "It blocks; a reviewed waiver lets one artifact pass until a day.",
    "hard": "It blocks and cannot be waived.",
}


def explain(model: str, policy: Policy, lines: Document, report: str, check: str | None) -> str:
    """The rules of a policy (or one of them) against the comment that reports on a model."""
    parts = [f"## How {text(model)} is judged: {text(policy.name)}", "", text(policy.description, 1000), ""]
    for i, rule in enumerate(policy.checks):
        if check in (None, rule.id):
            parts += _rule(rule, f"{lines.file}:{lines.line(('checks', i))}", report)
    return "\n".join([*parts, EXPLAINED, ""])


def _rule(rule: AnyCheck, where: str, report: str) -> list[str]:
    settings = [
        [text(field.name), text(_shown(getattr(rule, field.name)))]
        for field in msgspec.structs.fields(rule)
        if field.name not in ("id", "why", "level", "kind") and getattr(rule, field.name) is not None
    ]
    row = next((line for line in report.splitlines() if line.startswith(f"| {text(rule.id)} ")), "")
    outcome = row.rsplit("|", 2)[1].strip() if row.count("|") > 2 else ""
    said = next((line for line in report.splitlines() if line.startswith("- ") and f"**{text(rule.id)}**" in line), "")
    lines = [f"<details{' open' if said else ''}><summary><b>{text(rule.id)}</b> {outcome}</summary>", ""]
    lines += [f"{text(rule.why, 1000)} {_LEVELS[rule.level]} Rule: `{where}`.", ""]
    lines += [*(table(["setting", "value"], settings) if settings else []), ""]
    return [*lines, *([said, ""] if said else []), "</details>", ""]


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
