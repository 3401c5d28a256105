"""What a pipeline engine is given, and what its exporter gives back. No engine's library is needed for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from modelyard.adapters import adapter
from modelyard.errors import ModelyardError
from modelyard.manifests.model import Model, Resources
from modelyard.manifests.pipeline import Pipeline, Stage


@dataclass(frozen=True)
class Step:
    """One stage of the model's ``dvc.yaml``, as a step of an engine."""

    stage: str
    """The stage's name in ``dvc.yaml``."""
    name: str
    """A name that is a Python identifier, and unlike that of any other step."""
    after: tuple[str, ...]
    """The names of the steps that write what this one reads."""
    reads: tuple[str, ...]
    """Paths from the repository's root."""
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A model's pipeline for an engine: its steps, each after those that it needs, and what each asks for."""

    model: str
    steps: tuple[Step, ...]
    resources: Resources


class Engine(Protocol):
    """One pipeline engine."""

    def render(self, plan: Plan) -> str:
        """The Python file that runs a plan on this engine; ModelyardError when the plan lacks something for it."""


def plan_of(model: Model, pipeline: Pipeline) -> Plan:
    """The plan of a model's pipeline; ModelyardError without a stage, or when its stages need each other in a circle.

    Every step gets the commit and nothing from another step: DVC's run cache on the remote carries the results.
    """
    stages = {stage.name: stage for stage in pipeline.stages if not stage.name.startswith("ds://")}
    if not stages:
        raise ModelyardError(
            f"models/{model.name}/dvc.yaml has no stage.", "Add the stages that make the model, then export again."
        )
    needs = {
        name: {other for other, made in stages.items() if other != name and _feeds(made, stage)}
        for name, stage in stages.items()
    }
    order = list(_in_order(model.name, needs))
    names = _identifiers(order)
    steps = tuple(
        Step(
            stage=name,
            name=names[name],
            after=tuple(names[other] for other in order if other in needs[name]),
            reads=tuple(sorted(stages[name].reads)),
            writes=tuple(sorted(stages[name].writes)),
        )
        for name in order
    )
    return Plan(model.name, steps, model.resources)


def engine_named(name: str) -> Engine:
    """The exporter with the entry point ``name``; ModelyardError when none is installed."""
    engine: Engine = adapter("pipelines", name, f"No exporter for the pipeline engine {name!r} is installed.")()
    return engine


def _feeds(maker: Stage, reader: Stage) -> bool:
    """Whether a stage may write what another reads; a path ``.`` is any."""
    return any(
        one == other or "." in (one, other) or one.startswith(f"{other}/") or other.startswith(f"{one}/")
        for one in maker.writes
        for other in reader.reads
    )


def _in_order(model: str, needs: Mapping[str, set[str]]) -> Iterator[str]:
    """The stages, each after those that it needs, otherwise as they stand in the file."""
    left = dict(needs)
    while left:
        ready = [name for name, needed in left.items() if not needed & left.keys()]
        if not ready:
            raise ModelyardError(
                f"The stages of models/{model}/dvc.yaml need each other in a circle: {', '.join(sorted(left))}.",
                "Correct the deps and outs of one of them. A path whose template cannot be filled counts as any path.",
            )
        yield ready[0]
        del left[ready[0]]


def _identifiers(stages: list[str]) -> dict[str, str]:
    """Stage → an identifier that begins with ``step_``, in the order of the stages."""
    names: dict[str, str] = {}
    for stage in stages:
        plain = "step_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in stage)
        same, name = 1, plain
        while name in names.values():
            same += 1
            name = f"{plain}_{same}"
        names[stage] = name
    return names
