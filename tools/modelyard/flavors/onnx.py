"""ONNX graphs, run by ONNX Runtime: for PyTorch, TensorFlow and every library that exports ONNX."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from .interface import (
    Fault,
    Flavor,
    Options,
    as_scores,
    checked,
    corrupt,
    empty,
    missing_library,
    ordered_classes,
    read_artifact,
)
from .matrix import Feature, Matrix, match_features, require_numbers
from .onnx_file import check_model
from .signature import Input, Signature
from .values import Columns, Floats, spelled_text

_WHAT = "ONNX model"
_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(int16)": np.int16, "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_, "tensor(string)": np.object_,
}  # fmt: skip


class ONNX(Flavor):
    """Graphs whose inputs are those of the contract by name, or one matrix of all inputs in the contract's order."""

    name = "onnx"
    extra = "onnx"
    packages = ("onnxruntime", "numpy")
    formats = ("onnx",)
    endings = (".onnx",)
    tolerance = 1e-5  # most graphs compute in float32
    hosts: ClassVar[Mapping[str, str]] = {
        "local": "onnx", "container": "onnx", "mlserver": "onnx", "mlflow": "onnx", "bentoml": "onnx",
        "kserve": "predictor", "seldon": "onnxruntime", "sagemaker": "container",
    }  # fmt: skip

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """``onnx`` for bytes that begin like a ModelProto: ir_version (field 1), then producer, domain or graph."""
        fields = (0x12, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42)
        return "onnx" if len(head) > 3 and head[0] == 0x08 and 1 <= head[1] <= 30 and head[2] in fields else None

    def check(self, artifact: Path) -> None:
        """Fault where the graph may run without end, reads other files or has operators that ONNX does not know."""
        _checked_bytes(artifact)

    def features(self, artifact: Path, options: Options) -> tuple[str, ...]:
        """The names of the graph's inputs; of one matrix, a number without a name for each of its columns."""
        inputs = self._session(artifact, options).get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) == 2 and shape[1] != 1:
            return ("",) * (shape[1] if isinstance(shape[1], int) else 0)
        return tuple(entry.name for entry in inputs)

    def load(self, artifact: Path, signature: Signature, options: Options) -> ONNXScorer:
        """The scorer of the graph; Fault for a graph that reads other files."""
        session = self._session(artifact, options)
        output = _output(session, artifact, options.output)
        return ONNXScorer(session, _feeds(session, artifact, signature), output, signature, artifact)

    def _session(self, artifact: Path, options: Options) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise missing_library(self.extra, "onnxruntime") from error
        content = _checked_bytes(artifact)
        setup = onnxruntime.SessionOptions()
        setup.log_severity_level = 4
        if options.threads:
            setup.intra_op_num_threads = setup.inter_op_num_threads = options.threads
        with tempfile.TemporaryDirectory() as nothing:  # external weights would have to be there
            setup.add_session_config_entry("session.model_external_initializers_file_folder_path", nothing)
            try:
                return onnxruntime.InferenceSession(content, setup, providers=["CPUExecutionProvider"])
            except Exception as error:  # the library's errors have no narrower common class
                raise corrupt(artifact, _WHAT, str(error).splitlines()[0]) from error


def _checked_bytes(artifact: Path) -> bytes:
    return checked(read_artifact(artifact, _WHAT), artifact, _WHAT, check_model)


@dataclass(frozen=True)
class Feed:
    """One input of the graph."""

    name: str
    kind: Any
    """Its NumPy type."""
    rank: int
    column: Input | None
    """The contract's input, or None for the matrix of all."""
    matrix: Matrix

    def of(self, columns: Columns) -> Any:
        """The graph's input array."""
        if self.kind is np.object_:
            values = columns[self.column.name]  # type: ignore[union-attr]
            found: Any = np.array(["" if value is None else value for value in values], dtype=object).reshape(-1, 1)
        else:
            found = self.matrix.of(columns)
            if not np.issubdtype(self.kind, np.floating):
                found = np.where(np.isnan(found), 0, found)
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite there
                found = found.astype(self.kind)
        return found.reshape(-1) if self.rank == 1 else found


