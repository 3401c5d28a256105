"""The model repository in the working tree: the places of its manifests, and their values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from modelyard.errors import UsageError, near_match
from modelyard.manifests.approvals import APPROVALS, Waiver
from modelyard.manifests.configuration import Environment, Repository
from modelyard.manifests.conversion import M, load
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.document import Document
from modelyard.manifests.location import CONFIG, find_root, require_toolkit
from modelyard.manifests.model import Model
from modelyard.manifests.names import is_name
from modelyard.manifests.policy import Policy

__all__ = ["APPROVALS", "ModelRepository", "deployment_file", "model_file"]


class ModelRepository:
    """A folder with ``modelyard.yaml`` at its root. Each manifest is read and checked when it is asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def find(cls, start: Path) -> ModelRepository:
        """The model repository around ``start``; UsageError without one."""
        return cls(find_root(start))

    @cached_property
    def config(self) -> Repository:
        """``modelyard.yaml``; Refused when it was written for a newer toolkit than this one."""
        require_toolkit(self.root)
        return load(Repository, self.root, CONFIG)[0]

    def environment(self, name: str) -> Environment:
        """The environment of a name; UsageError when it is not declared."""
        for environment in self.config.environments:
            if environment.name == name:
                return environment
        known = [environment.name for environment in self.config.environments]
        raise UsageError(f"{CONFIG} declares no environment {name!r}.", near_match(name, known))

    def model_names(self) -> list[str]:
        """Names of the folders below ``models/`` that hold a ``model.yaml``, sorted."""
        folder = self.root / "models"
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and (folder / e.name / "model.yaml").is_file())

    def model_folder(self, name: str) -> Path:
        """The folder of a model; UsageError without its ``model.yaml``."""
        if is_name(name) and (self.root / "models" / name / "model.yaml").is_file():
            return self.root / "models" / name
        shown = name if is_name(name) else repr(name)
        remedy = near_match(name, self.model_names(), "This repository has no models yet; add models/NAME/model.yaml.")
        raise UsageError(f"There is no model {shown} in {self.root / 'models'}.", remedy)

    def model(self, name: str) -> Model:
        """``models/<name>/model.yaml``."""
        self.model_folder(name)
        return self.read(Model, model_file(name))[0]

    def policy(self, name: str) -> tuple[Policy, Document]:
        """``policies/<name>.yaml``, and its document, so that a verdict can name the line of a rule."""
        return self.read(Policy, f"policies/{name}.yaml")

    def deployment(self, environment: str, model: str) -> Deployment | None:
        """The desired state of a model in an environment; None without a manifest."""
        file = deployment_file(environment, model)
        return self.read(Deployment, file)[0] if (self.root / file).is_file() else None

    def deployments(self) -> Iterator[tuple[str, Deployment]]:
        """Every (environment, deployment), environments in promotion order, models by name."""
        for environment in self.config.environments:
            for file in self.files(f"deployments/{environment.name}"):
                yield environment.name, self.read(Deployment, file)[0]

    def policy_files(self) -> list[str]:
        """The policies, without approvals.yaml."""
        return [file for file in self.files("policies") if file != APPROVALS]

    def waivers(self) -> list[tuple[str, Waiver]]:
        """Every (file, waiver) below ``waivers/``."""
        return [(file, self.read(Waiver, file)[0]) for file in self.files("waivers")]

    def files(self, folder: str) -> list[str]:
        """The YAML files directly in a folder of the repository, as paths from the root, sorted."""
        path = self.root / folder
        if not path.is_dir():
            return []
        return sorted(f"{folder}/{entry.name}" for entry in os.scandir(path) if entry.name.endswith((".yaml", ".yml")))

    def read(self, kind: type[M], file: str) -> tuple[M, Document]:
        """Any manifest of the repository, by its path from the root."""
        return load(kind, self.root, file)


def model_file(name: str) -> str:
    """The path of a model's manifest, from the repository's root."""
    return f"models/{name}/model.yaml"


def deployment_file(environment: str, model: str) -> str:
    """The path of a deployment's manifest, from the repository's root."""
    return f"deployments/{environment}/{model}.yaml"
