"""The comment on a pull request that reports on a candidate."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec

from modelyard.documents import encode
from modelyard.evidence.verdict import Outcome
from modelyard.report.content import Report
from modelyard.report.markdown.custom import custom_section
from modelyard.report.markdown.safe import fold, is_address, spans, table, text
from modelyard.report.markdown.sections import (
    backtest_section,
    changes_section,
    checks_section,
    drift_section,
    fairness_section,
    flips_section,
    lineage_section,
    metrics_section,
    numbering_section,
    slices_section,
)

LIMIT = 60_000
"""Characters of a comment; GitHub accepts 65,536."""

NOTHING: Mapping[str, str] = MappingProxyType({})
RUNS = 5
"""Earlier runs that a comment lists."""

_ARTIFACT = re.compile(r"^<sub>commit [0-9a-f]{12} · artifact sha256 ([0-9a-f]{64})\b", re.MULTILINE)
_URL = r"https://[\w./:@%~-]+"
_PAGE = r"https?://[\w./:@%~#-]+"
_LINK = re.compile(rf'<a href="({_URL})">full report</a>')
_RUNS = re.compile(r"^<!-- modelyard:runs (\[[^<>]{0,2000}\]) -->\s*\Z", re.MULTILINE)


class Run(msgspec.Struct, frozen=True, array_like=True):
    """One report that this comment showed: commit, verdict, and sha256 of the report."""

    commit: str
    outcome: Literal["pass", "fail", "inconclusive", "waived", "error"]
    digest: str


@dataclass(frozen=True)
class Rendered:
    """A comment, and the sha256 of the report in it. The list of earlier runs is not part of the report."""

    body: str
    digest: str
    reported: str = ""
    """The text that ``digest`` is of."""


def marker(model: str) -> str:
    """The invisible text by which the comment about a model is found again."""
    return f"<!-- modelyard:report {model} -->"


def artifact_in(body: str) -> str:
    """sha256 of the artifact that a comment of ours reports on; '' if it names none."""
    found = _ARTIFACT.search(body)
    return found[1] if found else ""


def render_markdown(report: Report) -> str:
    """The report as a file."""
    return render_comment(report).body


def render_comment(
    report: Report,
    earlier: str = "",
    limit: int = LIMIT,
    url: str = "",
    notes: Sequence[str] = (),
    orders: bool = False,
    picture: str = "",
    pages: Mapping[str, str] = NOTHING,
    addresses: Mapping[str, str] = NOTHING,
) -> Rendered:
    """The comment that every run updates. Equal reports over the same ``earlier`` comment give equal bytes.

    ``limit`` is in characters: the longest sections are left out until the comment fits, and named at the top. ``url``
    is the page of the run with the full report, ``picture`` the address of the metrics' picture. ``notes`` are shown
    at the top. With ``orders`` the comment lists the comment commands. ``pages`` are the run's pages elsewhere (title →
    address); they are no part of the report. ``addresses`` are those of the team's own pictures, by name.
    """
    head = [marker(report.bundle.model), f"## {spans(report.headline)}", "", text(report.next_step), ""]
    head += [f"> ⚠️ {text(note, 2000)}\n" for note in (*notes, *report.verdict.notes)[:10]]
    sections = [
        ("checks", checks_section(report)),
        ("number", numbering_section(report)),
        ("policy backtest", backtest_section(report)),
        ("picture", [f"![Metrics of candidate and champion]({picture})", ""] if picture else []),
        ("the team's own report", custom_section(report, addresses)),
        ("worst slices", slices_section(report)),
        ("flips", fold("Decisions that flip", flips_section(report))),
        ("all metrics", fold("All metrics", metrics_section(report))),
        ("fairness", fold("Gaps between groups", fairness_section(report))),
        ("drift", fold("Drift", drift_section(report))),
        ("changes", fold("Changes of data, parameters and files", changes_section(report))),
        ("lineage", fold("Lineage", lineage_section(report))),
        ("reproduce", fold("How to reproduce", ["```sh", *report.reproduce(), "```"])),
    ]
    kept = [(name, "\n".join(lines)) for name, lines in sections if lines]
    left_out: list[str] = []
    room = limit - len("\n".join(head)) - 4000
    while len(kept) > 1 and sum(len(body) for _, body in kept) > room:
        left_out.append(kept.pop(max(range(len(kept)), key=lambda i: (kept[i][0] != "checks", len(kept[i][1]))))[0])
    if left_out:
        head[3:3] = [
            f"> Left out, because comments have a size limit: {', '.join(left_out)}. The HTML report is complete.",
            "",
        ]
    body = "\n".join([*head, *(f"{body}\n" for _, body in kept)])
    digest = hashlib.sha256(body.encode()).hexdigest()
    now = Run(report.commit, report.verdict.outcome, digest)
    runs = _runs(earlier, now)
    if _kept(earlier)[:1] == [now]:  # the same report again keeps the link to its first run
        found = _LINK.search(earlier)
        url = found[1] if found else ""
    return Rendered(body + "\n".join(_foot(report, digest, runs, url, orders, pages)) + "\n", digest, body)


def joint_digest(digests: Sequence[str]) -> str:
    """One sha256 for all reports of a pull request, in the order of their models; of a single report its own."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest() if digests else ""


def outcome_sign(outcome: Outcome) -> str:
    """The sign of a verdict."""
    return {"pass": "✅", "fail": "⛔", "inconclusive": "⚪", "waived": "🟡", "error": "💥"}[outcome]


def _foot(
    report: Report, digest: str, runs: tuple[Run, ...], url: str, orders: bool, pages: Mapping[str, str]
) -> list[str]:
    name = report.bundle.model
    lines = [""]
    if len(runs) > 1:
        rows = [
            [f"`{r.commit[:10]}`", f"{outcome_sign(r.outcome)} {r.outcome}", f"`{r.digest[:12]}`"] for r in runs[1:]
        ]
        lines += [*fold("Earlier runs", table(["commit", "verdict", "report sha256"], rows)), ""]
    if orders:
        written = [
            f"`/modelyard explain` · `/modelyard retrain model={name}`",
            f'`/modelyard waive model={name} check=… until=YYYY-MM-DD reason="…"`',
            f"`/modelyard promote model={name} env=…` · `/modelyard rollback model={name} env=… to=v…`",
        ]
        lines += [*fold("Commands: write one as a comment", [f"- {order}" for order in written]), ""]
    more = f' · <a href="{url}">full report</a>' if is_address(url) else ""
    for title, page in pages.items():
        more += f' · <a href="{page}">{text(title)} run</a>' if re.fullmatch(_PAGE, page) else ""
    lines += [
        f"<sub>commit {report.commit[:12]} · artifact sha256 {report.bundle.artifact or '–'}{more}<br>"
        f"report sha256 {digest}</sub>",
        "",
    ]
    kept = ",".join(encode(run).decode() for run in runs)
    return [*lines, f"<!-- modelyard:runs [{kept}] -->"]


def _runs(earlier: str, now: Run) -> tuple[Run, ...]:
    """This run and the runs before it, newest first."""
    return (now, *[run for run in _kept(earlier) if run != now][:RUNS])


def _kept(earlier: str) -> list[Run]:
    found = _RUNS.search(earlier)
    try:
        known = msgspec.json.decode(found[1], type=list[Run]) if found else []
    except msgspec.MsgspecError:
        return []
    return [r for r in known if re.fullmatch(r"[0-9a-f]{40}", r.commit) and re.fullmatch(r"[0-9a-f]{64}", r.digest)]
