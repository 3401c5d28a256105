"""Comment commands: their syntax, the permission and the commit that they need, and their effect."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from modelyard.checkout.affected import affected_models
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.rules import rules_of_base
from modelyard.errors import ModelyardError, Refused, UsageError, near_match
from modelyard.forges.interface import VERDICT, Comment, Pull, PullForge, Reaction, is_marked, verdict_status
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.names import Version, is_name
from modelyard.manifests.rules import checks_for
from modelyard.registry.history import ModelHistory
from modelyard.report.markdown.bodies import EXPLAINED, explain
from modelyard.report.markdown.comment import artifact_in
from modelyard.report.markdown.summary import REPORT, report_in
from modelyard.review.pull_requests import Proposed, VersionChange, deployment_change, open_proposed, waiver_change
from modelyard.review.subject import fetch_head

PREFIX = "/modelyard"
Verb = Literal["explain", "retrain", "promote", "rollback", "waive"]

_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # verb → required keys, optional keys
    "explain": (frozenset(), frozenset({"model", "check"})),
    "retrain": (frozenset(), frozenset({"model"})),
    "promote": (frozenset({"env"}), frozenset({"model", "version"})),
    "rollback": (frozenset({"to"}), frozenset({"model", "env"})),
    "waive": (frozenset({"check", "until", "reason"}), frozenset({"model"})),
}
# No quoted value has characters that end a line or that YAML cannot hold.
_QUOTED = r'"([^"\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]{1,500})"'
_PART = re.compile(rf"([a-z]+)=(?:{_QUOTED}|([A-Za-z0-9][A-Za-z0-9._-]{{0,127}}))(?: +|$)")
_LENGTH_LIMIT = 2000


@dataclass(frozen=True)
class CommentCommand:
    """One valid comment command."""

    verb: Verb
    values: dict[str, str]


def is_command(comment: str) -> bool:
    """Whether a comment starts like a command."""
    return comment.lstrip().startswith(PREFIX)


def parse_command(comment: str) -> CommentCommand:
    """The command in a comment; UsageError for anything that is not exactly a command."""
    line = comment.strip()
    if len(line) > _LENGTH_LIMIT or "\n" in line or "\r" in line:
        raise UsageError(
            f"A comment command is one line of at most {_LENGTH_LIMIT:,} characters.",
            f"Write, for example: {PREFIX} explain",
        )
    word, _, rest = line.partition(" ")
    verb, _, rest = rest.strip().partition(" ")
    if word != PREFIX or verb not in _KEYS:
        raise UsageError(f"{verb or word!r} is not a comment command.", near_match(verb, _KEYS))
    needed, allowed = _KEYS[verb]
    values: dict[str, str] = {}
    rest = rest.strip()
    at = 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None:
            raise UsageError(
                f"{rest[at : at + 40]!r} is not of the form key=value.", 'Quote values with spaces: reason="…"'
            )
        key = found[1]
        if key not in needed | allowed:
            raise UsageError(f"{verb} has no key {key}.", near_match(key, needed | allowed))
        if key in values:
            raise UsageError(f"The key {key} is given twice.", "Give it once.")
        values[key] = found[2] if found[2] is not None else found[3]
        at = found.end()
    missing = sorted(needed - values.keys())
    if missing:
        raise UsageError(f"{verb} needs the key {', '.join(missing)}.", f"Write: {PREFIX} {verb} {missing[0]}=…")
    _check_values(values)
    return CommentCommand(verb, values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class CommentEvent:
    """A comment, as the forge's event describes it."""

    pull: int
    comment: int
    body: str
    actor: str
    at: int
    """Seconds since 1970."""


