"""Comment commands: their grammar, who may, on which commit, and what comes of it."""

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
from modelyard.forges.interface import VERDICT, Comment, Pull, PullForge, Reaction, verdict_status
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.names import Version, is_name
from modelyard.registry.history import ModelHistory
from modelyard.report.markdown.bodies import EXPLAINED, explain
from modelyard.report.markdown.comment import artifact_in, marker
from modelyard.review.pull_requests import Proposed, Wish, deployment_change, open_proposed, waiver_change
from modelyard.review.subject import fetch_head

PREFIX = "/modelyard"
Verb = Literal["explain", "retrain", "promote", "rollback", "waive"]

_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # verb → keys it needs, keys it may have
    "explain": (frozenset(), frozenset({"model", "check"})),
    "retrain": (frozenset(), frozenset({"model"})),
    "promote": (frozenset({"env"}), frozenset({"model", "version"})),
    "rollback": (frozenset({"to"}), frozenset({"model", "env"})),
    "waive": (frozenset({"check", "until", "reason"}), frozenset({"model"})),
}
_PART = re.compile(r'([a-z]+)=(?:"([^"\\\x00-\x1f]{1,500})"|([A-Za-z0-9][A-Za-z0-9._-]{0,127}))(?: +|$)')
_LONGEST = 2000

MEASURING = "propose.yml"


@dataclass(frozen=True)
class Order:
    """One command that was understood."""

    verb: Verb
    values: dict[str, str]


def is_order(comment: str) -> bool:
    """Whether a comment speaks to us at all."""
    return comment.lstrip().startswith(PREFIX)


