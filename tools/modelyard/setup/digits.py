"""The example model digits: scikit-learn's handwritten digits, multiclass, from the data that it ships with."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.errors import missing_extra
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.contract_guess import Wishes
from modelyard.setup.model_addition import add_model

NAME = "digits"


def add_digits(root: Path) -> None:
    """Adds the model to a repository, as ``modelyard add`` adds one of the user's own."""
    try:
        from pandas import DataFrame
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise missing_extra("sklearn", error.name or "sklearn") from error
    found = load_digits()
    rows = DataFrame(found.data, columns=found.feature_names)
    rows["digit"] = found.target
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        table = Path(scratch) / "digits.parquet"
        rows.to_parquet(table, index=False)
        wishes = Wishes(task="multiclass", flavor="sklearn", label="digit")
        add_model(ModelRepository(root), NAME, table, wishes, (), "")
