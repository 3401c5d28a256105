"""The CycloneDX 1.6 ML-BOM of a version: the model with its card, its training data and its packages."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from modelyard.documents import encode
from modelyard.errors import missing_extra
from modelyard.report.exchange.model_card import model_card
from modelyard.report.markdown.card import Card


def bill_of_materials(card: Card) -> bytes:
    """The document; the same for every run. ModelyardError without the library."""
    try:
        from cyclonedx.model import HashAlgorithm, HashType, Property
        from cyclonedx.model.bom import Bom
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
        from packageurl import PackageURL
    except ImportError as error:
        raise missing_extra("sbom", error.name or "cyclonedx-python-lib") from error

    def digest(algorithm: Any, content: str) -> Any:
        return HashType(alg=algorithm, content=content)

    lineage = card.lineage
    model = Component(
        name=lineage.model, version=str(lineage.version), type=ComponentType.MACHINE_LEARNING_MODEL, bom_ref="model",
        description=card.model.description, hashes=[digest(HashAlgorithm.SHA_256, lineage.artifact)],
        properties=[Property(name="modelyard:commit", value=lineage.code)],
    )  # fmt: skip
    data = [
        Component(name=one.path, type=ComponentType.DATA, bom_ref=f"data:{one.path}",
                  hashes=[digest(HashAlgorithm.MD5, one.md5.removesuffix(".dir"))])
        for one in lineage.data
    ]  # fmt: skip
    packages = []
    for name, number in lineage.packages.items():
        purl = PackageURL("pypi", name=name, version=number)
        packages.append(Component(name=name, version=number, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl)))
    parts = [*data, *packages]
    bom = Bom(components=parts, serial_number=uuid.UUID(hashlib.sha256(lineage.artifact.encode()).hexdigest()[:32]))
    bom.metadata.component = model
    bom.metadata.timestamp = datetime.fromtimestamp(lineage.registered_at, UTC)
    bom.register_dependency(model, parts)
    document = msgspec.json.decode(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    # The library has no model card, which its schema has.
    document["metadata"]["component"]["modelCard"] = model_card(card, [f"data:{one.path}" for one in lineage.data])
    return encode(document, order="sorted", indent=2) + b"\n"
