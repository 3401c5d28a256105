"""Each system that runs beside modelyard has a page, an adapter and a proof."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs" / "systems"
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name != "README.md")
ROOMS = ("pipelines", "trackers", "targets", "secrets", "samples", "runs", "forges", "exchanges")
"""Rooms whose every adapter is a system with a page."""
ELSEWHERE = {
    "local": "prometheus", "env": "vault", "git": "jenkins", "aws-sm": "aws-secrets-manager", "mlserver": "seldon",
    "cloudwatch": "sagemaker", "argo": "metaflow", "github": "github-actions",
}  # fmt: skip
"""Adapter → the page that tells of it, where that has another name."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_takes_and_what_was_run_for_real(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(r"# .+ with modelyard\n", text)
    assert "```" in text
    real = text.partition("\n## What was run for real\n")[2]
    proofs = re.findall(r"`(tests/[\w/.]+)`", real)
    assert proofs and all((DOCS.parents[1] / proof).is_file() for proof in proofs), "a proof that is there"
    assert "- Not run: " in real
    assert f"({page.name})" in (DOCS / "README.md").read_text(encoding="utf-8"), "the list lacks it"


@pytest.mark.parametrize("room", ROOMS)
def test_every_adapter_has_a_page(room: str) -> None:
    names = {entry.name for entry in entry_points(group=f"modelyard.{room}")}
    assert names and {name for name in names if not (DOCS / f"{ELSEWHERE.get(name, name)}.md").is_file()} == set()
