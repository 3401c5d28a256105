from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.evidence.verdict import SEVERITY, Outcome
from modelyard.metrics.evaluation import SliceResult
from modelyard.report.html.proposal import render_html
from modelyard.report.markdown.comment import LIMIT, marker, render_comment, render_markdown
from modelyard.report.markdown.safe import text
from modelyard.report.markdown.summary import REPORT, ModelReport, render_summary, report_in
from report.proposals import KINDS, LEAKED, report
from support.evidence import DRIFT, EVALUATION, bundle

GOLDEN = Path(__file__).parent / "golden"


def of_model(model: str, kind: str) -> ModelReport:
    """One model's report in a pull request of several."""
    found, _ = KINDS[kind]
    found = replace(found, bundle=replace(found.bundle, model=model))
    body = render_comment(found).body
    return ModelReport(model, found.verdict.outcome, found.why, found.next_step, body)


@pytest.mark.parametrize("name", [*sorted(KINDS), "two_models"])
def test_golden_comment(name: str) -> None:
    path = GOLDEN / f"{name}.md"
    if name == "two_models":
        rendered = render_summary([of_model("churn", "good"), of_model("fraud", "leaked")], LIMIT)
    else:
        found, notes = KINDS[name]
        rendered = render_comment(found, notes=notes).body
    if not path.exists():
        path.write_text(rendered, encoding="utf-8")
        pytest.fail(f"{path} was written; look at it and commit it")
    assert rendered == path.read_text(encoding="utf-8")


def test_same_report_same_bytes() -> None:
    assert render_markdown(report()) == render_markdown(report())
    assert render_html(report()) == render_html(report())


def test_failures_come_first_and_the_headline_says_what_to_do() -> None:
    lines = render_markdown(report(LEAKED)).splitlines()
    assert lines[1] == "## ⛔ Do not merge churn: 3 of 6,000 held-out rows are in the training data \\(limit 0\\)"
    assert "no-leak cannot be waived" in lines[3]
    folded = lines.index("<details><summary>13 passed</summary>")
    rows = [i for i, line in enumerate(lines) if "| ✅ pass |" in line or "| ❌ fail |" in line]
    assert "no-leak" in lines[rows[0]] and rows[0] < folded < rows[1], "what passed is folded"
    assert "| AUC ≤ 0.85, no shared row |" in lines[rows[0]], "the limit has its unit"


def test_rules_of_several_models_are_told_as_rules() -> None:
    rules = [replace(of_model(name, "rules_changed"), rules=True) for name in ("churn", "fraud")]
    assert render_summary(rules, LIMIT).splitlines()[1] == "## 📜 Rules of 2 models change"
    mixed = render_summary([*rules, of_model("price", "good")], LIMIT)
    assert mixed.splitlines()[1] == "## ✅ All 3 models may be merged"


@given(
    st.lists(
        st.tuples(st.sampled_from(SEVERITY), st.text(max_size=300), st.text(max_size=3000)), min_size=2, max_size=400
    ),
    st.integers(4_000, 60_000),
)
@settings(max_examples=40, deadline=None)
def test_a_summary_fits_whatever_is_in_it(models: list[tuple[Outcome, str, str]], limit: int) -> None:
    reports = [
        ModelReport(f"m_{i}", outcome, said, f"Next: {said}", f"{marker(f'm_{i}')}\n{text(body, 3000)}\n")
        for i, (outcome, said, body) in enumerate(models)
    ]
    shown = render_summary(reports, limit)
    assert len(shown) <= limit and shown.startswith(f"{REPORT}\n## ")
    assert shown.count("<details>") == shown.count("</details>")
    order = {f"m\\_{i}": SEVERITY.index(outcome) for i, (outcome, _, _) in enumerate(models)}
    rows = [order[line.split(" ")[1]] for line in shown.splitlines() if line.startswith("| m\\_")]
    assert rows == sorted(rows), "largest trouble first"
    for one in reports:
        assert report_in(shown, one.model).rstrip() in ("", one.body.rstrip())


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