def read_comment(event: dict[str, Any]) -> CommentEvent | None:
    """The new comment of an ``issue_comment`` event; None unless it is a command on a pull request."""
    try:
        comment, issue = event["comment"], event["issue"]
        if event.get("action", "created") != "created" or not issue.get("pull_request"):
            return None
        at = datetime.fromisoformat(comment["created_at"])
        found = CommentEvent(
            pull=int(issue["number"]),
            comment=int(comment["id"]),
            body=str(comment["body"]),
            actor=str(comment["user"]["login"]),
            at=int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelyardError("The event is not an issue_comment event.", "Run this command in commands.yml.") from error
    return found if is_command(found.body) else None


class CommentRunner:
    """Runs the command of one comment, and shows its state as reactions."""

    def __init__(self, checkout: Checkout, forge: PullForge, today: date, say: Callable[[str], None]) -> None:
        self._checkout, self._git, self._repository = checkout, checkout.git, checkout.repository
        self._forge, self._today, self._say = forge, today, say
        self._base = self._git.commit_of("HEAD")

    def run(self, event: CommentEvent) -> None:
        """Runs a command. The reactions are 👀 at the start, 👍 when done, 👎 after an error, 😕 for wrong syntax."""
        self._react(event, "eyes")
        try:
            command = parse_command(event.body)
        except UsageError:
            self._react(event, "confused")
            raise
        try:
            self._do(command, event)
        except ModelyardError:
            self._react(event, "-1")
            raise
        self._react(event, "+1")

    def _do(self, command: CommentCommand, event: CommentEvent) -> None:
        permission = self._forge.permission(event.actor)
        if permission not in ("write", "admin"):
            raise Refused(
                f"@{event.actor} has the permission {permission}, but {command.verb} needs write.",
                "Ask a person who may push to this repository.",
            )
        pull = self._forge.pull(event.pull)
        fetch_head(self._git, pull)
        match command.verb:
            case "explain":
                self._explain(command, pull)
            case "retrain":
                self._retrain(pull, event)
            case "promote":
                self._promote(command, pull, event)
            case "rollback":
                self._roll_back(command, pull, event)
            case "waive":
                self._waive(command, pull, event)

    def _explain(self, command: CommentCommand, pull: Pull) -> None:
        model = self._model(command, pull)
        rules = rules_of_base(self._git, self._base, pull.head, model, self._today)
        known = [check.id for check in checks_for(rules.policy, rules.model)]
        wanted = command.values.get("check")
        if wanted and wanted not in known:
            what = f"The policy {rules.policy.name} has no check {wanted} for {rules.model.task} models."
            raise UsageError(what, f"Known: {', '.join(known)}.")
        body = explain(rules.model, rules.policy, rules.lines, self._forge_body(pull, model), wanted)
        self._forge.write_comment(pull.number, body, EXPLAINED)

    def _retrain(self, pull: Pull, event: CommentEvent) -> None:
        self._require_pinned(pull, event)
        if pull.from_fork:
            raise Refused(
                "The code of a fork does not run with this repository's secrets.",
                "Review the code, then push the branch to this repository.",
            )
        self._forge.measure_again(pull)

    def _promote(self, command: CommentCommand, pull: Pull, event: CommentEvent) -> None:
        model = self._model(command, pull)
        environment = self._repository.environment(command.values["env"]).name
        history = self._checkout.history(model)
        version = command.values.get("version") or self._version_of(pull, history)
        self._require_version(history, version)
        why = f"In pull request {pull.number}."
        change = VersionChange(model, environment, version, who=event.actor, why=why, verb="promote")
        self._open(deployment_change(self._git, self._base, change))

    def _roll_back(self, command: CommentCommand, pull: Pull, event: CommentEvent) -> None:
        model = self._model(command, pull)
        environment = self._repository.environment(
            command.values.get("env", self._repository.config.environments[-1].name)
        ).name
        version, why = command.values["to"], f"In pull request {pull.number}."
        self._require_version(self._checkout.history(model), version)
        change = VersionChange(model, environment, version, who=event.actor, why=why, verb="rollback")
        self._open(deployment_change(self._git, self._base, change))

    def _waive(self, command: CommentCommand, pull: Pull, event: CommentEvent) -> None:
        self._require_pinned(pull, event)
        model = self._model(command, pull)
        policy = rules_of_base(self._git, self._base, pull.head, model, self._today).policy
        check = next((check for check in policy.checks if check.id == command.values["check"]), None)
        if check is None:
            raise UsageError(
                f"The policy {policy.name} has no check {command.values['check']}.",
                f"Known: {', '.join(c.id for c in policy.checks)}.",
            )
        if check.level != "soft":
            raise Refused(
                f"The check {check.id} is {check.level}; only soft checks can be waived.", "Improve the model instead."
            )
        if date.fromisoformat(command.values["until"]) < self._today:
            raise UsageError(f"{command.values['until']} is in the past.", "Give a date from today on.")
        artifact = artifact_in(self._forge_body(pull, model))
        if not artifact:
            raise Refused(
                f"The report about {model} names no artifact.",
                "Wait for a report with an artifact, then repeat the command.",
            )
        waiver = Waiver(
            model=model, check=check.id, artifact=artifact, reason=command.values["reason"],
            requested_by=f"@{event.actor}", expires=command.values["until"],
        )  # fmt: skip
        self._open(waiver_change(waiver, f"In pull request {pull.number}."))

    # --- internal --------------------------------------------------------------------------------------------------

    def _open(self, proposed: Proposed) -> None:
        branch = self._repository.config.default_branch
        pull, new, head = open_proposed(self._git, self._forge, branch, self._base, proposed)
        # A push with the job's own token starts no workflow, so the verdict of the new head is set here.
        self._forge.set_status(head, verdict_status("success", "no model is affected", "", ""))
        self._say(f"{'opened' if new else 'updated'} pull request {pull.number}: {proposed.title}")

    def _model(self, command: CommentCommand, pull: Pull) -> str:
        if "model" in command.values:
            self._repository.model_folder(command.values["model"])
            return command.values["model"]
        base = f"{pull.merge_commit}^1" if pull.merge_commit else self._base
        touched = [entry.model for entry in affected_models(self._git, base, pull.head)]
        if len(touched) != 1:
            found = f"changes {', '.join(touched)}" if touched else "changes no model"
            raise UsageError(f"This pull request {found}.", "Name the model: model=NAME")
        return touched[0]

    def _version_of(self, pull: Pull, history: ModelHistory) -> str:
        """The version that the merge of this pull request registered."""
        for known in history.versions:
            if known.record and pull.merge_commit and known.commit == pull.merge_commit:
                return known.version
        raise Refused(
            f"Pull request {pull.number} has no registered version of {history.model}.",
            "Merge it first, or name the version: version=v1.2.0",
        )

    def _require_version(self, history: ModelHistory, version: str) -> None:
        if history.version(version) is None:
            known = ", ".join(v.version for v in history.versions[-5:]) or "none"
            raise UsageError(f"{history.model} has no version {version}.", f"Registered versions: {known}.")

    def _require_pinned(self, pull: Pull, event: CommentEvent) -> None:
        """Refused unless the head had a verdict at the time of the comment: the person did not see later commits."""
        if pull.state != "open":
            raise Refused(
                f"Pull request {pull.number} is {pull.state}, so nothing is run for it.",
                "Reopen it, or open a new one.",
            )
        seen = [s for s in self._forge.statuses(pull.head) if s.context == VERDICT and s.ours and s.at <= event.at]
        if not seen:
            raise Refused(
                f"The head {pull.head[:12]} had no verdict when the comment was written.",
                "Wait for its report and read it, then repeat the command.",
            )

    def _forge_body(self, pull: Pull, model: str) -> str:
        comments: list[Comment] = self._forge.comments(pull.number)
        body = report_in(next((c.body for c in comments if c.ours and is_marked(c.body, REPORT)), ""), model)
        if not body:
            raise Refused(
                f"This pull request has no report about {model}.", "Wait for the report, then repeat the command."
            )
        return body

    def _react(self, event: CommentEvent, reaction: Reaction) -> None:
        self._forge.react(event.pull, event.comment, reaction)


def _check_values(values: dict[str, str]) -> None:
    for key in ("model", "env", "check"):
        if key in values and not is_name(values[key]):
            raise UsageError(f"{values[key]!r} is not a valid name.", "Names have only letters, digits, - and _.")
    for key in ("version", "to"):
        if key in values and Version.parse(values[key]) is None:
            raise UsageError(f"{values[key]!r} is not a valid version.", "Write a version such as v1.2.0.")
    if "until" in values:
        try:
            date.fromisoformat(values["until"])
        except ValueError as error:
            raise UsageError(f"{values['until']!r} is not a valid date.", "Write a date such as 2026-05-31.") from error
