"""All evidence about one candidate. Missing and unusable evidence is data too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelyard.errors import ModelyardError
from modelyard.evidence.artifact import Artifact
from modelyard.evidence.custom import CustomReport
from modelyard.evidence.statement import Kind, P, Statement, read_statement
from modelyard.evidence.training import Reproduction, Training
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation


@dataclass(frozen=True)
class Bundle:
    """The evidence about one artifact."""

    model: str
    artifact: str
    """sha256 of the artifact."""
    training: Training | None = None
    evaluation: Evaluation | None = None
    drift: Drift | None = None
    scan: Artifact | None = None
    reproduction: Reproduction | None = None
    custom: CustomReport | None = None
    """What the team adds to the report. No check judges it."""
    digests: dict[str, str] = field(default_factory=dict)
    """Kind → sha256 of its document."""
    faults: dict[str, str] = field(default_factory=dict)
    """Kind → a sentence that says why that evidence cannot be used."""


def read_bundle(model: str, artifact: str, documents: Mapping[str, bytes]) -> Bundle:
    """The bundle of the given documents, by kind. Evidence that is missing, unreadable, or about another model or
    artifact is a fault.
    """
    digests: dict[str, str] = {}
    faults: dict[str, str] = {}

    def take(kind: Kind, predicate: type[P]) -> P | None:
        content = documents.get(kind)
        if content is None:
            faults[kind] = missing_evidence(kind)
            return None
        try:
            statement: Statement[P] = read_statement(content, kind, predicate)
        except ModelyardError as error:
            faults[kind] = error.problem
            return None
        if statement.model != model or statement.artifact != artifact:
            found = f"{statement.model} {statement.artifact[:12]}"
            faults[kind] = f"The {kind} evidence is about {found}, not {model} {artifact[:12]}."
            return None
        digests[kind] = statement.digest
        return statement.predicate

    return Bundle(
        model=model,
        artifact=artifact,
        training=take("training", Training),
        evaluation=take("evaluation", Evaluation),
        drift=take("drift", Drift),
        scan=take("artifact", Artifact),
        reproduction=take("reproduction", Reproduction) if "reproduction" in documents else None,
        custom=take("custom", CustomReport) if "custom" in documents else None,
        digests=digests,
        faults=faults,
    )


def missing_evidence(kind: str) -> str:
    """The fault of missing evidence."""
    return f"The {kind} evidence is missing."
