"""The loader that MLflow's python_function flavour calls: a DataFrame in, one score for each row out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..served import Served


class Predictor:
    """The object that ``mlflow.pyfunc.load_model`` returns."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def predict(self, frame: Any, params: dict[str, Any] | None = None) -> Any:
        """Scores (rows,), of a multiclass model a DataFrame with a column for each class."""
        import pandas as pd

        rows = frame.astype(object).where(pd.notna(frame), None)
        scores = self._served.answer({name: rows[name].tolist() for name in rows.columns})
        classes = self._served.signature.classes
        return pd.DataFrame(scores, columns=list(classes), index=frame.index) if classes else scores


def _load_pyfunc(path: str) -> Predictor:
    """The loaded version of a folder. MLflow calls this function by its name."""
    return Predictor(Served.open(Path(path)))
