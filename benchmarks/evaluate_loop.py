"""The usual way: scikit-learn's functions on rows drawn by NumPy, once per replicate, for all rows and every slice."""

from __future__ import annotations

import sys

import numpy as np
from evaluation_rows import LEVELS, PRECISION, THRESHOLD, rows
from numpy.typing import NDArray
from sklearn import metrics as sk


def every_metric(label: NDArray[np.float64], score: NDArray[np.float64]) -> list[float]:
    """The nine metrics of a binary task."""
    decided = score >= THRESHOLD
    precision, recall, _ = sk.precision_recall_curve(label, score)
    return [
        sk.roc_auc_score(label, score), sk.average_precision_score(label, score),
        float(recall[precision >= PRECISION].max()), sk.log_loss(label, score), sk.brier_score_loss(label, score),
        sk.accuracy_score(label, decided), sk.f1_score(label, decided), sk.precision_score(label, decided),
        sk.recall_score(label, decided),
    ]  # fmt: skip


def main(replicates: int) -> None:
    """Metrics once, and their paired differences in each replicate."""
    label, candidate, champion, columns = rows()
    parts = [np.arange(label.size), *(np.flatnonzero(codes == i) for codes in columns for i in range(LEVELS))]
    rng = np.random.default_rng(1)
    for part in parts:
        every_metric(label[part], candidate[part])
        every_metric(label[part], champion[part])
        drawn = []
        for _ in range(replicates):
            chosen = part[rng.integers(0, part.size, part.size)]
            pair = [np.array(every_metric(label[chosen], score[chosen])) for score in (candidate, champion)]
            drawn.append(pair[0] - pair[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
