"""Single stages of a model's pipeline, run where a pipeline engine asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.checkout.checkout import ModelView
from modelyard.errors import UsageError, near_match
from modelyard.pipelines.exported import pipeline_of


def run_stages(view: ModelView, stages: Sequence[str], *, push: bool) -> bool:
    """Runs stages and what they need, with earlier results from the DVC remote; returns whether anything changed.

    UsageError for a stage that the model's ``dvc.yaml`` lacks.
    """
    known = [stage.name for stage in pipeline_of(view.checkout.repository, view.name).stages]
    for name in stages:
        if name not in known:
            raise UsageError(f"models/{view.name}/dvc.yaml has no stage {name!r}.", near_match(name, known))
    return view.checkout.dvc.resume([f"models/{view.name}/dvc.yaml:{name}" for name in stages], push=push)
