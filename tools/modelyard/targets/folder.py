"""A version's folder for other servers, with the code of its flavor; ``flavors.served`` reads it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import modelyard.flavors
from modelyard.documents import encode
from modelyard.files import write_whole
from modelyard.flavors.served import CONTRACT, PROBE
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.scoring.signature import flavor_of, options_of, signature_of
from modelyard.targets.interface import Package

_SOURCES = Path(modelyard.flavors.__file__).parent


def lay_out(folder: Path, package: Package) -> str:
    """Writes the version and the code that scored it into a folder; the name of the package with that code.

    The name holds a digest of the code, so that versions with different code live beside each other in one process.
    """
    model = parse(Model, package.manifest, f"{package.model} {package.version}")
    flavor, name = flavor_of(model), Path(model.files.artifact).name
    said = options_of(model, Path())
    options = {
        "trusted": said.trusted, "output": said.output, "files": said.files, "command": said.command,
        "seconds": said.seconds,
    }  # fmt: skip
    contract = {
        "signature": signature_of(model, package.version).to_json(),
        "flavor": flavor.name,
        "options": options,
        "artifact": f"artifact/{name}",
        "sha256": package.sha256,
    }
    write_whole(folder / "artifact" / name, package.artifact.read_bytes())
    write_whole(folder / CONTRACT, encode(contract, indent=1) + b"\n")
    if package.probe is not None:
        write_whole(folder / PROBE, encode(package.probe.to_json()) + b"\n")
    for path, content in package.files.items():
        write_whole(folder / path, content)
    for path, content in _runtime().items():
        write_whole(folder / runtime_name() / path, content)
    return runtime_name()


def runtime_name() -> str:
    """Such as ``modelyard_flavors_3f2a9c01d5e7``."""
    digest = hashlib.sha256()
    for path, content in _runtime().items():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return f"modelyard_flavors_{digest.hexdigest()[:12]}"


def pinned(package: Package) -> list[str]:
    """The requirements of the libraries that score the version, with the versions it was measured with."""
    flavor = flavor_of(parse(Model, package.manifest, f"{package.model} {package.version}"))
    recorded = [f"{name}=={package.packages[name]}" for name in flavor.packages if name in package.packages]
    return recorded or [name for name in flavor.packages if name != "xgboost"]


@cache
def _runtime() -> dict[str, bytes]:
    files = sorted(path for path in _SOURCES.rglob("*.py"))
    return {path.relative_to(_SOURCES).as_posix(): path.read_bytes() for path in files}
