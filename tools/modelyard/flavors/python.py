"""A team's own scorer in Python (``load(path)`` and ``predict(frame)``), with its own process and environment."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from .frames import arrow_table
from .interface import Fault, Flavor, Options, as_scores, empty, missing_library, read_artifact
from .process import Worker
from .signature import Signature
from .values import Columns, Floats

DEFAULT_FILES = ("src/scorer.py",)
_NEEDED = ("numpy", "pandas", "pyarrow")
_ENVIRONMENTS = "MODELYARD_ENVIRONMENTS"
"""The folder of the environments. Default: ``~/.cache/modelyard/environments``."""


class Python(Flavor):
    """Any artifact with a program that scores it. The program's files are part of the version."""

    name = "python"
    extra = "python"
    packages = ("numpy", "pandas", "pyarrow")
    own_code = True
    blocks = True
    hosts: ClassVar[Mapping[str, str]] = {
        "local": "python", "container": "python", "mlserver": "runtime", "mlflow": "python_function",
        "bentoml": "python", "kserve": "predictor", "sagemaker": "container",
    }  # fmt: skip

    def recognise(self, head: bytes, members: tuple[str, ...]) -> str | None:
        """None: its files have no common format."""
        return None

    def load(self, artifact: Path, signature: Signature, options: Options) -> PythonScorer:
        """Starts the worker, which loads the artifact."""
        files = options.files or DEFAULT_FILES
        scorer = options.folder / files[0]
        for name in files:
            if not (options.folder / name).is_file():
                raise Fault(
                    f"The file {options.folder / name} does not exist.", "Name the scorer's files under flavor: files:."
                )
        read_artifact(artifact, "artifact")
        requirements = options.folder / options.requirements if options.requirements else None
        worker = Worker(
            _interpreter(requirements), scorer.resolve(), artifact.resolve(), options.folder, options.seconds
        )
        worker.start()
        return PythonScorer(worker, signature, artifact)

    def versions(self, options: Options) -> dict[str, str]:
        """The packages of the scorer's environment."""
        if not options.requirements:
            return super().versions(options)
        python = _interpreter(options.folder / options.requirements)
        program = (
            "import json, importlib.metadata as m;"
            "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
        )
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
        if done.returncode:
            return {}
        import json

        found: dict[str, str] = json.loads(done.stdout)
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class PythonScorer:
    """The worker of one version."""

    worker: Worker
    signature: Signature
    artifact: Path

    def score(self, columns: Columns) -> Floats:
        """Scores of canonical columns. The worker gets a table with the contract's types."""
        if not len(next(iter(columns.values()))):
            return empty(self.signature)
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        table = arrow_table(self.signature, columns)
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        found = self.worker.score(sink.getvalue().to_pybytes())
        return as_scores(found, self.signature, str(self.artifact))

    def close(self) -> None:
        """Ends the worker."""
        self.worker.close()


def _interpreter(requirements: Path | None) -> str:
    """The interpreter of the environment of a requirements file. The first call creates the environment."""
    if requirements is None:
        return sys.executable
    try:
        content = requirements.read_bytes()
    except OSError as error:
        raise Fault(
            f"{requirements} cannot be read: {error.strerror}.", "Correct flavor: requirements: in model.yaml."
        ) from error
    base = os.environ.get(_ENVIRONMENTS) or Path.home() / ".cache" / "modelyard" / "environments"
    digest = hashlib.sha256(content + sys.version.encode() + " ".join(_NEEDED).encode()).hexdigest()[:24]
    folder = Path(base) / digest
    python = folder / "bin" / "python"
    if not (folder / "made").is_file():
        _make(folder, python, requirements)
    return str(python)


def _make(folder: Path, python: Path, requirements: Path) -> None:
    try:
        import uv
    except ImportError as error:
        raise missing_library("python", "uv") from error
    command = uv.find_uv_bin()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--python", str(python), "-r", str(requirements), *_NEEDED],
    ):
        done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise Fault(
                f"The environment of {requirements} cannot be created: {last.strip()}",
                "Correct the requirements; uv installs them.",
            )
    (folder / "made").touch()
