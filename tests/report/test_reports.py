from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.evidence.bundle import Bundle
from modelyard.gate.judge import judge
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import Policy
from modelyard.metrics.evaluation import SliceResult
from modelyard.report.content import Report
from modelyard.report.html.proposal import render_html
from modelyard.report.markdown.comment import LIMIT, render_comment, render_markdown
from modelyard.report.markdown.safe import text
from support.evidence import DRIFT, EVALUATION, bundle
from support.yard import MODEL_YAML, POLICIES

GOLDEN = Path(__file__).parent / "golden"
MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")


def report(found: Bundle | None = None) -> Report:
    document = parse_document((POLICIES / "standard.yaml").read_bytes(), "policies/standard.yaml")
    found = found or bundle()
    verdict = judge(convert(Policy, document), document, found, (), date(2026, 5, 3), known=MODEL)
    return Report(verdict, found, "c" * 40, ("@team",))


LEAKED = bundle(evaluation=replace(EVALUATION, leakage=replace(EVALUATION.leakage, overlap=3)))


@pytest.mark.parametrize(
    ("name", "found"), [("good", bundle()), ("leaked", LEAKED), ("bare", bundle(evaluation=None, drift=None))]
)
def test_golden_comment(name: str, found: Bundle, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{name}.md"
    rendered = render_markdown(report(found))
    if not path.exists():
        path.write_text(rendered, encoding="utf-8")
        pytest.fail(f"{path} was written; look at it and commit it")
    assert rendered == path.read_text(encoding="utf-8")


def test_same_report_same_bytes() -> None:
    assert render_markdown(report()) == render_markdown(report())
    assert render_html(report()) == render_html(report())


def test_failures_come_first_and_the_headline_says_what_to_do() -> None:
    lines = render_markdown(report(LEAKED)).splitlines()
    assert lines[1] == "## ⛔ Do not merge churn: 1 of 14 checks failed"
    assert "no-leak cannot be waived" in lines[3]
    rows = [line for line in lines if line.endswith("✅ pass |") or line.endswith("❌ fail |")]
    assert "no-leak" in rows[0]


@given(st.text(max_size=60))
def test_names_cannot_inject_markup(value: str) -> None:
    shown = text(value)
    assert "\n" not in shown and "<" not in shown and "|" not in shown.replace("\\|", "")
    assert not re.search(r"@\w", shown) and "://" not in shown and not re.search(r"(?<!\\)`", shown.replace("\\\\", ""))


def test_hostile_level_names_reach_neither_form() -> None:
    evil = "x|</td><script>alert(1)</script> @everyone `rm` https://evil.example #1"
    part = replace(EVALUATION.slices[0], level=evil)
    found = bundle(evaluation=replace(EVALUATION, slices=(part,)))
    markdown, html = render_markdown(report(found)), render_html(report(found))
    assert "<script" not in markdown and "@everyone" not in markdown and "https://" not in markdown
    assert "<script" not in html


def test_a_huge_report_is_cut_by_section_and_says_so() -> None:
    column = replace(DRIFT.columns[0], name="<|@&" * 300, reason="<|@&" * 300)
    metrics = EVALUATION.metrics + (replace(EVALUATION.metrics[0], name="<|@&" * 300),) * 400
    part = replace(EVALUATION.slices[0], column="<|@&" * 300)
    evaluation = replace(EVALUATION, metrics=metrics, slices=(part,) * 400)
    found = bundle(drift=replace(DRIFT, columns=(column,) * 400), evaluation=evaluation)
    rendered = render_markdown(report(found))
    assert len(rendered) < LIMIT and "Left out" in rendered.splitlines()[3]
    assert 200_000 > len(render_comment(report(found), limit=900_000).body) > LIMIT, "GitLab takes more"
    assert rendered.count("```") % 2 == 0 and rendered.count("<details>") == rendered.count("</details>")


class _Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {value}" for key, value in attrs if key in ("src", "href") and value]


def test_html_is_one_small_file_that_opens_offline() -> None:
    parts = tuple(SliceResult("c", str(i), 500, True, EVALUATION.slices[0].metrics) for i in range(40))
    page = render_html(
        report(bundle(evaluation=replace(EVALUATION, slices=parts), drift=replace(DRIFT, columns=DRIFT.columns * 30)))
    )
    sources = _Sources()
    sources.feed(page)
    assert sources.found == [] and "@import" not in page and "url(" not in page
    assert len(page) < 500_000 and page.count("<svg") >= 4 and page.count("<table") >= 5


def test_every_number_in_the_comment_is_in_the_evidence() -> None:
    import msgspec

    rendered = render_markdown(report())
    evidence = msgspec.json.encode([EVALUATION, DRIFT, report().verdict]).decode()
    known = {f"{abs(float(n)):.4f}" for n in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", evidence)}
    shown = {n.lstrip("+-") for n in re.findall(r"[+-]?\b\d\.\d{4}\b", rendered)}
    assert shown and shown <= known, shown - known
