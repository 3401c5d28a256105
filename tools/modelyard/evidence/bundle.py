"""All evidence about one candidate, with what is missing or unusable kept as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelyard.errors import ModelyardError
from modelyard.evidence.artifact import Artifact
from modelyard.evidence.statement import Kind, P, Statement, read_statement
from modelyard.evidence.training import Training
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation


@dataclass(frozen=True)
class Bundle:
    """What is known about one model artifact."""

    model: str
    artifact: str
    """sha256 of the bytes that are to be judged."""
    training: Training | None = None
    evaluation: Evaluation | None = None
    drift: Drift | None = None
    scan: Artifact | None = None
    digests: dict[str, str] = field(default_factory=dict)
    """Kind → sha256 of its document."""
    faults: dict[str, str] = field(default_factory=dict)
    """Kind → why that evidence counts as none."""


def read_bundle(model: str, artifact: str, documents: Mapping[str, bytes]) -> Bundle:
    """Reads what is there. Evidence that is unreadable, or about another model or other bytes, is a fault."""
    digests: dict[str, str] = {}
    faults: dict[str, str] = {}

    def take(kind: Kind, predicate: type[P]) -> P | None:
        content = documents.get(kind)
        if content is None:
            faults[kind] = "there is none"
            return None
        try:
            statement: Statement[P] = read_statement(content, kind, predicate)
        except ModelyardError as error:
            faults[kind] = error.problem
            return None
        if statement.model != model or statement.artifact != artifact:
            faults[kind] = f"it is about {statement.model} {statement.artifact[:12]}, not {model} {artifact[:12]}"
            return None
        digests[kind] = statement.digest
        return statement.predicate

    return Bundle(
        model,
        artifact,
        take("training", Training),
        take("evaluation", Evaluation),
        take("drift", Drift),
        take("artifact", Artifact),
        digests,
        faults,
    )
