"""What another job of main measured, taken into this checkout as untrusted: no code of a model runs here."""

from __future__ import annotations

from datetime import date

from modelyard.candidate.files import Candidate
from modelyard.candidate.judgement import write_reports, write_verdict
from modelyard.candidate.workspace import KINDS, Workspace
from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.release.registration import pinned_artifact
from modelyard.review.bundle import UntrustedBundle, read_untrusted
from modelyard.review.jobs import Left


def read_measured(left: Left) -> UntrustedBundle:
    """The evidence that a measuring job of the default branch left."""
    return read_untrusted(left.folder, under=left.under, of_main=True)


def take_measured(view: ModelView, measured: UntrustedBundle, today: date) -> None:
    """Puts the evidence about HEAD's candidate in its place, judges it, renders its reports, and fetches the artifact.

    The artifact is the one that dvc.lock of HEAD pins. Evidence about other bytes is refused when it is judged.
    """
    documents = {kind: measured.evidence.get(view.name, {}).get(kind) for kind in KINDS}
    if not any(documents.values()):
        refused = f" Refused: {'; '.join(measured.refused)}." if measured.refused else ""
        raise ModelyardError(
            f"The measuring job left no evidence about {view.name}.{refused}", "Look at that job, and run it again."
        )
    candidate, workspace = Candidate.of(view), Workspace(view)
    workspace.clear()
    candidate.artifact.unlink(missing_ok=True)  # a link that git keeps there is not followed
    view.checkout.dvc.fetch(pinned_artifact(candidate), f"the artifact of {view.name}", candidate.artifact)
    for kind, content in documents.items():
        if content is not None:
            workspace.write_evidence(kind, content)
    write_reports(view, write_verdict(view, today, None))
