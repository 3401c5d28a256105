"""Columns of the one table as NumPy sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def seconds(times: Any) -> NDArray[np.float64]:
    """Moments as seconds since 1970 (rows,)."""
    import pyarrow as pa

    return np.asarray(np.asarray(times.cast(pa.int64()), dtype=np.float64) / 1e6)


def mask(column: Any) -> NDArray[np.bool_]:
    """Truth values without nulls (rows,)."""
    return np.asarray(column, dtype=bool)
