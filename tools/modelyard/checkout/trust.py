"""The format of a file by its first bytes. Imports nothing that could load a model."""

from __future__ import annotations

import zipfile
from pathlib import Path

from modelyard.checkout.artifacts import FetchedVersion
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.artifact import HEAD_BYTES, sniff
from modelyard.git import Git
from modelyard.manifests.configuration import Signing
from modelyard.manifests.policy import ArtifactFormat
from modelyard.registry.tags import version_tag
from modelyard.signing import SIGNATURE, verify

_MEMBERS = 10_000


def sniff_file(path: Path) -> ArtifactFormat | None:
    """The format of a file by its content, whatever its name; None when it is none that is known."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        members: tuple[str, ...] = ()
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                members = tuple(archive.namelist()[:_MEMBERS])
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelyardError(f"{path} cannot be read: {error}.", "Run: modelyard retrain MODEL") from error
    return sniff(head, members)


def require_trusted(checkout: Checkout, found: FetchedVersion) -> None:
    """Refused unless tag and bytes are signed (where modelyard.yaml asks for it) and the format is one that runs no
    code; a pickle needs a waiver and a signature.
    """
    git, signing = checkout.git, checkout.repository.config.signing
    tag = version_tag(found.model.name, found.version.version)
    signed = False
    if signing is not None:
        _require_signed_tag(git, signing, tag)
        signature = checkout.evidence.files(found.model.name, found.sha256).get(SIGNATURE)
        if signature is None:
            raise Refused(
                f"modelyard.yaml asks for signatures, and none is filed for {tag}.",
                "Register it again where the signing key is, or deploy a version that is signed.",
            )
        keys = [git.root / path for path in signing.keys]
        verify(found.artifact, signature, keys, signing.identities)
        signed = True
    _require_safe_format(found, tag, signed)


def _require_signed_tag(git: Git, signing: Signing, tag: str) -> None:
    if not signing.allowed_signers:
        return
    if not git.tag_is_signed(tag, git.root / signing.allowed_signers):
        raise Refused(
            f"The tag {tag} carries no signature of anybody in {signing.allowed_signers}.",
            "Register with git's tag signing on (gpg.format ssh, user.signingkey), or find out who made the tag.",
        )


def _require_safe_format(found: FetchedVersion, tag: str, signed: bool) -> None:
    form = sniff_file(found.artifact)
    if form is not None and form != "pickle":
        return
    waived = found.version.record is not None and found.version.record.verdict == "waived"
    if waived and signed:
        return
    what = "a pickle, which runs what its author wrote" if form == "pickle" else "of no format that is known"
    raise Refused(
        f"The artifact of {tag} is {what}.",
        "Store it as LightGBM text, XGBoost JSON, ONNX, safetensors or skops; or file a waiver, and sign it.",
    )
