"""Faults of a contract and of the flavor that keeps its model, seen without the artifact."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.errors import near_match
from modelyard.flavors.discovery import every_flavor, flavor_named, flavor_of_file
from modelyard.flavors.interface import Fault as FlavorFault
from modelyard.flavors.interface import Flavor
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Unreadable, scalar
from modelyard.manifests.document import Fault
from modelyard.manifests.model import Column, Contract, FlavorSettings, Model

_OPTIONS = {"trusted": "sklearn", "output": "onnx", "files": "python", "requirements": "python", "command": "command"}
_DEFAULTS = FlavorSettings()
_NUMBERS = ("integer", "float", "vector")


def contract_faults(contract: Contract) -> Iterator[Fault]:
    """Inputs whose fields contradict each other or the names of other columns."""
    names = [column.name for column in contract.inputs]
    for i, column in enumerate(contract.inputs):
        where = ("contract", "inputs", i)
        if column.name in names[:i]:
            yield (*where, "name"), f"{column.name!r} is named twice.", "Keep one of the two."
        if column.name in (contract.label, contract.id):
            role = "label" if column.name == contract.label else "id"
            yield (*where, "name"), f"{column.name!r} is the contract's {role}.", "Name another column as the input."
        for field, what, remedy in _column_faults(column):
            yield (*where, *field), what, remedy


def flavor_faults(model: Model) -> Iterator[Fault]:
    """A flavor that nobody has, that nothing tells, or options that are another flavor's."""
    said = model.flavor
    try:
        flavor = flavor_named(said.name) if said.name else flavor_of_file(model.files.artifact)
    except FlavorFault:
        known = [flavor.name for flavor in every_flavor()]
        remedy = near_match(said.name, known, f"Choose one of {', '.join(known)}.")
        yield ("flavor", "name"), f"{said.name!r} is no flavor.", remedy
        return
    if flavor is None:
        what = f"is missing, and the ending of {model.files.artifact} does not tell it."
        yield ("flavor", "name"), what, "Name the flavor; docs/flavors.md lists them."
        return
    for option, owner in _OPTIONS.items():
        if getattr(said, option) != getattr(_DEFAULTS, option) and owner != flavor.name:
            yield ("flavor", option), f"is an option of the flavor {owner}, not of {flavor.name}.", "Remove it."
    if flavor.name == "command" and not said.command:
        yield ("flavor", "command"), "is missing.", "Name the program and its arguments."


def host_fault(flavor: Flavor, model: str, target: str) -> tuple[str, str] | None:
    """(what is wrong, what to do) when a kind of target does not serve a flavor.

    None for a target that no flavor knows: another package brings it, and it decides itself.
    """
    if target in flavor.hosts or not any(target in known.hosts for known in every_flavor()):
        return None
    known = ", ".join(flavor.hosts)
    what = f"The target {target} does not serve {model}, whose flavor is {flavor.name}."
    if not known:
        return what, f"Models of the flavor {flavor.name} score batches only; keep it as another flavor to serve it."
    return what, f"Deploy it where the target is one of {known}; see docs/flavors.md."


def _column_faults(column: Column) -> Iterator[Fault]:
    if column.type == "vector" and not column.length:
        yield ("length",), "is missing.", "Say how many numbers each vector has."
    if column.type != "vector" and column.length:
        yield ("length",), f"is for vectors, and the type is {column.type}.", "Remove it."
    if column.type == "vector" and column.categories:
        yield ("categories",), "are not for vectors.", "Remove them."
    for bound in ("minimum", "maximum"):
        if getattr(column, bound) is not None and column.type not in _NUMBERS:
            yield (bound,), f"is for numbers, and the type is {column.type}.", "Remove it."
    if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
        yield ("maximum",), f"{column.maximum:g} is below the minimum {column.minimum:g}.", "Exchange the two."
    if column.type != "vector":
        yield from _category_faults(column)


def _category_faults(column: Column) -> Iterator[Fault]:
    plain, seen = Input(column.name, column.type), set()
    for i, category in enumerate(column.categories):
        try:
            value = scalar(plain, category)
        except Unreadable:
            what = f"{category!r} is no {column.type}."
            yield ("categories", i), what, "Write each category as a value of the input's type."
            continue
        if value in seen:
            yield ("categories", i), f"{category!r} is named twice.", "Keep one of the two."
        seen.add(value)
