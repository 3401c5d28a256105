"""Faults of a whole repository: unknown references, misplaced files, combinations that no schema can exclude."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from pathlib import Path

from modelyard.errors import near_match
from modelyard.files import small_files
from modelyard.manifests.approvals import Approvals, Waiver
from modelyard.manifests.calendar import freeze_faults
from modelyard.manifests.configuration import Environment, Repository
from modelyard.manifests.contract import contract_faults, flavor_faults, flavor_in, host_fault
from modelyard.manifests.conversion import M, convert
from modelyard.manifests.deployment import Deployment, rollout_faults
from modelyard.manifests.document import (
    Document,
    Fault,
    FieldPath,
    ManifestErrors,
    Problem,
    field_name,
    read_document,
)
from modelyard.manifests.location import CONFIG
from modelyard.manifests.model import Model, ground_truth_faults
from modelyard.manifests.names import MODEL_PATTERN, is_name
from modelyard.manifests.pipeline import Pipeline, read_pipeline
from modelyard.manifests.policy import AnyCheck, Policy
from modelyard.manifests.repository import APPROVALS, ModelRepository, model_file
from modelyard.manifests.rules import model_faults, rule_faults
from modelyard.manifests.watches import AnyWatch, InputsWatch


def check_repository(repository: ModelRepository, versions: Mapping[str, Collection[str]] | None) -> list[Problem]:
    """Every fault of every manifest, in the order of files and lines.

    ``versions`` are the registered versions of each model; None when this clone has no full history.
    """
    return sorted(set(_Checker(repository, versions).run()))


class _Checker:
    def __init__(self, repository: ModelRepository, versions: Mapping[str, Collection[str]] | None) -> None:
        self._repository = repository
        self._versions = versions
        self._found: list[Problem] = []
        self._models = set(repository.model_names())
        self._policies: dict[str, tuple[Policy, Document]] = {}
        self._used_by: dict[str, list[Model]] = {}
        self._environments: dict[str, Environment] = {}
        self._forge = "git"

    def run(self) -> list[Problem]:
        config = self._load(Repository, CONFIG)
        if config:
            self._config(*config)
        for file in self._repository.policy_files():
            self._policy(file)
        if (self._repository.root / APPROVALS).is_file():
            self._approvals()
        for name in self._folders("models"):
            self._model(name)
        for name, users in self._used_by.items():
            if name in self._policies:
                self._rules_in_use(*self._policies[name], users)
        for environment in self._folders("deployments"):
            self._deployments(environment)
        for file in self._repository.files("waivers"):
            self._waiver(file)
        return self._found

    def _config(self, config: Repository, document: Document) -> None:
        self._forge = config.forge
        for i, environment in enumerate(config.environments):
            if environment.name in self._environments:
                what = f"{environment.name!r} is declared twice."
                self._add(document, ("environments", i, "name"), what, "Keep one of the two.")
            self._environments[environment.name] = environment
            for where, what, remedy in freeze_faults(environment.freezes):
                self._add(document, ("environments", i, *where), what, remedy)
        for i, engine in enumerate(config.engines):
            if engine.name in [earlier.name for earlier in config.engines[:i]]:
                what = f"{engine.name!r} is declared twice."
                self._add(document, ("engines", i, "name"), what, "Keep one of the two.")

    def _policy(self, file: str) -> None:
        loaded = self._load(Policy, file)
        if not loaded:
            return
        policy, document = loaded
        self._policies[Path(file).stem] = loaded
        self._same_name(document, policy.name, Path(file).stem)
        ids: set[str] = set()
        references = [rule.reference for rule in policy.monitoring if isinstance(rule, InputsWatch)]
        if len({*map(repr, references)}) > 1:
            what, remedy = "has rules of kind inputs with different references.", "Give all of them the same one."
            self._add(document, ("monitoring",), what, remedy)
        for place, rule in _rules(policy):
            if rule.id in ids:
                self._add(document, (*place, "id"), f"{rule.id!r} is used twice.", "Give each check its own id.")
            ids.add(rule.id)
            for where, what, remedy in rule_faults(rule):
                self._add(document, (*place, *where), what, remedy)

    def _approvals(self) -> None:
        loaded = self._load(Approvals, APPROVALS)
        if not loaded:
            return
        approvals, document = loaded
        known = {"writers", "owners", *approvals.roles}
        for i, rule in enumerate(approvals.rules):
            if rule.role not in known:
                where: FieldPath = ("rules", i, "role")
                self._add(document, where, f"{rule.role!r} is not a declared role.", near_match(rule.role, known))
            if rule.id in [earlier.id for earlier in approvals.rules[:i]]:
                self._add(document, ("rules", i, "id"), f"{rule.id!r} is used twice.", "Give each rule its own id.")

    def _model(self, name: str) -> None:
        if not is_name(name):
            what = f"the folder name {name!r} is not a valid model name."
            self._found.append(
                Problem(f"models/{name}", 1, "", what, f"Rename the folder; names match {MODEL_PATTERN}")
            )
            return
        if name not in self._models:
            remedy = "Add model.yaml, or remove the folder."
            self._found.append(Problem(f"models/{name}", 1, "", "contains no model.yaml.", remedy))
            return
        loaded = self._load(Model, model_file(name))
        if not loaded:
            return
        model, document = loaded
        self._same_name(document, model.name, name)
        for place, what, remedy in freeze_faults(model.retrain.freezes):
            self._add(document, ("retrain", *place), what, remedy)
        for place, what, remedy in ground_truth_faults(model.ground_truth, {model.contract.id, model.contract.label}):
            self._add(document, place, what, remedy)
        if model.policy not in self._policy_names():
            remedy = near_match(model.policy, self._policy_names(), f"Add policies/{model.policy}.yaml.")
            self._add(document, ("policy",), f"{model.policy!r} is not in policies/.", remedy)
        for place, what, remedy in (*contract_faults(model.contract), *flavor_faults(model)):
            self._add(document, place, what, remedy)
        self._task(model, document)
        self._used_by.setdefault(model.policy, []).append(model)
        self._pipeline(model, document)

    def _rules_in_use(self, policy: Policy, document: Document, users: list[Model]) -> None:
        """Rules that a model which uses the policy can never pass; one problem for all models of which it is true."""
        for place, rule in _rules(policy):
            found: dict[Fault, list[str]] = {}
            for model in users:
                for fault in model_faults(rule, model):
                    found.setdefault(fault, []).append(f"models/{model.name}")
            for (where, text, remedy), names in found.items():
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                self._add(document, (*place, *where), text.format(", ".join(names[:3]) + more), remedy)

    def _task(self, model: Model, document: Document) -> None:
        classes = model.contract.classes
        if model.task == "multiclass" and len(classes) < 2:
            self._add(
                document, ("contract", "classes"), "names fewer than two classes.", "Name every value of the label."
            )
        if len(set(classes)) < len(classes):
            self._add(document, ("contract", "classes"), "names a class twice.", "Keep one of the two.")
        if model.task == "ranking" and model.evaluation.query is None:
            what = "is missing; a ranking model needs the column of the query."
            self._add(
                document,
                ("evaluation", "query"),
                what,
                "Name the column that has the same value for all rows of one query.",
            )

    def _pipeline(self, model: Model, document: Document) -> None:
        file = f"models/{model.name}/dvc.yaml"
        try:
            content = read_document(self._repository.root, file, aliases=True)
            pipeline = read_pipeline(content.content, file, small_files(self._repository.root))
        except ManifestErrors as errors:
            self._found += errors.problems
            return
        if not isinstance(content.value, dict) or not content.value.get("stages"):
            self._found.append(Problem(file, 1, "stages", "is missing.", "Declare the pipeline's stages."))
            return
        here = model.trained == "here"
        for key in ("artifact", "training", "holdout", "predictions") if here else ("artifact", "holdout"):
            path = f"models/{model.name}/{getattr(model.files, key)}"
            if not any(out in (".", path) or path.startswith(f"{out}/") for out in pipeline.writes):
                outs = [out.removeprefix(f"models/{model.name}/") for out in pipeline.writes]
                what = f"{getattr(model.files, key)!r} is not an output of {file}."
                self._add(
                    document,
                    ("files", key),
                    what,
                    near_match(getattr(model.files, key), outs, f"Add it to the outs of a stage in {file}."),
                )

        if not here:
            self._given(model, document, pipeline, file)

    def _given(self, model: Model, document: Document, pipeline: Pipeline, file: str) -> None:
        """A model that was trained elsewhere has a frozen stage, which DVC never runs."""
        path = f"models/{model.name}/{model.files.artifact}"
        stage = next((stage for stage in pipeline.stages if path in stage.writes), None)
        if stage and not (isinstance(stage.definition, dict) and stage.definition.get("frozen") is True):
            what = f"is elsewhere, but the stage {stage.name} of {file} is not frozen, so DVC would run it."
            self._add(document, ("trained",), what, "Add frozen: true to that stage, or write trained: here.")
        policies = self._policies.get(model.policy)
        if policies and policies[0].reproduced == "required":
            what = f"is elsewhere, and the policy {model.policy} requires a second run (reproduced: required)."
            remedy = "Choose a policy without that rule, or train the model here by a pipeline."
            self._add(document, ("trained",), what, remedy)

    def _deployments(self, environment: str) -> None:
        folder = f"deployments/{environment}"
        if self._environments and environment not in self._environments:
            what = f"is not an environment of {CONFIG}."
            self._found.append(Problem(folder, 1, "", what, near_match(environment, self._environments)))
        for file in self._repository.files(folder):
            loaded = self._load(Deployment, file)
            if not loaded:
                continue
            deployment, document = loaded
            self._same_name(document, deployment.model, Path(file).stem, key="model")
            for where, what, remedy in rollout_faults(deployment, environment, self._readable(deployment.model)):
                self._add(document, where, what, remedy)
            self._host(deployment, environment, document)
            self._analysis(deployment, environment, document)
            if deployment.model not in self._models:
                what = f"{deployment.model!r} is not a model of this repository."
                self._add(document, ("model",), what, self._near_model(deployment.model))
            elif self._versions is not None and deployment.version != "latest":
                known = self._versions.get(deployment.model, set())
                if deployment.version not in known:
                    what = f"there is no tag {deployment.model}@{deployment.version}."
                    self._add(
                        document,
                        ("version",),
                        what,
                        near_match(deployment.version, known, "No version is registered yet."),
                    )

    def _host(self, deployment: Deployment, environment: str, document: Document) -> None:
        model, declared_environment = self._readable(deployment.model), self._environments.get(environment)
        flavor = flavor_in(model) if model else None
        if flavor is None or declared_environment is None:
            return
        if found := host_fault(flavor, deployment.model, declared_environment.target):
            what, remedy = found
            self._add(document, ("model",), what[0].lower() + what[1:], remedy)

    def _analysis(self, deployment: Deployment, environment: str, document: Document) -> None:
        """Tests that the environment's metrics system has no samples for: their step would wait for its deadline."""
        declared, analysis = self._environments.get(environment), deployment.rollout.analysis
        if declared is None or declared.samples is None or analysis is None:
            return
        lacking = [name for name in ("scores", "confidence", "ground_truth") if getattr(analysis, name)]
        if analysis.latency and not declared.samples.latency:
            lacking.append("latency")
        if analysis.errors and declared.samples.type == "prometheus" and not declared.samples.errors:
            lacking.append("errors")
        for name in lacking:
            what = f"cannot be tested: the samples of {environment} come from {declared.samples.type}, which lacks it."
            self._add(document, ("rollout", "analysis", name), what, "Remove the test, or add its query to samples.")

    def _waiver(self, file: str) -> None:
        loaded = self._load(Waiver, file)
        if not loaded:
            return
        waiver, document = loaded
        try:
            date.fromisoformat(waiver.expires)
        except ValueError:
            self._add(
                document, ("expires",), f"{waiver.expires!r} is not a valid date.", "Write a date such as 2026-05-31."
            )
        if waiver.approved_by is None and self._forge == "git":
            what = "is missing; plain git keeps no reviews."
            self._add(document, ("approved_by",), what, "Name the person who approved it.")
        if waiver.requested_by == waiver.approved_by:
            self._add(
                document, ("approved_by",), "is the person who requested it.", "Somebody else must approve a waiver."
            )
        if waiver.model not in self._models:
            what = f"{waiver.model!r} is not a model of this repository."
            self._add(document, ("model",), what, self._near_model(waiver.model))
            return
        try:
            loaded_policy = self._policies.get(self._repository.model(waiver.model).policy)
        except ManifestErrors:
            return
        policy = loaded_policy[0] if loaded_policy else None
        rules = [rule for _, rule in _rules(policy)] if policy else []
        check = next((c for c in rules if c.id == waiver.check), None)
        if policy and check is None:
            what = f"the policy {policy.name} has no check {waiver.check!r}."
            self._add(document, ("check",), what, near_match(waiver.check, [c.id for c in rules]))
        elif check and check.level == "hard":
            self._add(
                document, ("check",), f"{waiver.check} is a hard check.", "It cannot be waived; improve the model."
            )

    def _readable(self, model: str) -> Model | None:
        try:
            return self._repository.model(model) if model in self._models else None
        except ManifestErrors:
            return None  # its faults are reported where model.yaml is checked

    def _load(self, kind: type[M], file: str) -> tuple[M, Document] | None:
        try:
            document = read_document(self._repository.root, file)
            return convert(kind, document), document
        except ManifestErrors as errors:
            self._found += errors.problems
            return None

    def _same_name(self, document: Document, name: str, expected: str, key: str = "name") -> None:
        if name != expected:
            self._add(document, (key,), f"is {name!r}, but the path says {expected!r}.", "Use the same name in both.")

    def _policy_names(self) -> set[str]:
        return {Path(file).stem for file in self._repository.policy_files()}

    def _near_model(self, name: str) -> str:
        return near_match(name, self._models, "This repository has no models yet.")

    def _folders(self, name: str) -> list[str]:
        path = self._repository.root / name
        if not path.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(path) if entry.is_dir())

    def _add(self, document: Document, path: FieldPath, what: str, remedy: str) -> None:
        self._found.append(Problem(document.file, document.line(path), field_name(path), what, remedy))


def _rules(policy: Policy) -> Iterator[tuple[FieldPath, AnyCheck | AnyWatch]]:
    """Every rule of a policy, with its place in the file."""
    for i, check in enumerate(policy.checks):
        yield ("checks", i), check
    for i, watch in enumerate(policy.monitoring):
        yield ("monitoring", i), watch
