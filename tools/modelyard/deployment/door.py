"""The one door that everything passes which gives or moves traffic: whether bytes may answer in an environment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.deployment.desired_state import require_waivers
from modelyard.deployment.incidents import report_incident, report_refusal
from modelyard.deployment.observation import UNPROTECTED
from modelyard.errors import Blocked, ModelyardError, Refused
from modelyard.evidence.approval import ApprovalRecord
from modelyard.evidence.statement import read_statement
from modelyard.evidence.verdict import Verdict
from modelyard.forges.interface import Forge
from modelyard.manifests.location import CONFIG
from modelyard.manifests.repository import deployment_file
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import version_tag
from modelyard.review.mainline import Mainline


class Door:
    """The door of one repository. ``forge`` None: only what is filed is known.

    With ``reports``, results and refusals are filed, and an issue is opened for a refusal.
    """

    def __init__(
        self, checkout: Checkout, forge: Forge | None, say: Callable[[str], None] = lambda _: None, *,
        reports: bool = True,
    ) -> None:  # fmt: skip
        self._checkout, self._forge, self._say = checkout, forge, say
        self._reports = reports
        self.mainline = Mainline(checkout, forge)
        self._warned = False

    def admit_forward(
        self, view: ModelView, environment: str, version: RegisteredVersion, today: date
    ) -> tuple[ApprovalRecord, ...]:
        """The approvals behind a version that main names. Refused unless every condition holds:

        a filed tag, a verdict on these bytes, waivers that are still valid, a commit in the history of the default
        branch, approvals of every change of that history, and a desired state that is committed there.
        """
        require_waivers(view, version, today)
        self._require_facts(view, version)
        head = self._desired_commit(view, environment)
        self._require_approved(view, environment, head)
        return self._records(version.commit, self.last_change(view, environment))

    def admit_back(self, view: ModelView, environment: str, version: RegisteredVersion) -> tuple[ApprovalRecord, ...]:
        """The approvals behind a version that gets traffic back, or keeps it. Refused unless its facts hold.

        A filed receipt of this environment shows that the version passed this door before. Any other version needs
        approvals of the history up to its commit.
        """
        self._require_facts(view, version)
        served = any(a.environment == environment and a.version == version.version for a in view.history.assignments)
        if not served:
            self._require_approved(view, environment, version.commit)
        return ()

    def admit_removal(self, view: ModelView, environment: str) -> tuple[ApprovalRecord, ...]:
        """The approvals behind the removal of a model from an environment. Refused unless main's history has them."""
        head = self._desired_commit(view, environment)
        self._require_approved(view, environment, head)
        return self._records(self.last_change(view, environment))

    def last_change(self, view: ModelView, environment: str) -> str:
        """The newest commit of main, up to HEAD, that changed the desired state of a model; '' for none."""
        head = self._checkout.git.commit_of("HEAD")
        return self.mainline.line.last_change(deployment_file(environment, view.name), head)

    # --- conditions --------------------------------------------------------------------------------------------------

    def _require_facts(self, view: ModelView, version: RegisteredVersion) -> None:
        tag = version_tag(view.name, version.version)
        if view.version(version.version) != version:  # raises for a moved or a handmade tag
            raise Refused(f"The tag {tag} changed during this run.", "Run the command again.")
        try:
            self.mainline.require_merged(version.commit, f"The tag {tag}")
            require_verdict(view, version)
        except Refused as refusal:
            raise Blocked(refusal.problem, refusal.remedy) from refusal

    def _require_approved(self, view: ModelView, environment: str, until: str) -> None:
        mainline = self.mainline
        mainline.require_kept()
        if not mainline.start and not self._warned:
            self._warned = True
            self._say(UNPROTECTED)
        try:
            missing = mainline.unapproved(until)
        finally:  # a forge that stops answering, as at its rate limit, is not asked for the same again
            if self._reports:
                mainline.file()
        if not missing:
            return
        commit, judged = next(iter(missing.items()))
        git = self._checkout.git
        subject = git.commit_info(commit).subject
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        refusal = Refused(
            f"The commit {commit[:12]} ({subject}){rest} was merged without the required approvals: {judged.sentence}.",
            f"{view.name} in {environment} is unchanged. To go on, have a new pull request approved whose commit"
            f" message names the commit in full ({commit}); it may revert it.",
        )
        if self._reports and self._forge is not None:
            report_refusal(view, self._forge, environment, commit, refusal, judged.sentence)
        raise refusal

    def _desired_commit(self, view: ModelView, environment: str) -> str:
        """HEAD. Refused unless it is in the default branch's history and the working tree has its desired state."""
        git = self._checkout.git
        head = git.commit_of("HEAD")
        self.mainline.require_merged(head, "HEAD")
        for path in (deployment_file(environment, view.name), CONFIG):
            file = self._checkout.root / path
            if (file.read_bytes() if file.is_file() else None) != git.file_at(head, path):
                raise Refused(f"{path} differs from HEAD.", "Have the change reviewed and merged, or restore the file.")
        return head

    def _records(self, *commits: str) -> tuple[ApprovalRecord, ...]:
        return tuple(
            record for commit in dict.fromkeys(filter(None, commits)) for record in self.mainline.record(commit)
        )


def require_verdict(view: ModelView, version: RegisteredVersion) -> None:
    """Refused unless a filed verdict on a version's bytes passes, and is the one that its tag names."""
    record, tag = version.record, version_tag(view.name, version.version)
    if record is None:
        raise Refused(f"The tag {tag} was made by hand.", "Register a version with modelyard register.")
    content = view.checkout.evidence.documents(view.name, record.artifact).get("verdict")
    if content is None:
        raise Refused(
            f"No verdict on the artifact of {tag} is filed.", f"Register it again: modelyard register {view.name}"
        )
    try:
        statement = read_statement(content, "verdict", Verdict)
    except ModelyardError as error:
        raise Refused(f"The verdict of {tag} cannot be read: {error.problem}", error.remedy) from error
    named = record.evidence.get("verdict", statement.digest)
    if statement.artifact != record.artifact or statement.digest != named:
        raise Refused(
            f"The filed verdict of {tag} is not the one that its tag names.",
            "Find out who changed it: modelyard audit check. Restore it from the history of modelyard/evidence.",
        )
    if statement.predicate.outcome not in ("pass", "waived") or statement.predicate.outcome != record.verdict:
        raise Refused(
            f"The filed verdict of {tag} is {statement.predicate.outcome}, and its tag says {record.verdict!r}.",
            "Deploy a version whose verdict is pass or waived.",
        )


def report_facts(view: ModelView, forge: Forge) -> None:
    """Files an incident for each moved tag of a model, once, with one issue on the forge."""
    for tag in view.history.moved:
        report_incident(
            view.checkout, forge, f"moved-{view.checkout.git.ref(f'refs/tags/{tag}') or tag}",
            f"The tag {tag} was moved after it was filed.",
            "Find out who moved it, then run: modelyard audit check --restore",
        )  # fmt: skip
