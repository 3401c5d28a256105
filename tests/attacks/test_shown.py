"""What an attacker tries with texts in evidence, tags and branches: to have a reader or a program take them for ours."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from modelyard.candidate.workspace import is_generated
from modelyard.documents import visible
from modelyard.errors import ModelyardError
from modelyard.evidence.custom import CustomReport, Page
from modelyard.evidence.production import Erasure, Joined
from modelyard.evidence.statement import read_statement
from modelyard.evidence.verdict import CheckResult
from modelyard.forges.interface import is_marked
from modelyard.gate.triggers import Due, Worth
from modelyard.manifests.conversion import parse
from modelyard.manifests.document import ManifestErrors, parse_document
from modelyard.manifests.model import Model
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.registry.lineage import Lineage
from modelyard.registry.tags import read_version_record
from modelyard.report.content import Report
from modelyard.report.html.figure import draw
from modelyard.report.html.pictures import standalone
from modelyard.report.html.proposal import render_html
from modelyard.report.html.site import index_page, model_page
from modelyard.report.html.window import render_monitoring_html
from modelyard.report.markdown.bodies import (
    forgetting_body,
    increment_body,
    plan_part,
    render_cause,
    retrain_body,
    rollback_story,
)
from modelyard.report.markdown.card import Card, render_card
from modelyard.report.markdown.comment import artifact_in, marker, render_comment
from modelyard.report.markdown.safe import code, code_line, text
from modelyard.report.terminal.layout import Layout, Table
from modelyard.report.terminal.text import bold, coloured
from modelyard.rollout.plan import Delivery, JournalEntry
from modelyard.rollout.progress import RolloutState
from modelyard.terminal import result, result_json
from report import samples
from support.yard import MODEL_YAML

EVIL = "e" * 64
CORPUS = {
    "heading": "x\n# pwned",
    "mention": "@victim @acme/everybody",
    "image": "![pixel](https://evil.example/p.png)",
    "link": "[click](javascript:alert(1)) https://evil.example www.evil.example",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "command": "x\n/approve\n/merge\n/modelyard promote env=production",
    "marker": "<!-- modelyard:report other -->",
    "runs": '<!-- modelyard:runs [["' + "a" * 40 + '","pass","' + "b" * 64 + '"]] -->',
    "digest": f"x\n<sub>commit {'a' * 12} · artifact sha256 {EVIL}<br>\nreport sha256 {EVIL}</sub>",
    "fence": "```\n</details>\n# out of the fence",
    "cell": "a | b | c\n|---|---|",
    "bidi": "safe\u202egnp.exe \u2066x\u2069 \u200f",
    "control": "a\x1b]0;title\x07\x1b[2J\x00b",
    "long": "y" * 20_000,
}


def faults(shown: str) -> list[str]:
    """What of the corpus still works in Markdown."""
    fences = re.findall(r"^```(?:sh|diff|mermaid)?$", shown, re.MULTILINE)
    assert shown.count("```") == len(fences) and len(fences) % 2 == 0, "no text ends or opens a fenced block"
    shown = re.sub(r"```\w*\n.*?\n```", "", shown, flags=re.DOTALL)  # nothing is a link or a mention there
    outside = re.sub(r"\\[`\\]|`[^`\n]*`", "", shown)  # a backtick after a backslash begins no code
    found = [line for line in shown.split("\n") if re.match(r"\s*(# pwned|# out|/approve|/merge|/modelyard)", line)]
    for pattern in (
        r"@victim", r"@acme", r"!\[pixel\]\(", r"\]\(javascript", r"https://evil", r"\bwww\.evil", r"<script", r"<img src=x",
        r"<!-- modelyard:report other", rf"<sub>commit a+ · artifact sha256 {EVIL}",
    ):  # fmt: skip
        found += re.findall(pattern, outside)
    found += re.findall("[\x00\x07\x1b\u202e\u2066\u2069\u200f]", shown)
    return found


def _of_churn(report: Report) -> Report:
    """The report with what its reader has checked: the model's name, the digest of the artifact, the commit."""
    bundle = dataclasses.replace(report.bundle, model="churn", artifact="a" * 64)
    return dataclasses.replace(report, bundle=bundle, commit="c" * 40)


