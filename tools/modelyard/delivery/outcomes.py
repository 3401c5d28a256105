"""What happened to what was predicted, from a file with the contracts' ids and labels."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import UsageError
from modelyard.manifests.repository import ModelRepository


def read_outcomes(repository: ModelRepository, file: Path | None) -> dict[str, str]:
    """Id → outcome as text; empty without a file. A UsageError when the file fits no model's contract."""
    if file is None:
        return {}
    from modelyard.tables import read_table

    table = read_table(file)
    for name in repository.model_names():
        contract = repository.model(name).contract
        if {contract.id, contract.label} <= set(table.names):
            ids, labels = table.texts(contract.id), table.texts(contract.label)
            return {str(i): str(label) for i, label in zip(ids, labels, strict=True) if label is not None}
    raise UsageError(
        f"{file} holds no model's id and label.", "Name its columns as contract.id and contract.label do in model.yaml."
    )
