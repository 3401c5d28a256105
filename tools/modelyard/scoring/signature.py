"""The signature, flavor and options of a manifest, in the form that flavors take."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.flavors.discovery import flavor_named, flavor_of_file
from modelyard.flavors.interface import Fault, Flavor, Options
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.values import Unreadable, scalar
from modelyard.manifests.contract import host_fault
from modelyard.manifests.model import Column, Model


def signature_of(model: Model, version: str = "") -> Signature:
    """The signature of a version; '' for a candidate."""
    contract = model.contract
    inputs = tuple(input_of(column) for column in contract.inputs)
    classes = tuple(contract.classes) if model.task == "multiclass" else ()
    return Signature(model.name, version, model.task, inputs, contract.output, classes)


def input_of(column: Column) -> Input:
    """One input of the contract; ModelyardError for a category that is not of its type."""
    plain = Input(column.name, column.type, column.nullable, column.minimum, column.maximum, column.length)
    if not column.categories:
        return plain
    known: list[str | float] = []
    for value in column.categories:
        try:
            found = scalar(plain, value)
        except Unreadable as error:
            raise ModelyardError(
                f"contract.inputs: the category {value!r} of {column.name!r} is not a valid {column.type}.",
                "Write each category as a value of the input's type.",
            ) from error
        if found is not None:
            known.append(found)
    return Input(plain.name, plain.kind, plain.nullable, plain.minimum, plain.maximum, plain.length, tuple(known))


def flavor_of(model: Model) -> Flavor:
    """The flavor that model.yaml names, else that of the artifact's ending; ModelyardError without either."""
    try:
        if model.flavor.name:
            return flavor_named(model.flavor.name)
    except Fault as fault:
        raise ModelyardError(f"models/{model.name}/model.yaml: {fault.problem}", fault.remedy) from fault
    found = flavor_of_file(model.files.artifact)
    if found is None:
        raise ModelyardError(
            f"models/{model.name}/model.yaml names no flavor, and none has the ending of {model.files.artifact}.",
            "Add flavor: name: to model.yaml; docs/flavors.md lists them.",
        )
    return found


def require_host(model: Model, target: str) -> None:
    """Raises unless the target serves the model's flavor; the error names the targets that do."""
    if fault := host_fault(flavor_of(model), model.name, target):
        raise ModelyardError(*fault)


def options_of(model: Model, folder: Path, threads: int = 0) -> Options:
    """The options of the flavor; ``folder`` has the model's files."""
    said = model.flavor
    return Options(
        folder=folder,
        threads=threads,
        trusted=tuple(said.trusted),
        output=said.output,
        files=tuple(said.files),
        requirements=said.requirements,
        command=tuple(said.command),
        seconds=said.seconds,
    )