@dataclass(frozen=True)
class ONNXScorer:
    """A session and the signature it was trained under."""

    session: Any
    feeds: tuple[Feed, ...]
    output: str
    signature: Signature
    artifact: Path

    def score(self, columns: Columns) -> Floats:
        """Scores of canonical columns."""
        if not len(next(iter(columns.values()))):
            return empty(self.signature)
        try:
            (found,) = self.session.run([self.output], {feed.name: feed.of(columns) for feed in self.feeds})
        except Exception as error:  # the library's errors have no narrower common class
            raise Fault(
                f"{self.artifact} cannot score: {str(error).splitlines()[0].rstrip('.')}.",
                "Compare contract.inputs with the graph's inputs.",
            ) from error
        if isinstance(found, list):  # ZipMap: one map of class → probability for each row
            names = [spelled_text(key) for key in found[0]]
            rows = np.array([list(row.values()) for row in found], dtype=np.float64)
            return ordered_classes(rows, names, self.signature, str(self.artifact))
        return as_scores(found, self.signature, str(self.artifact))

    def close(self) -> None:
        """Does nothing: there is no process."""


def _feeds(session: Any, artifact: Path, signature: Signature) -> tuple[Feed, ...]:
    inputs = session.get_inputs()
    for entry in inputs:
        if entry.type not in _TYPES:
            raise Fault(
                f"{artifact} has {entry.name!r} as {entry.type}, which is not supported.",
                "Export a graph with float, double, integer, boolean or string inputs.",
            )
    names = {entry.name for entry in inputs}
    if len(inputs) == 1 and (names.isdisjoint(c.name for c in signature.inputs) or len(signature.inputs) > 1):
        entry = inputs[0]
        width = entry.shape[1] if len(entry.shape) == 2 and isinstance(entry.shape[1], int) else None
        features = match_features(
            [""] * (width or sum(column.width for column in signature.inputs)), signature, True, str(artifact)
        )
        _require_no_texts(features, signature, artifact, _TYPES[entry.type])
        if _TYPES[entry.type] is np.object_:
            return (Feed(entry.name, np.object_, len(entry.shape), signature.inputs[0], Matrix((), ())),)
        return (
            Feed(entry.name, _TYPES[entry.type], len(entry.shape), None, Matrix(features, (None,) * len(features))),
        )
    found = []
    for entry in inputs:
        column = signature.input(entry.name)
        if column is None:
            raise Fault(
                f"{artifact} has the input {entry.name!r}, which is not in the contract in model.yaml.",
                "Name the graph's inputs in contract.inputs, or export it with one matrix of all of them.",
            )
        kind = _TYPES[entry.type]
        if column.is_text != (kind is np.object_):
            raise Fault(
                f"{artifact} has {entry.name!r} as {entry.type}, but its type in the contract is {column.kind}.",
                "Name the input's real type in the contract.",
            )
        known = column.categories and not column.is_text
        if (column.nullable or known) and not np.issubdtype(kind, np.floating):
            raise Fault(
                f"{artifact} has {entry.name!r} as {entry.type}, which has no null, but the contract allows null.",
                "Set nullable: false and remove its categories, or export the graph with a float input.",
            )
        own = tuple(Feature(column, place) for place in range(column.width))
        found.append(Feed(entry.name, kind, len(entry.shape), column, Matrix(own, (None,) * len(own))))
    unused = [column.name for column in signature.inputs if column.name not in names]
    if unused:
        raise Fault(
            f"{artifact} has no input {unused[0]!r}.", "Remove it from contract.inputs, or export a graph with it."
        )
    return tuple(found)


def _require_no_texts(features: tuple[Feature, ...], signature: Signature, artifact: Path, kind: Any) -> None:
    if kind is np.object_ and len(signature.inputs) == 1 and signature.inputs[0].is_text:
        return
    require_numbers(features, [False] * len(features), str(artifact))


def _output(session: Any, artifact: Path, wanted: str) -> str:
    outputs = {entry.name: entry.type for entry in session.get_outputs()}
    if wanted:
        if wanted not in outputs:
            raise Fault(f"{artifact} has no output {wanted!r}.", f"Choose one of {', '.join(outputs)}.")
        return wanted
    # Classifiers also give the class, as an integer or a text.
    scored = [name for name, kind in outputs.items() if "float" in kind or "double" in kind]
    if len(scored) != 1:
        raise Fault(
            f"{artifact} has {len(scored)} outputs that can be the scores: {', '.join(scored) or 'none'}.",
            f"Name the output with the scores under flavor: output: in model.yaml, one of {', '.join(outputs)}.",
        )
    return str(scored[0])
