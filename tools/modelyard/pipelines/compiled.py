"""A model's pipeline compiled for Kubeflow, by KFP in an environment of its own: its pins exclude ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.errors import ModelyardError, missing_extra

_KFP = "kfp>=2.14,<3"
_SECONDS = 600


def compiled_pipeline(text: str) -> bytes:
    """The specification that the exported file ``text`` writes, as YAML.

    uv makes the environment and keeps it in its cache. Python is isolated, so that no file beside the pipeline is
    imported in place of KFP. ModelyardError when KFP cannot be had, or refuses the pipeline.
    """
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        file, written = Path(scratch, "exported_pipeline.py"), Path(scratch, "pipeline.yaml")
        file.write_text(text, encoding="utf-8")
        uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--python", sys.executable, "--with", _KFP]
        try:
            done = subprocess.run(
                [*uv, "python", "-I", str(file), str(written)],
                cwd=scratch, capture_output=True, text=True, check=False, timeout=_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ModelyardError(
                f"KFP did not compile the pipeline within {_SECONDS} seconds.",
                "See what uv waits for.",
            ) from error
        if "No module named uv" in done.stderr:
            raise missing_extra("engines", "uv")
        if done.returncode or not written.is_file():
            said = [line.strip(" ×╰─▶│├") for line in done.stderr.splitlines() if line.strip()]
            raise ModelyardError(
                f"KFP cannot compile the pipeline: {' '.join(said[-2:]) or 'it wrote no file'}",
                "Let uv reach an index with kfp (UV_DEFAULT_INDEX), or correct the stages.",
            )
        return written.read_bytes()
