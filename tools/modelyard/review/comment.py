"""Reports on a pull request: one comment about all its models, and the commit status."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date

from modelyard.candidate.judgement import report_on
from modelyard.checkout.affected import affected_models, unregistered_models
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.rules import rules_of_base
from modelyard.checkout.tracking import Tracking
from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.evidence.statement import read_statement
from modelyard.evidence.training import Training
from modelyard.evidence.verdict import SEVERITY, Outcome
from modelyard.forges.ci import CI
from modelyard.forges.interface import PullForge, State, is_marked, verdict_status
from modelyard.gate.standing import GivenVerdict, outdated, outdated_sentence
from modelyard.manifests.conversion import parse
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.model import Model
from modelyard.manifests.repository import model_file
from modelyard.report.content import Report
from modelyard.report.headline import rules_only
from modelyard.report.markdown.comment import LIMIT, NOTHING, Rendered, joint_digest, marker, render_comment
from modelyard.report.markdown.safe import text
from modelyard.report.markdown.summary import (
    REPORT,
    ModelReport,
    out_of_date,
    plan_in,
    render_summary,
    report_in,
    with_plan,
)
from modelyard.review.pictures import METRICS, file_pictures
from modelyard.review.standing import champion_of, verdict_file
from modelyard.review.sticky import StickyComment, stick, without_watermark
from modelyard.review.subject import Subject
from modelyard.trackers.interface import TrackedRun
from modelyard.trackers.runs import ProposedRun, proposal_run

_STATES: dict[Outcome, State] = {"pass": "success", "waived": "success", "fail": "failure", "inconclusive": "failure",
                                 "error": "error"}  # fmt: skip
_RESERVE = 5_000  # characters for what CML adds
_LONG = 900_000  # characters of a comment on GitLab


@dataclass(frozen=True)
class Posted:
    """The result of a report: what the pull request shows now."""

    pull: int
    head: str
    outcomes: dict[str, Outcome]
    report: str
    """sha256 of the report; with several models, of all their reports together."""


class Poster:
    """Posts the reports of one pull request. The rules are those of ``base``; the proposal's files are only data."""

    def __init__(
        self, checkout: Checkout, forge: PullForge, ci: CI, base: str, today: date, say: Callable[[str], None]
    ) -> None:
        self._checkout, self._git, self._forge, self._ci = checkout, checkout.git, forge, ci
        self._base, self._today, self._say = base, today, say
        config = checkout.repository.config
        self._by_cml = config.cml and config.forge == "github"
        short = forge.comment_limit < 10 * LIMIT
        self._limit = min(LIMIT, forge.comment_limit - _RESERVE) if short else _LONG

    def post(self, subject: Subject, evidence: Mapping[str, Mapping[str, bytes]], refused: list[str]) -> Posted:
        """Posts the comment, then the status. The diff decides which models are due, never the untrusted bundle."""
        number = subject.pull.number
        posted = next((c.body for c in self._forge.comments(number) if c.ours and is_marked(c.body, REPORT)), "")
        tracking = Tracking(self._checkout, self._say)
        judged = self._judged(subject, evidence, refused, without_watermark(posted), tracking)
        reports, digests = [one for one, _ in judged], [rendered.digest for _, rendered in judged]
        compared = {one.model: one.champion for one in reports if one.champion is not None}
        why = self._outdated(compared)
        plan = plan_in(posted)
        if reports or with_plan(without_watermark(posted), "").strip() not in ("", REPORT):
            body = render_summary(reports, self._limit - len(plan))
            body = out_of_date(body, f"{outdated_sentence(why)}. Next: run its pipeline again.") if why else body
            comment = StickyComment(number, REPORT, with_plan(body, plan))
            stick(self._forge, self._ci, self._checkout.root, comment, self._by_cml, self._say)
        report = joint_digest(digests)
        shown = {
            f"pulls/{number}/{one.model}-{rendered.digest[:16]}.md": rendered.reported.encode()
            for one, rendered in judged
        }
        if len(digests) > 1:
            shown[f"pulls/{number}/all-{report[:16]}.txt"] = "\n".join(digests).encode()
        self._status(subject, reports, report, why)
        if compared:
            given = GivenVerdict(subject.head, self._git.commit_of(self._base), compared)
            shown[verdict_file(number)] = encode(given, order="sorted")
        if shown:
            self._checkout.evidence.append(shown, f"Pull request {number}: the reports for its reviewers")
        return Posted(number, subject.head, {one.model: one.outcome for one in reports}, report)

    def judge_queued(self, subject: Subject, evidence: Mapping[str, Mapping[str, bytes]], refused: list[str]) -> Posted:
        """Sets the status of a merged tree in a merge queue, by the champion of this moment. It posts no comment."""
        judged = self._judged(subject, evidence, refused, None)
        # Until the entry before this one in the queue is registered, the champion that this one meets is open.
        ahead = not self._git.is_ancestor(self._base, self._git.commit_of("HEAD"))
        awaited = {entry.model for entry in unregistered_models(self._git, self._base)} if ahead else set()
        reports = [self._of_now(one, awaited) for one, _ in judged]
        self._status(subject, reports, "")
        return Posted(subject.pull.number, subject.head, {one.model: one.outcome for one in reports}, "")

    def _of_now(self, one: ModelReport, awaited: Collection[str]) -> ModelReport:
        """The report, or an error where it compares with another version than the champion of this moment."""
        if one.champion is None or one.outcome == "error":
            return one
        reason = self._outdated({one.model: one.champion}, awaited).get(one.model)
        if reason is None:
            return one
        step = "Next: queue the pull request again."
        return replace(one, outcome="error", reason=reason, step=step, champion=None)

    def _outdated(self, compared: Mapping[str, str], awaited: Collection[str] = ()) -> dict[str, str]:
        """Model → why its verdict stands no more, by the champions of this moment."""
        return outdated(compared, {model: champion_of(self._checkout, model) for model in compared}, awaited)

    def _judged(
        self,
        subject: Subject,
        evidence: Mapping[str, Mapping[str, bytes]],
        refused: list[str],
        earlier: str | None,
        tracking: Tracking | None = None,
    ) -> list[tuple[ModelReport, Rendered]]:
        """The reports on the models that the diff affects.

        ``earlier`` is the comment with the reports before, None where none is posted.

        Each is given to ``tracking``.
        """
        notes = self._notes(subject, refused)
        judged = []
        for entry in affected_models(self._git, self._base, subject.head):
            model = entry.model
            before = None if earlier is None else report_in(earlier, model)
            judged.append(self._report(subject, model, evidence.get(model, {}), before, notes, tracking))
            one, rendered = judged[-1]
            self._say(f"{model}: {one.outcome}, report sha256 {rendered.digest[:12]}")
        if tracking:
            tracking.pending()
        return judged

    def _report(
        self,
        subject: Subject,
        model: str,
        documents: Mapping[str, bytes],
        earlier: str | None,
        notes: list[str],
        tracking: Tracking | None,
    ) -> tuple[ModelReport, Rendered]:
        bundle = _bundle(model, documents)
        try:
            rules = rules_of_base(self._git, self._base, subject.head, model, self._today)
            content = self._git.file_at(subject.head, model_file(model)) or b""
            owners = tuple(parse(Model, content, model_file(model)).owners)
        except ManifestErrors as errors:
            fault = f"{text(errors.problem)} {text(errors.remedy)}"
            body = f"{marker(model)}\n## 💥 {model} could not be judged\n\n{fault}\n"
            rendered = Rendered(body, hashlib.sha256(body.encode()).hexdigest(), body)
            return ModelReport(model, "error", errors.problem, errors.remedy, body), rendered
        view = self._checkout.model(model)
        report = report_on(view, bundle, rules, subject.head, self._base, owners, self._today)
        report = replace(report, rules_url=self._rules_url(report.verdict.policy_file))
        commands = self._git.file_at(self._base, ".github/workflows/commands.yml") is not None
        addresses: dict[str, str] = {}
        wanted = self._checkout.repository.config.pictures == "evidence-branch"
        if wanted and earlier is not None and not subject.pull.from_fork:  # what a stranger has filed would stay
            addresses = file_pictures(self._checkout.evidence, self._forge, report)
        picture = addresses.pop(METRICS, "")

        def render(pages: Mapping[str, str] = NOTHING) -> Rendered:
            return render_comment(
                report, earlier or "", self._limit, subject.run, notes, commands, picture, pages, addresses=addresses
            )

        rendered = render()
        if tracking and (pages := tracking.proposal(lambda: _tracked(subject, report, rendered))):
            rendered = render(pages)
        only_rules = rules_only(bundle.evaluation, report.backtest)
        evaluation = bundle.evaluation
        one = ModelReport(
            model=model,
            outcome=report.verdict.outcome,
            reason=report.why,
            step=report.next_step,
            body=rendered.body,
            rules=only_rules,
            champion=(evaluation.champion or "") if evaluation else None,
        )
        return one, rendered

    def _rules_url(self, file: str) -> str:
        """The address of the policy as of its last change, so that other commits on main leave the report as it is."""
        changed = self._git.history(file, first_parent=True, at=self._base)
        return self._forge.file_url(changed[0].sha, file) if changed else ""

    def _notes(self, subject: Subject, refused: list[str]) -> list[str]:
        files = self._forge.changed_files(subject.pull.number)
        notes = [f"These files of the untrusted bundle were not read: {'; '.join(refused[:5])}."] if refused else []
        if not subject.succeeded:
            notes.append(
                "The run that evaluates this pull request failed. Evidence that it did not upload counts as missing."
            )
        touched = [path for path in files if path.startswith((".github/", ".gitlab", "Jenkinsfile"))]
        if touched:
            notes.append(f"This pull request changes its own CI files: {', '.join(touched[:5])}.")
        if subject.pull.from_fork:
            notes.append(
                "The evidence is from a fork's run, without this repository's secrets. After the merge, main"
                " evaluates the"
                " model again and registers only that result."
            )
        return notes

    def _status(
        self, subject: Subject, reports: list[ModelReport], report: str, why: Mapping[str, str] = NOTHING
    ) -> None:
        """Sets the verdict; a passed one that is outdated by now, for the reasons ``why``, is pending instead."""
        worst: Outcome = next((o for o in SEVERITY if any(one.outcome == o for one in reports)), "pass")
        if reports:  # the reason comes first, because a status is short
            found = [one for one in reports if one.outcome == worst]
            others = f" and {len(found) - 1} more" if len(found) > 1 else ""
            against = f" vs {found[0].champion}" if found[0].champion else ""
            summary = f"{found[0].model}{others} {worst}{against}: {found[0].reason}"
        elif subject.succeeded:
            summary = "no model is affected"
        else:
            worst, summary = "error", "the run that checks this pull request failed"
        state = _STATES[worst]
        if why and state == "success":
            state, report, summary = "pending", "", f"{outdated_sentence(why)}; run its pipeline again"
        for commit in dict.fromkeys((subject.measured, subject.head)):
            self._forge.set_status(commit, verdict_status(state, summary, report, subject.run))


def _tracked(subject: Subject, report: Report, rendered: Rendered) -> TrackedRun:
    proposed = ProposedRun(
        pull=subject.pull.number,
        commit=subject.measured,
        branch=subject.pull.branch,
        outcome=report.verdict.outcome,
        reason=report.why,
        report=rendered.reported,
        report_sha256=rendered.digest,
        url=subject.pull.url,
    )
    return proposal_run(report.bundle, proposed)


def _bundle(model: str, documents: Mapping[str, bytes]) -> Bundle:
    """The evidence of a model.

    The training evidence names the artifact; all other evidence must be about the same one.
    """
    artifact = ""
    if "training" in documents:
        try:
            artifact = read_statement(documents["training"], "training", Training).artifact
        except ModelyardError:
            artifact = ""
    if not re.fullmatch(r"[0-9a-f]{64}", artifact):
        return read_bundle(model, "", {})
    return read_bundle(model, artifact, documents)
