"""Makes evidently.json. Runs in an environment of its own: pip install "evidently==0.7.23" "pandas<3".

The statistics whose definition we share: Wasserstein over the reference's deviation, Jensen–Shannon over levels, and
the Kolmogorov–Smirnov statistic that stands behind Evidently's p-value.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from scipy.stats import ks_2samp


def main() -> None:
    """Writes the cases with what Evidently says of them."""
    rng = np.random.default_rng(3)
    cases = []
    for n, m, shift in ((60, 40, 0.0), (80, 50, 0.4), (50, 90, 2.0)):
        reference, current = np.round(rng.normal(size=n), 3), np.round(rng.normal(shift, 1.2, size=m), 3)
        before, after = rng.integers(5, 40, 6), rng.integers(5, 40, 6)
        levels = [pd.Series(np.repeat(list("abcdef"), counts)) for counts in (before, after)]

        def score(name: str, sides: list[pd.Series], kind: ColumnType) -> float:
            test = get_stattest(sides[0], sides[1], kind, name)
            return float(test(sides[0], sides[1], kind, None).drift_score)

        numbers = [pd.Series(reference), pd.Series(current)]
        p = score("ks", numbers, ColumnType.Numerical)
        assert p == ks_2samp(reference, current).pvalue
        cases.append({
            "reference": reference.tolist(), "current": current.tolist(),
            "reference_counts": before.tolist(), "current_counts": after.tolist(),
            "ks": float(ks_2samp(reference, current).statistic),
            "wasserstein": score("wasserstein", numbers, ColumnType.Numerical),
            "jensenshannon": score("jensenshannon", levels, ColumnType.Categorical),
        })  # fmt: skip
    made = {"made_with": "evidently 0.7.23, pandas 2, by make_evidently_goldens.py", "cases": cases}
    Path(__file__).with_name("evidently.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
