from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import yaml
from huggingface_hub import ModelCard
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.names import Version
from modelyard.registry.lineage import Lineage, Source
from modelyard.report.markdown.card import Card, render_card
from support.evidence import ARTIFACT, bundle
from support.yard import MODEL_YAML

GOLDEN = Path(__file__).parent / "golden" / "card.md"
MORE = "license: mit\nlimitations: Not for people.\ncard: Ranks customers.\n"
LINEAGE = Lineage(
    "churn", Version("v1.2.0"), 1_700_000_000, ARTIFACT, "c" * 40, "Learn from spring", "Ada", (Source("data/flights", "e" * 32, "Ada, abc: new"),),
    {"train": {"trees": 5}}, {"lightgbm": "4.7.0"}, "v1.1.0", "pass", "ada", ("grace",), "Bot", 7, "", {}, (),
)  # fmt: skip


def card(**changes: object) -> Card:
    model = parse(Model, (MODEL_YAML.format(name="churn") + MORE).encode(), "model.yaml")
    return Card(msgspec.structs.replace(model, **changes), LINEAGE, bundle())


def test_the_card_is_complete_and_hugging_face_reads_it() -> None:
    assert card().missing == ()
    rendered = render_card(card())
    if not GOLDEN.exists():
        GOLDEN.write_text(rendered)
    assert rendered == GOLDEN.read_text()
    parsed: Any = ModelCard(rendered)
    assert parsed.data.license == "mit" and parsed.data.library_name == "lightgbm"
    results = {r.metric_type: r.metric_value for r in parsed.data.eval_results or []}
    evaluation = card().bundle.evaluation
    auc = evaluation.metric("auc") if evaluation else None
    assert auc and auc.candidate and results["roc_auc"] == round(auc.candidate, 6)


def test_what_is_missing_is_said_in_the_card() -> None:
    poor = replace(
        card(license="", card="", limitations=""),
        bundle=bundle(evaluation=None),
        lineage=msgspec.structs.replace(LINEAGE, data=(), approved_by=()),
    )
    assert len(poor.missing) == 6
    rendered = render_card(poor)
    assert "## Missing from this card" in rendered and rendered.count("_Not given._") == 2
    assert "license" not in yaml.safe_load(rendered.split("---")[1])


def test_markup_in_a_description_stays_text() -> None:
    rendered = render_card(card(description="<script>alert(1)</script> | a"))
    assert "<script>" not in rendered
