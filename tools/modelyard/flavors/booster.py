"""A LightGBM model through the library's C interface, prepared once for rows one at a time.

The preparations of each ``Booster.predict`` call cost more than a hundred trees.

Functions and constants are those of LightGBM's documented C API (``LightGBM/c_api.h``), stable since 3.0. The flavor
loads and checks the artifact first.
"""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLOAT64, _NORMAL, _ROW_MAJOR = 1, 0, 1

_PARAMETERS = b"num_threads=1"  # on one row, starting threads costs more than the trees
_DOUBLES = ctypes.POINTER(ctypes.c_double)


class NativeBooster:
    """A model that predicts with one thread. Several threads may call it."""

    def __init__(self, library: Path, model: str, inputs: int, outputs: int) -> None:
        """``outputs`` is 1, or the number of classes. Raises OSError or ValueError if the library fails."""
        self._library = ctypes.CDLL(str(library))
        self._library.LGBM_GetLastError.restype = ctypes.c_char_p
        self._inputs, self._outputs = inputs, outputs
        self._handle, self._single = ctypes.c_void_p(), ctypes.c_void_p()
        trees = ctypes.c_int()
        self._call("LGBM_BoosterLoadModelFromString", model.encode(), ctypes.byref(trees), ctypes.byref(self._handle))
        self._call(
            "LGBM_BoosterPredictForMatSingleRowFastInit", self._handle, _NORMAL, 0, -1, _FLOAT64, inputs, _PARAMETERS,
            ctypes.byref(self._single),
        )  # fmt: skip
        self._row, self._result = np.empty(inputs), np.empty(outputs)
        self._arguments = (
            self._single, ctypes.c_void_p(self._row.ctypes.data), ctypes.byref(ctypes.c_int64()),
            self._result.ctypes.data_as(_DOUBLES),
        )  # fmt: skip
        self._predict_row = self._library.LGBM_BoosterPredictForMatSingleRowFast
        self._busy = threading.Lock()  # the shadow calls from another thread, and there is one row buffer

    def predict(self, matrix: NDArray[np.float64], **_: Any) -> NDArray[np.float64]:
        """Scores (rows,), or (rows, classes), of a C-contiguous matrix (rows, inputs)."""
        rows = len(matrix)
        if rows == 1 and matrix.shape[1] == self._inputs:
            with self._busy:
                self._row[:] = matrix[0]
                if self._predict_row(*self._arguments):
                    raise ValueError(self._fault())
                found = self._result.copy()
        else:
            found = np.empty(rows * self._outputs)
            self._call(
                "LGBM_BoosterPredictForMat", self._handle, matrix.ctypes.data_as(ctypes.c_void_p), _FLOAT64, rows,
                matrix.shape[1], _ROW_MAJOR, _NORMAL, 0, -1, _PARAMETERS, ctypes.byref(ctypes.c_int64()),
                found.ctypes.data_as(_DOUBLES),
            )  # fmt: skip
        return found if self._outputs == 1 else found.reshape(rows, self._outputs)

    def __del__(self) -> None:
        if getattr(self, "_single", None):
            self._library.LGBM_FastConfigFree(self._single)
        if getattr(self, "_handle", None):
            self._library.LGBM_BoosterFree(self._handle)

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            raise ValueError(self._fault())

    def _fault(self) -> str:
        return str(self._library.LGBM_GetLastError().decode(errors="replace"))
