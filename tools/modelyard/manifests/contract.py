"""Faults of a contract and of a flavor's settings, found without the artifact."""

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
    parts = {f"{c.name}_{place}": c.name for c in contract.inputs for place in range(c.length)}
    for i, column in enumerate(contract.inputs):
        where = ("contract", "inputs", i)
        if column.name in names[:i]:
            yield (*where, "name"), f"{column.name!r} is named twice.", "Remove one of them."
        if column.name in parts:
            what = f"{column.name!r} is also a library's name for a number of the vector {parts[column.name]!r}."
            yield (*where, "name"), what, "Rename the column."
        if column.name in (contract.label, contract.id):
            role = "label" if column.name == contract.label else "id"
            yield (*where, "name"), f"{column.name!r} is the contract's {role}.", "Name another column as the input."
        for field, what, remedy in _column_faults(column):
            yield (*where, *field), what, remedy


def flavor_faults(model: Model) -> Iterator[Fault]:
    """Faults of the flavor: unknown, missing, or with options of another flavor."""
    said = model.flavor
    flavor = flavor_in(model)
    if flavor is None and said.name:
        known = [flavor.name for flavor in every_flavor()]
        yield ("flavor", "name"), f"{said.name!r} is not a known flavor.", near_match(said.name, known)
        return
    if flavor is None:
        what = f"is missing, and no flavor has the ending of {model.files.artifact}."
        yield ("flavor", "name"), what, "Name the flavor; docs/flavors.md lists them."
        return
    for option, owner in _OPTIONS.items():
        if getattr(said, option) != getattr(_DEFAULTS, option) and owner != flavor.name:
            yield ("flavor", option), f"is an option of the flavor {owner}, not of {flavor.name}.", "Remove it."
    if flavor.name == "command" and not said.command:
        yield ("flavor", "command"), "is missing.", "Name the program and its arguments."


def host_fault(flavor: Flavor, model: str, target: str) -> tuple[str, str] | None:
    """(problem, remedy) if the target does not serve the flavor; else None.

    None also for a target that no flavor knows: it is from another package, and decides itself.
    """
    if target in flavor.hosts or not any(target in known.hosts for known in every_flavor()):
        return None
    known = ", ".join(flavor.hosts)
    what = f"The target {target} does not serve {model}, whose flavor is {flavor.name}."
    if not known:
        return what, f"The flavor {flavor.name} scores batches only; store the model in another flavor to serve it."
    return what, f"Deploy it to an environment with one of the targets {known}; see docs/flavors.md."


def flavor_in(model: Model) -> Flavor | None:
    """The flavor that model.yaml names, else that of the artifact's ending; None without one."""
    try:
        return flavor_named(model.flavor.name) if model.flavor.name else flavor_of_file(model.files.artifact)
    except FlavorFault:
        return None


def _column_faults(column: Column) -> Iterator[Fault]:
    if column.type == "vector" and not column.length:
        yield ("length",), "is missing.", "Add the number of values in each vector."
    if column.type != "vector" and column.length:
        yield ("length",), f"applies to vectors only; the type is {column.type}.", "Remove it."
    if column.type == "vector" and column.categories:
        yield ("categories",), "do not apply to vectors.", "Remove them."
    for bound in ("minimum", "maximum"):
        if getattr(column, bound) is not None and column.type not in _NUMBERS:
            yield (bound,), f"applies to numbers only; the type is {column.type}.", "Remove it."
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
            what = f"{category!r} is not a valid {column.type}."
            yield ("categories", i), what, "Write each category as a value of the input's type."
            continue
        if value in seen:
            yield ("categories", i), f"{category!r} is named twice.", "Remove one of them."
        seen.add(value)
