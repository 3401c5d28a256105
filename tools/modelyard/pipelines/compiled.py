"""A model's pipeline compiled for Kubeflow, by KFP in an environment of its own: its pins exclude ours."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from modelyard.errors import ModelyardError
from modelyard.installation.environments import install_tool, run_tool

_NAME, _REQUIREMENTS = "kfp", ("kfp>=2.14,<3",)
_SECONDS = 300.0


def compiled_pipeline(text: str) -> bytes:
    """The specification that the exported file ``text`` writes, as YAML.

    ModelyardError when KFP cannot be had, or refuses the pipeline.
    """
    install_tool(_NAME, _REQUIREMENTS)
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        file, written = Path(scratch, "exported_pipeline.py"), Path(scratch, "pipeline.yaml")
        file.write_text(text, encoding="utf-8")
        run_tool(_NAME, _REQUIREMENTS, file, [written], _SECONDS)
        if not written.is_file():
            raise ModelyardError("KFP wrote no specification.", "Export the pipeline again: modelyard export kubeflow")
        return written.read_bytes()
