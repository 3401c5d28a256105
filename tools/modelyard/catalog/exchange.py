"""A version as the document of another system."""

from __future__ import annotations

from modelyard.catalog.versions import card_of
from modelyard.checkout.checkout import ModelView
from modelyard.documents import encode
from modelyard.installation.toolkit import without_password
from modelyard.manifests.pipeline import read_lock
from modelyard.report.exchange.backstage import component
from modelyard.report.exchange.croissant import dataset
from modelyard.report.exchange.openlineage import run_event
from modelyard.report.exchange.slsa import provenance
from modelyard.report.markdown.card import Card

FORMATS = ("slsa", "mlbom", "openlineage", "croissant", "backstage")


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
    if form == "croissant":
        return encode(dataset(card, repository, _tables(view, card)), indent=2).decode()
    write = {"slsa": provenance, "openlineage": run_event, "backstage": component}[form]
    return encode(write(card, repository), indent=2).decode()


def _tables(view: ModelView, card: Card) -> dict[str, str]:
    """The training and the held-out rows of a version, with the md5 that its lock pins."""
    file = f"models/{view.name}/dvc.lock"
    content = view.checkout.git.file_at(view.version(card.lineage.version).commit, file)
    if content is None:
        return {}
    lock = read_lock(content, file)
    files = card.model.files
    names = [files.holdout] if card.lineage.elsewhere else [files.training, files.holdout]
    pinned = [lock.output(f"models/{view.name}/{name}") for name in names]
    return {entry.path: entry.md5 for entry in pinned if entry is not None}
