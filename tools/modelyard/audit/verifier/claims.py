"""The claims about a bundle, each checked from git objects. The bundle is untrusted."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cached_property
from typing import Any

from .ecdsa import verify_ecdsa
from .line import line_of
from .objects import ClaimFailed, Repository, Tag
from .rules import require_rules

EVIDENCE = "urn:modelyard:evidence:"


class Auditor:
    """Checks all claims about one bundle; ``results`` are (holds, subject, claim with detail)."""

    def __init__(self, repository: Repository, anchor: dict[str, Any] | None, keys: list[bytes]) -> None:
        self.git, self.anchor = repository, anchor or repository.manifest.get("anchor")
        self.heads: dict[str, str] = repository.manifest["heads"]
        self.tags = {name: repository.tag(name, sha) for name, sha in repository.manifest["tags"].items()}
        self.results: list[tuple[bool, str, str]] = []
        self.evidence = repository.files(repository.commit(self.heads["evidence"]).tree)
        self.keys = keys or self._keys()
        self.trusted = "a given key" if keys else "a key of the repository"

    def run(self) -> bool:
        for what, claim in (
            ("nothing was deleted, reordered or rewritten", self._history),
            ("every filed tag is unchanged", self._copies),
            ("every object is what its name says", self._hashes),
            ("a clone of repository.bundle has the same tags", lambda: f"{self.git.check_history()} tags"),
            ("every file is the one that was filed with its tag", self._filed),
            (f"the versions of {self.git.manifest['environment']} are covered", self._covered),
        ):
            self._claim("registry", what, claim)
        for assignment in self._production():
            version = self._version_of(assignment)
            name = f"{assignment.name} ({assignment.record.get('version', '?')})"
            for what, check in (
                ("had a passing verdict under the policy in force", self._verdict),
                ("was approved by an allowed person other than its author who saw that report", self._approval),
                ("has a valid signature", self._signature),
                ("is reproducible from pinned data", self._data),
            ):
                self._claim(name, what, lambda check=check, a=assignment, v=version: check(a, v))
        return all(passed for passed, _, _ in self.results)

    def _claim(self, subject: str, what: str, claim: Any) -> None:
        try:
            detail = claim() or ""
            self.results.append((True, subject, f"{what}{f': {detail}' if detail else ''}"))
        except (ClaimFailed, KeyError, ValueError, TypeError, AttributeError) as error:
            why = str(error) if isinstance(error, ClaimFailed) else f"unreadable ({type(error).__name__}: {error})"
            self.results.append((False, subject, f"{what}: {why}"))

    def _production(self) -> list[Tag]:
        stage = re.compile(rf"(.+)#{re.escape(self.git.manifest['environment'])}#\d+")
        receipts = (tag for tag in self.tags.values() if stage.fullmatch(tag.name) and not self._imported(tag))
        return sorted(receipts, key=lambda tag: (tag.at, tag.name))

    def _imported(self, tag: Tag) -> bool:
        """Whether a tag without a record was filed as an import of GTO's: it says what GTO says, and is no receipt."""
        return f"{tag.model}/imports/{tag.name}.json" in self.evidence and self._is_filed(tag) and not tag.record

    @cached_property
    def _line(self) -> dict[str, str]:
        judged = (re.fullmatch("changes/([0-9a-f]+)[.]json", path) for path in self.evidence)
        filed = {tag.commit for tag in self.tags.values() if not self._imported(tag) and self._is_filed(tag)}
        return line_of(self.git, self.heads["main"], filed | {found[1] for found in judged if found})

    def _is_filed(self, tag: Tag) -> bool:
        return f"{tag.model}/tags/{tag.name}" in self.evidence

    def _version_of(self, assignment: Tag) -> Tag | None:
        model, version = assignment.name.split("#")[0], assignment.record.get("version")
        return self.tags.get(f"{model}@{version}")

    def _document(self, path: str, kind: str, artifact: str) -> dict[str, Any]:
        if path not in self.evidence:
            raise ClaimFailed(f"{path} is not filed")
        document: dict[str, Any] = json.loads(self.git.read(self.evidence[path], "blob"))
        if document["predicateType"] != f"{EVIDENCE}{kind}:1" or document["subject"][0]["digest"]["sha256"] != artifact:
            raise ClaimFailed(f"{path} is about another artifact")
        predicate: dict[str, Any] = document["predicate"]
        return predicate

    def _filed_bytes(self, folder: str, name: str, digest: str) -> None:
        """The current file, not one that it superseded: what is shown is what was judged."""
        path, stem = f"{folder}/{name}", name.removesuffix(".json")
        if path not in self.evidence:
            raise ClaimFailed(f"the {stem} evidence {digest[:12]} is not filed")
        if _sha256(self.git.read(self.evidence[path], "blob")) != digest:
            raise ClaimFailed(f"the {stem} evidence was changed after it was judged")

    # --- the claims ------------------------------------------------------------------------------------------------

    def _verdict(self, assignment: Tag, version: Tag | None) -> str:
        version = _registered(version, assignment)
        record, model = version.record, version.name.split("@")[0]
        artifact = record["artifact"]
        if assignment.record.get("artifact") != artifact:
            raise ClaimFailed("the deployed artifact is not the registered one")
        found = self._document(f"{model}/{artifact}/verdict.json", "verdict", artifact)
        self._filed_bytes(f"{model}/{artifact}", "verdict.json", record["evidence"]["verdict"])
        if found["outcome"] not in ("pass", "waived") or record["verdict"] != found["outcome"]:
            raise ClaimFailed(f"the verdict is {found['outcome']}, the tag records {record['verdict']}")
        bad = [c["id"] for c in found["checks"] if c["level"] != "advisory" and c["outcome"] not in ("pass", "waived")]
        if bad or not found["checks"]:
            raise ClaimFailed(f"these checks did not pass: {', '.join(bad)}" if bad else "the verdict has no checks")
        for kind, digest in found["evidence"].items():
            self._filed_bytes(f"{model}/{artifact}", f"{kind}.json", digest)
            if record["evidence"].get(kind) != digest:
                raise ClaimFailed(f"the tag and the verdict name different {kind} evidence")
        policy = self.git.blob_at(version.commit, found["policy_file"])
        if policy is None or _sha256(policy) != found["policy_sha256"]:
            raise ClaimFailed(f"{found['policy_file']} of that commit is not the policy of the verdict")
        waived = [c for c in found["checks"] if c["outcome"] == "waived"]
        for check in waived:
            if (
                check["level"] == "hard"
                or not check["waiver"]
                or self.git.blob_at(version.commit, check["waiver"]) is None
            ):
                raise ClaimFailed(f"{check['id']} was waived without a valid waiver")
        return f"{found['outcome']}, {len(found['checks'])} checks" + (f", {len(waived)} waived" if waived else "")

    def _approval(self, assignment: Tag, version: Tag | None) -> str:
        version = _registered(version, assignment)
        model, artifact = version.name.split("@")[0], version.record["artifact"]
        everybody: list[str] = []
        for tag in (version, assignment):
            stem, dot, ending = f"{tag.name}.json".partition(".")
            older = re.compile(
                re.escape(f"{model}/approvals/superseded/{stem}-") + "[0-9a-f]{12}" + re.escape(dot + ending)
            )
            if any(older.fullmatch(path) for path in self.evidence):
                raise ClaimFailed(f"the approvals of {tag.name} were rewritten")
            found = self._document(f"{model}/approvals/{tag.name}.json", "approval", artifact)
            named = {_normalised(name) for change in found["changes"] for name in change["by"]}
            if named != {_normalised(name) for name in tag.record.get("approved_by", ())}:
                raise ClaimFailed(f"the approvals of {tag.name} are not those that the tag names")
            for change in found["changes"]:
                # The approvals of the assignment include those of the registration, which deploy checks again.
                if tag is assignment:
                    everybody += self._approved(change)
        if not everybody:
            raise ClaimFailed("it has no approval")
        return ", ".join(dict.fromkeys(everybody))

    def _approved(self, change: dict[str, Any]) -> list[str]:
        author = _normalised(change["author"])
        if any(_normalised(name) == author for name in change["by"]):
            raise ClaimFailed(f"{change['author']} approved their own change")
        if change["policy_sha256"] and not change["rules"]:
            raise ClaimFailed("there were rules, and none of them is recorded")
        for rule in change["rules"]:
            if len({_normalised(name) for name in rule["by"]} - {author}) < rule["needed"]:
                raise ClaimFailed(f"{rule['id']}: {len(rule['by'])} of {rule['needed']} by {rule['role']}")
        require_rules(self.git, self._line, change)
        if change["report"]:
            folder = f"pulls/{change['pull']}/"
            seen = [sha for path, sha in self.evidence.items() if path.startswith(folder)]
            if not any(_sha256(self.git.read(sha, "blob")) == change["report"] for sha in seen):
                raise ClaimFailed(f"the report {change['report'][:12]} that approvers saw is not filed")
        return list(change["by"])

    def _signature(self, assignment: Tag, version: Tag | None) -> str:
        version = _registered(version, assignment)
        model, artifact = version.name.split("@")[0], version.record["artifact"]
        path = f"{model}/{artifact}/model.sig"
        if path not in self.evidence:
            raise ClaimFailed("no signature is filed")
        bundle = json.loads(self.git.read(self.evidence[path], "blob"))
        if "publicKey" not in bundle["verificationMaterial"]:
            raise ClaimFailed("it is keyless and needs Sigstore's roots; use python -m model_signing verify sigstore")
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"])
        kind = envelope["payloadType"].encode()
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        if not any(verify_ecdsa(key, signed, signature) for key in self.keys):
            raise ClaimFailed("no trusted key made the signature")
        resources = json.loads(payload)["predicate"]["resources"]
        if len(resources) != 1 or resources[0]["algorithm"] != "sha256" or resources[0]["digest"] != artifact:
            raise ClaimFailed("the signature is of another artifact")
        return f"sha256 {artifact[:16]}, {self.trusted}"

    def _data(self, assignment: Tag, version: Tag | None) -> str:
        version = _registered(version, assignment)
        record, model = version.record, version.name.split("@")[0]
        lock = self.git.blob_at(version.commit, f"models/{model}/dvc.lock")
        if lock is None or _sha256(lock) != record["lock"]:
            raise ClaimFailed("dvc.lock of that commit is not the registered one")
        training = f"{model}/{record['artifact']}/training.json"
        known = training in self.evidence and not record["data"]
        if known and self._document(training, "training", record["artifact"]).get("elsewhere"):
            return "trained elsewhere: the artifact is pinned, and nobody here can reproduce it"
        pinned = set(re.findall(r"md5: ([0-9a-f]{32}(?:\.dir)?)", lock.decode()))
        missing = [path for path, md5 in record["data"].items() if md5 not in pinned]
        if missing or not record["data"]:
            raise ClaimFailed(f"dvc.lock does not pin {', '.join(missing) or 'any data'}")
        path = f"{model}/{record['artifact']}/reproduction.json"
        if path not in self.evidence:
            return f"{len(record['data'])} inputs pinned; no reproduction is filed"
        made = self._document(path, "reproduction", record["artifact"])
        inputs = f"{len(record['data'])} inputs pinned"
        if made["outcome"] == "pass":
            return f"{inputs}, reproduced byte for byte"
        verdict = self._document(f"{model}/{record['artifact']}/verdict.json", "verdict", record["artifact"])
        return f"{inputs}, {_tolerated(made, verdict['checks'])}"

    def _covered(self) -> str:
        """An audit that judges no receipt proves nothing."""
        receipts = self._production()
        if not receipts:
            raise ClaimFailed("there is no receipt of this environment, so nothing is judged")
        versions = dict.fromkeys(f"{tag.name.split('#')[0]} {tag.record.get('version', '?')}" for tag in receipts)
        imported = sum(self._imported(tag) for tag in self.tags.values())
        more = f"; {imported} tags of GTO were imported and are no receipts" if imported else ""
        return f"{len(receipts)} receipts of {', '.join(versions)}{more}"

    def _hashes(self) -> str:
        return f"{self.git.check_all()} objects"

    def _filed(self) -> str:
        """Reports, probe, signature and approvals; tags of before they named them have none."""
        named = [
            (tag, path, digest) for tag in self.tags.values() for path, digest in tag.record.get("filed", {}).items()
        ]
        for tag, path, digest in named:
            whole = f"{tag.model}/{path}"
            if whole not in self.evidence:
                raise ClaimFailed(f"{whole}, which was filed with {tag.name}, is missing")
            if _sha256(self.git.read(self.evidence[whole], "blob")) != digest:
                raise ClaimFailed(f"{whole} is not the file that was filed with {tag.name}")
        return f"{len(named)} files"

    def _copies(self) -> str:
        count = 0
        for path, sha in self.evidence.items():
            model, between, name = path.partition("/tags/")
            if not between or name.startswith("superseded/") or model.startswith(("pulls/", "refused/")):
                continue
            if name not in self.tags:
                raise ClaimFailed(f"the tag {name} was deleted")
            if self.tags[name].raw != self.git.read(sha, "blob"):
                raise ClaimFailed(f"the tag {name} was moved")
            count += 1
        return f"{count} tags"

    def _history(self) -> str:
        for path in (path for path in self.evidence if path.startswith("incidents/")):
            if "problem" not in json.loads(self.git.read(self.evidence[path], "blob")):
                raise ClaimFailed(f"the evidence branch was rewritten (see {path})")  # others say what was refused
        chain = self.git.history(self.heads["evidence"])
        for sha in chain:
            self._only_grows(sha)
        self._order()
        main = self.git.history(self.heads["main"])
        if not self.anchor:
            return f"{len(chain)} commits of evidence; without an anchor, a rewritten past is not detected"
        for name, commits in (("main", main), ("evidence", chain)):
            if self.anchor["heads"][name] not in commits:
                raise ClaimFailed(f"the anchored head of {name} is not in its history")
        for name, sha in self.anchor["tags"].items():
            if name not in self.tags or self.tags[name].sha != sha:
                raise ClaimFailed(f"the anchored tag {name} was deleted or moved")
        return f"{len(chain)} commits of evidence, {len(main)} of main, {len(self.anchor['tags'])} anchored tags"

    def _only_grows(self, sha: str) -> None:
        commit = self.git.commit(sha)
        for parent in commit.parents:
            for path, blob in self.git.lost(self.git.commit(parent).tree, commit.tree):
                if path.startswith("pulls/") or "/pending/" in path:
                    continue  # reports of closed pull requests, and tags that were about to be written
                folder = f"{path.rpartition('/')[0]}/superseded"
                if blob not in self.git.blobs_below(commit.tree, folder):
                    raise ClaimFailed(f"the evidence commit {sha[:12]} lost {path}")

    def _order(self) -> None:
        last: dict[str, tuple[int, str]] = {}
        own = [tag for tag in self.tags.values() if not self._imported(tag)]
        for tag in sorted(own, key=lambda tag: tag.at):
            if tag.model in last and last[tag.model][0] == tag.at:
                raise ClaimFailed(f"{tag.name} and {last[tag.model][1]} have the same time")
            last[tag.model] = (tag.at, tag.name)
        counters: dict[str, list[tuple[int, int]]] = {}
        for tag in own:
            if found := re.fullmatch(r"(.+)#.+?!?#(\d+)", tag.name):
                counters.setdefault(found[1], []).append((tag.at, int(found[2])))
        for model, events in counters.items():
            numbers = [number for _, number in sorted(events)]
            if numbers != sorted(numbers):
                raise ClaimFailed(f"the stage tags of {model} are not in the order of their counters")

    def _keys(self) -> list[bytes]:
        found = []
        for path in self.git.manifest["keys"]:
            key = self.git.blob_at(self.heads["main"], path)
            if key is not None:
                found.append(key)
        return found


