"""Trust in an artifact before it is loaded: its format by content, its signature, the signature of its tag."""

from __future__ import annotations

import zipfile
from pathlib import Path

from modelyard.checkout.artifacts import FetchedVersion
from modelyard.checkout.checkout import Checkout
from modelyard.errors import Blocked, ModelyardError, Refused
from modelyard.evidence.artifact import HEAD_BYTES
from modelyard.flavors.formats import PICKLE, format_of
from modelyard.git import Git
from modelyard.manifests.configuration import Signing
from modelyard.registry.tags import version_tag
from modelyard.scoring.scorer import try_artifact
from modelyard.scoring.signature import flavor_of
from modelyard.signing import SIGNATURE, verify

_MEMBERS = 10_000


def sniff_file(path: Path) -> str | None:
    """The format of a file by its content, ignoring its name; None for an unknown format."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        members: tuple[str, ...] = ()
        if head.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                members = tuple(archive.namelist()[:_MEMBERS])
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        why = str(error).rstrip(".") or type(error).__name__
        raise ModelyardError(f"{path} cannot be read: {why}.", "Run: modelyard retrain MODEL") from error
    return format_of(head, members)


def require_trusted(checkout: Checkout, found: FetchedVersion) -> None:
    """Refused unless tag and artifact are signed, where modelyard.yaml requires it, and the format runs no code.

    A pickle or an unknown format needs a waiver and a signature.
    """
    git, signing = checkout.git, checkout.repository.config.signing
    tag = version_tag(found.model.name, found.version.version)
    signed = False
    if signing is not None:
        _require_signed_tag(git, signing, tag)
        signature = checkout.evidence.files(found.model.name, found.sha256).get(SIGNATURE)
        if signature is None:
            raise Blocked(
                f"modelyard.yaml requires signatures, and {tag} has no signature.",
                "Register it again where the signing key is available, or deploy a signed version.",
            )
        keys = [git.root / path for path in signing.keys]
        try:
            verify(found.artifact, signature, keys, signing.identities)
        except Refused as refusal:
            raise Blocked(f"The artifact of {tag} cannot be trusted: {refusal.problem}", refusal.remedy) from refusal
        signed = True
    _require_safe_format(found, tag, signed)


def require_stored(checkout: Checkout, found: FetchedVersion) -> None:
    """Refused unless the DVC remote has the artifact: what only this machine has, no other one could bring back."""
    if found.md5 and checkout.dvc.has_remote() and not checkout.dvc.on_remote(found.md5):
        raise Blocked(
            f"The artifact of {version_tag(found.model.name, found.version.version)} (md5 {found.md5[:12]}) is not on"
            " the DVC remote.",
            f"Push it from a clone that has it: dvc push models/{found.model.name}/dvc.yaml",
        )


def _require_signed_tag(git: Git, signing: Signing, tag: str) -> None:
    if not signing.allowed_signers:
        return
    if not git.tag_is_signed(tag, git.root / signing.allowed_signers):
        raise Blocked(
            f"The tag {tag} has no valid signature of a signer in {signing.allowed_signers}.",
            "Set gpg.format ssh and user.signingkey, then register again; or find out who created the tag.",
        )


def _require_safe_format(found: FetchedVersion, tag: str, signed: bool) -> None:
    form = sniff_file(found.artifact)
    if form is not None and form != PICKLE:
        if form in flavor_of(found.model).formats:
            try:
                try_artifact(found.model, found.artifact, found.folder)
            except ModelyardError as error:
                raise Blocked(f"The artifact of {tag} cannot be trusted: {error.problem}", error.remedy) from error
        return
    if form is None and flavor_of(found.model).own_code:
        return  # a program of the repository reads it, which was reviewed; the policy allowed the format
    waived = found.version.record is not None and found.version.record.verdict == "waived"
    if waived and signed:
        return
    what = "a pickle, which can run code when it is loaded" if form == PICKLE else "of an unknown format"
    raise Blocked(
        f"The artifact of {tag} is {what}.",
        "Keep it as one of the flavors of docs/flavors.md; or add a waiver and sign it.",
    )