def parse_order(comment: str) -> Order:
    """The command in a comment; a UsageError that says what was not understood. Never guesses."""
    line = comment.strip()
    if len(line) > _LONGEST or "\n" in line or "\r" in line:
        raise UsageError("A command is one line, alone in its comment.", f"Write: {PREFIX} explain")
    word, _, rest = line.partition(" ")
    verb, _, rest = rest.strip().partition(" ")
    if word != PREFIX or verb not in _KEYS:
        raise UsageError(f"{verb or word!r} is no command.", near_match(verb, _KEYS))
    needed, allowed = _KEYS[verb]
    values: dict[str, str] = {}
    rest = rest.strip()
    at = 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None:
            raise UsageError(f"{rest[at : at + 40]!r} is not key=value.", 'Quote values with spaces: reason="…"')
        key = found[1]
        if key not in needed | allowed:
            raise UsageError(f"{verb} has no {key}.", near_match(key, needed | allowed))
        if key in values:
            raise UsageError(f"{key} is given twice.", "Give it once.")
        values[key] = found[2] if found[2] is not None else found[3]
        at = found.end()
    missing = sorted(needed - values.keys())
    if missing:
        raise UsageError(f"{verb} needs {', '.join(missing)}.", f"Write: {PREFIX} {verb} {missing[0]}=…")
    _check_values(values)
    return Order(verb, values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Asked:
    """A comment, as the forge's event describes it."""

    pull: int
    comment: int
    body: str
    actor: str
    at: int
    """Seconds since 1970."""


def read_comment(event: dict[str, Any]) -> Asked | None:
    """The comment of an ``issue_comment`` event; None when it is no command on a pull request, or an edit."""
    try:
        comment, issue = event["comment"], event["issue"]
        if event.get("action", "created") != "created" or not issue.get("pull_request"):
            return None
        at = datetime.fromisoformat(comment["created_at"])
        asked = Asked(
            int(issue["number"]),
            int(comment["id"]),
            str(comment["body"]),
            str(comment["user"]["login"]),
            int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelyardError("The event is no comment.", "Call this from commands.yml.") from error
    return asked if is_order(asked.body) else None


class CommentRunner:
    """Answers one comment with a reaction, and does what it asks."""

    def __init__(self, checkout: Checkout, forge: PullForge, today: date, say: Callable[[str], None]) -> None:
        self._checkout, self._git, self._repository = checkout, checkout.git, checkout.repository
        self._forge, self._today, self._say = forge, today, say
        self._base = self._git.commit_of("HEAD")

    def run(self, asked: Asked) -> None:
        """👀 when it is seen, 👍 when it is done, 👎 when it is refused, 😕 when it is not understood; then raises."""
        self._react(asked, "eyes")
        try:
            order = parse_order(asked.body)
        except UsageError:
            self._react(asked, "confused")
            raise
        try:
            self._do(order, asked)
        except ModelyardError:
            self._react(asked, "-1")
            raise
        self._react(asked, "+1")

    def _do(self, order: Order, asked: Asked) -> None:
        permission = self._forge.permission(asked.actor)
        if permission not in ("write", "admin"):
            raise Refused(
                f"@{asked.actor} has the permission {permission}; {order.verb} needs write.",
                "Ask somebody who may push to this repository.",
            )
        pull = self._forge.pull(asked.pull)
        fetch_head(self._git, pull)
        match order.verb:
            case "explain":
                self._explain(order, pull)
            case "retrain":
                self._retrain(pull, asked)
            case "promote":
                self._promote(order, pull, asked)
            case "rollback":
                self._roll_back(order, pull, asked)
            case "waive":
                self._waive(order, pull, asked)

    def _explain(self, order: Order, pull: Pull) -> None:
        model = self._model(order, pull)
        rules = rules_of_base(self._git, self._base, pull.head, model, self._today)
        known = [check.id for check in rules.policy.checks]
        wanted = order.values.get("check")
        if wanted and wanted not in known:
            raise UsageError(f"The policy {rules.policy.name} has no check {wanted}.", f"Known: {', '.join(known)}.")
        body = explain(model, rules.policy, rules.lines, self._forge_body(pull, model), wanted)
        self._forge.write_comment(pull.number, body, EXPLAINED)

    def _retrain(self, pull: Pull, asked: Asked) -> None:
        self._require_pinned(pull, asked)
        if pull.from_fork:
            raise Refused(
                "A fork's code is not run with this repository's secrets.",
                "Push its branch here first, after reading it.",
            )
        self._forge.run_workflow(MEASURING, pull.branch, {"commit": pull.head})

    def _promote(self, order: Order, pull: Pull, asked: Asked) -> None:
        model = self._model(order, pull)
        environment = self._repository.environment(order.values["env"]).name
        history = self._checkout.history(model)
        version = order.values.get("version") or self._version_of(pull, history)
        self._require_version(history, version)
        why = f"In pull request {pull.number}."
        wish = Wish(model, environment, version, who=asked.actor, why=why, verb="promote")
        self._open(deployment_change(self._git, self._base, wish))

    def _roll_back(self, order: Order, pull: Pull, asked: Asked) -> None:
        model = self._model(order, pull)
        environment = self._repository.environment(
            order.values.get("env", self._repository.config.environments[-1].name)
        ).name
        version, why = order.values["to"], f"In pull request {pull.number}."
        self._require_version(self._checkout.history(model), version)
        wish = Wish(model, environment, version, who=asked.actor, why=why, verb="rollback")
        self._open(deployment_change(self._git, self._base, wish))

    def _waive(self, order: Order, pull: Pull, asked: Asked) -> None:
        self._require_pinned(pull, asked)
        model = self._model(order, pull)
        policy = rules_of_base(self._git, self._base, pull.head, model, self._today).policy
        check = next((check for check in policy.checks if check.id == order.values["check"]), None)
        if check is None:
            raise UsageError(
                f"The policy {policy.name} has no check {order.values['check']}.",
                f"Known: {', '.join(c.id for c in policy.checks)}.",
            )
        if check.level != "soft":
            raise Refused(f"{check.id} is {check.level}; only soft checks can be waived.", "Mend the model instead.")
        if date.fromisoformat(order.values["until"]) < self._today:
            raise UsageError(f"{order.values['until']} is over.", "Name a day to come.")
        artifact = artifact_in(self._forge_body(pull, model))
        if not artifact:
            raise Refused(f"No report on {model} names its bytes here.", "Wait for the report, then ask again.")
        waiver = Waiver(
            model=model, check=check.id, artifact=artifact, reason=order.values["reason"],
            requested_by=f"@{asked.actor}", expires=order.values["until"],
        )  # fmt: skip
        self._open(waiver_change(waiver, f"In pull request {pull.number}."))

    # --- inside ----------------------------------------------------------------------------------------------------

    def _open(self, proposed: Proposed) -> None:
        branch = self._repository.config.default_branch
        pull, new, head = open_proposed(self._git, self._forge, branch, self._base, proposed)
        # A push with the job's own token starts no workflow, so the verdict on this head is given here.
        self._forge.set_status(head, verdict_status("success", "no model is touched", "", ""))
        self._say(f"{'opened' if new else 'refreshed'} pull request {pull.number}: {proposed.title}")

    def _model(self, order: Order, pull: Pull) -> str:
        if "model" in order.values:
            self._repository.model_folder(order.values["model"])
            return order.values["model"]
        base = f"{pull.merge_commit}^1" if pull.merge_commit else self._base
        touched = [entry.model for entry in affected_models(self._git, base, pull.head)]
        if len(touched) != 1:
            said = f"touches {', '.join(touched)}" if touched else "touches no model"
            raise UsageError(f"This pull request {said}.", "Say which: model=NAME")
        return touched[0]

    def _version_of(self, pull: Pull, history: ModelHistory) -> str:
        """What this pull request became; a version of anything else must be named."""
        for known in history.versions:
            if known.record and pull.merge_commit and known.commit == pull.merge_commit:
                return known.version
        raise Refused(
            f"Pull request {pull.number} has no registered version of {history.model} yet.",
            "Merge it first, or say which: version=v1.2.0",
        )

    def _require_version(self, history: ModelHistory, version: str) -> None:
        if history.version(version) is None:
            known = ", ".join(v.version for v in history.versions[-5:]) or "none"
            raise UsageError(f"{history.model} has no version {version}.", f"Registered: {known}.")

    def _require_pinned(self, pull: Pull, asked: Asked) -> None:
        """The commit the commenter saw a verdict on must still be the head: what came after was not meant."""
        if pull.state != "open":
            raise Refused(f"Pull request {pull.number} is {pull.state}.", "Nothing is run for it.")
        seen = [s for s in self._forge.statuses(pull.head) if s.context == VERDICT and s.ours and s.at <= asked.at]
        if not seen:
            raise Refused(
                f"The head {pull.head[:12]} had no verdict when this was asked: it is newer, or not measured yet.",
                "Look at what is new, and ask again.",
            )

    def _forge_body(self, pull: Pull, model: str) -> str:
        comments: list[Comment] = self._forge.comments(pull.number)
        body = next((c.body for c in comments if c.ours and marker(model) in c.body), "")
        if not body:
            raise Refused(f"There is no report on {model} here.", "Wait for it, then ask again.")
        return body

    def _react(self, asked: Asked, reaction: Reaction) -> None:
        self._forge.react(asked.pull, asked.comment, reaction)


def _check_values(values: dict[str, str]) -> None:
    for key in ("model", "env", "check"):
        if key in values and not is_name(values[key]):
            raise UsageError(f"{values[key]!r} is no name.", "Names are letters, digits, - and _.")
    for key in ("version", "to"):
        if key in values and Version.parse(values[key]) is None:
            raise UsageError(f"{values[key]!r} is no version.", "Write a version such as v1.2.0.")
    if "until" in values:
        try:
            date.fromisoformat(values["until"])
        except ValueError as error:
            raise UsageError(f"{values['until']!r} is no day.", "Write a day such as 2026-05-31.") from error