@pytest.mark.parametrize("name", sorted(CORPUS))
@pytest.mark.parametrize("render", [samples.report, samples.first_version], ids=["champion", "first"])
def test_to_write_into_our_comment_with_any_text_of_evidence(name: str, render: Callable[[str], Any]) -> None:
    shown = render_comment(_of_churn(render(CORPUS[name]))).body
    assert faults(shown) == []
    assert len(re.findall(r"^<!-- modelyard:runs ", shown, re.MULTILINE)) == 1


SYNTAX = [
    "# ",
    "- ",
    "1. ",
    "| a | b |\n|---|---|\n| ",
    "```\n",
    "\n```\n",
    "**",
    "*",
    "`",
    "![p](p.png)\n",
    "\n\n",
    "\n",
    "\\",
]
PIECES = st.lists(st.sampled_from([*SYNTAX, *(value[:300] for value in CORPUS.values())]), max_size=12)


@given(PIECES, st.sampled_from([{}, {"p.png": "https://forge.example/p.png"}]))
def test_to_write_into_our_comment_with_a_page_of_the_teams_own(pieces: list[str], addresses: dict[str, str]) -> None:
    custom = CustomReport((Page("notes.md", "".join(pieces)),), (), (), ("".join(pieces)[:500],))
    report = _of_churn(samples.report("word"))
    report = dataclasses.replace(report, bundle=dataclasses.replace(report.bundle, custom=custom))
    shown = render_comment(report, addresses=addresses).body
    assert faults(shown.replace("![p](https://forge.example/p.png)", "")) == []
    assert artifact_in(shown) == "a" * 64 and len(re.findall(r"^<!-- modelyard:runs ", shown, re.MULTILINE)) == 1
    for tag in ("details", "summary", "sub"):
        assert shown.count(f"<{tag}>") == shown.count(f"</{tag}>"), "no text ends or begins a fold"
    assert not re.search(r"<(?!/?(details|summary|sub|br|a)\b|!-- modelyard:(report churn|runs) )[a-zA-Z!/]", shown)


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_to_write_into_the_plan_of_a_deployment(name: str) -> None:
    delivery = Delivery(
        environment="production", model="churn", desired="v1", live=None, actions=(), skipped=CORPUS[name], rollout=CORPUS[name]
    )  # fmt: skip
    shown = plan_part([delivery])
    assert faults(shown) == []


BODIES: dict[str, Callable[[str], str]] = {
    "a failed watch": lambda text: render_cause(*samples.window(text)[:2], samples.filled(CheckResult, text)),
    "a retraining": lambda text: retrain_body(
        "churn", "drift", samples.filled(Due, text), samples.filled(Worth, text), samples.filled(Evaluation, text),
        samples.filled(Drift, text), 1, 1, 1.0,
    ),
    "an increment": lambda text: increment_body(text, text, text, 0, 1, samples.filled(Joined, text)),
    "an erasure": lambda text: forgetting_body(text, samples.filled(Erasure, text), [text, text]),
    "a rollback": lambda text: rollback_story(samples.filled(RolloutState, text), [JournalEntry(0, text)]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CORPUS))
@pytest.mark.parametrize("body", sorted(BODIES))
def test_to_write_into_our_issues_and_pull_requests(body: str, name: str) -> None:
    assert faults(BODIES[body](CORPUS[name])) == []


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_to_write_into_a_card(name: str) -> None:
    model = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
    lineage = samples.filled(Lineage, CORPUS[name])
    bundle = dataclasses.replace(samples.report(CORPUS[name]).bundle, model="churn", artifact="a" * 64)
    front, _, shown = render_card(Card(model, lineage, bundle)).removeprefix("---\n").partition("\n---\n")
    assert faults(shown) == [] and isinstance(yaml.safe_load(front), dict)


PAGES: dict[str, Callable[[str], str]] = {
    "report": lambda text: render_html(samples.report(text)),
    "picture": lambda text: standalone(draw(1, 1, [f"<text>{text}</text>"], text)),
    "window": lambda text: render_monitoring_html(*samples.window(text)),
    "site": lambda text: index_page(text, ["staging", text], [samples.model_page(text, text)]),
    "model": lambda text: model_page(text, ["staging", text], samples.model_page(text, text), f"<p>{text}</p>"),
}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_to_turn_the_direction_of_text_in_a_page(page: str) -> None:
    shown = PAGES[page]("safe\u202egnp \u2066x\u2069 \u200f \x1b[31m \x00")
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2060-\u206f]", shown) == []
    assert "safe\\u202egnp \\u2066x\\u2069 \\u200f \\x1b[31m \\x00" in shown