def _tolerated(made: dict[str, Any], checks: list[dict[str, Any]]) -> str:
    """How a pipeline that is not deterministic was reproduced: the rule by which ``register`` takes such a version."""
    before, after = made["artifact_before"], made["artifact_after"]
    if after == before:
        raise ClaimFailed("the same bytes answered the probe rows in another way")
    if made.get("once_more", "") in ("", after):
        raise ClaimFailed(f"the reproduction has other bytes ({made['outcome']})")
    if made["outcome"] == "inconclusive":
        return "not deterministic: reproduced with other bytes and the same predictions"
    margins: dict[str, float] = {}
    for check in checks:
        found = re.fullmatch(r"margin (\S+?)( %)?", check.get("limit", ""))
        if check["kind"] == "champion" and found and check["candidate"] is not None:
            margin = float(found[1]) / 100 * abs(check["candidate"]) if found[2] else float(found[1])
            margins[check["subject"]] = min(margin, margins.get(check["subject"], margin))
    outside = [
        f"{one['name']} {one['before']} and then {one['after']}"
        for one in made["metrics"]
        if one["name"] in margins and not abs(float(one["after"]) - float(one["before"])) <= margins[one["name"]]
    ]
    if outside or not margins or made["largest_difference"] is None:
        why = ", ".join(outside) or "no rule says how far apart may be"
        raise ClaimFailed(f"the reproduction has other bytes and another result: {why}")
    return f"not deterministic: reproduced with other bytes, {', '.join(sorted(margins))} within the policy's margin"


def _registered(version: Tag | None, assignment: Tag) -> Tag:
    if version is None or version.commit != assignment.commit:
        raise ClaimFailed("no version is registered at its commit")
    return version


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _normalised(name: str) -> str:
    return name.removeprefix("@").strip().lower()
