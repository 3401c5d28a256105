"""All flavors: the built-in ones, and those of other packages by the entry point ``modelyard.flavors``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from .interface import Fault, Flavor

BUILT_IN = {
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "catboost": "CatBoost",
    "sklearn": "SKLearn",
    "onnx": "ONNX",
    "python": "Python",
    "command": "Command",
}
"""Module of this package → the class in it."""


def flavor_named(name: str) -> Flavor:
    """The flavor of a name; Fault when there is none."""
    if name in BUILT_IN:  # without reading the entry points of every installed package
        return _built_in(name)
    found = _others().get(name)
    if found is None:
        known = ", ".join([*BUILT_IN, *_others()])
        raise Fault(f"There is no flavor {name!r}.", f"Choose one of {known}, or install the package that has it.")
    return found


def every_flavor() -> tuple[Flavor, ...]:
    """The built-in flavors, then the others by name."""
    return (*(_built_in(name) for name in BUILT_IN), *(flavor for _, flavor in sorted(_others().items())))


def flavor_of_file(name: str) -> Flavor | None:
    """The flavor of a file name's ending; None without one."""
    return next((flavor for flavor in every_flavor() if name.lower().endswith(flavor.endings or ("\0",))), None)


@cache
def _built_in(name: str) -> Flavor:
    flavor: Flavor = getattr(import_module(f".{name}", __package__), BUILT_IN[name])()
    return flavor


@cache
def _others() -> dict[str, Flavor]:
    entries = {entry.name: entry for entry in entry_points(group="modelyard.flavors")}
    return {name: entry.load()() for name, entry in entries.items() if name not in BUILT_IN}