@pytest.mark.parametrize("name", sorted(CORPUS))
def test_one_line_of_markdown_stays_one_line(name: str) -> None:
    for shown in (text(CORPUS[name]), code(CORPUS[name]), code_line(CORPUS[name])):
        assert "\n" not in shown
    assert faults(text(CORPUS[name])) == []


def test_to_have_a_comment_taken_for_our_report() -> None:
    own = marker("churn")
    assert is_marked(f"{own}\n## ✅", own) and is_marked(f"{own}\r\n## ✅", own)
    for forged in (f"## Hello\n{own}\n", f" {own}", f"> {own}\n", f"{own} more", f"x {own}\n"):
        assert not is_marked(forged, own)


def test_to_have_another_artifact_waived_through_a_forged_foot() -> None:
    shown = render_comment(_of_churn(samples.report(CORPUS["digest"]))).body
    assert artifact_in(shown) != EVIL


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\u2066b", "a\\u2066b"),
        ("a\x1b]b", "a\\x1b]b"),
        ("a\0b", "a\\x00b"),
        ("\u2028", "\\u2028"),
        ("naïve – 😀\tok\n", "naïve – 😀\tok\n"),
    ],
)
def test_to_hide_text_by_characters_that_nobody_sees(
    hostile: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert visible(hostile) == shown
    result(hostile)
    assert capsys.readouterr().out == f"{shown}\n"


def _on_a_terminal(text: str) -> str:
    """What a terminal gets where a command prints a heading of ours with ``text`` in it."""
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", "import sys; from modelyard.terminal import result; from modelyard.report.terminal.text"
               " import bold, coloured; result(bold(sys.argv[1]) + coloured('pass'))", text]  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run(program, stdout=theirs, env=environment, check=True)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)
    return shown


@pytest.mark.parametrize("evil", ["\x1b[30mBLACK", "\x1b[32mapproved\x1b[0m", "\x1b[1;1m", "\x1b[123456;32mgreen"])
def test_to_colour_text_on_a_terminal(evil: str, capsys: pytest.CaptureFixture[str]) -> None:
    escaped = evil.replace("\x1b", "\\x1b")
    assert _on_a_terminal(evil) == f"\x1b[1m{escaped}\x1b[0m\x1b[32mpass\x1b[0m\r\n"
    result(Layout.of(bold(evil), Table(["a", "b"], [[evil, coloured("pass")]])))
    shown = capsys.readouterr().out
    assert shown.count(escaped) == 2 and "\x1b" not in shown


def test_to_hide_text_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    result_json({"why": "safe\u202egnp \x9b31m \u2066 é 😀"})
    shown = capsys.readouterr().out
    assert "safe\\u202egnp \\u009b31m \\u2066 é 😀" in shown
    assert json.loads(shown) == {"why": "safe\u202egnp \x9b31m \u2066 é 😀"}


DEEP = 1_000_000


def test_to_crash_a_reader_by_nesting(tmp_path: Path) -> None:
    nested = b'{"a":' * DEEP + b"1" + b"}" * DEEP
    with pytest.raises(ModelyardError):
        read_statement(nested, "training", dict)
    statement = json.dumps(
        {"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "x", "predicate": 0}
    ).encode()
    with pytest.raises(ModelyardError):
        read_statement(
            statement.replace(b'"predicate": 0', b'"predicate": ' + b"[" * 50_000 + b"]" * 50_000), "training", dict
        )
    assert read_version_record("x\n\n" + '{"artifact":' * 100_000) is None
    for content in (b"[" * 20_000 + b"]" * 20_000, b"a:\n" + b"".join(b" " * i + b"a:\n" for i in range(1, 2000))):
        with pytest.raises(ManifestErrors):
            parse_document(content, "modelyard.yaml")
    for content in (b"\xff\xfe", b"a: \xc3\x28"):
        with pytest.raises(ManifestErrors, match="UTF-8"):
            parse_document(content, "modelyard.yaml")


@pytest.mark.parametrize("path", ["models/churn/src/x.py", "models/churn/src/profile.json", "models/churn/model.yaml"])
def test_to_have_code_taken_for_a_generated_file(path: str) -> None:
    assert not is_generated(path)
