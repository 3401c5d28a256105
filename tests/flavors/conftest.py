"""One trained model of each flavor."""

from __future__ import annotations

import pytest
from support.models import Trained, train

FLAVORS = ("lightgbm", "xgboost", "catboost", "sklearn", "onnx", "python")


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """Flavor → a binary model of it."""
    folder = tmp_path_factory.mktemp("cells")
    return {flavor: train(folder, flavor, "binary") for flavor in FLAVORS}
