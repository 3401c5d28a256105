"""A version as the document of another system."""

from __future__ import annotations

from modelyard.catalog.versions import card_of
from modelyard.checkout.checkout import ModelView
from modelyard.documents import encode
from modelyard.installation.toolkit import without_password
from modelyard.report.exchange.openlineage import run_event
from modelyard.report.exchange.slsa import provenance

FORMATS = ("slsa", "mlbom", "openlineage")


def exchanged(view: ModelView, version: str | None, form: str) -> str:
    """The JSON of a version (None: the latest); the same version gives the same text.

    ModelyardError where the version's tag or evidence lacks what the form needs.
    """
    card = card_of(view, version)
    if form == "mlbom":
        from modelyard.catalog.bill_of_materials import bill_of_materials

        return bill_of_materials(card).decode().rstrip("\n")
    git = view.checkout.git
    remote = git.remote()
    repository = without_password(git.remote_url(remote)) if remote else ""
    document = provenance(card, repository) if form == "slsa" else run_event(card, repository)
    return encode(document, indent=2).decode()
