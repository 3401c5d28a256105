"""The audit bundle of a real repository, verified by Python without packages, and tampered with."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.audit.verifier.ecdsa import verify_ecdsa
from modelyard.audit.verifier.objects import ClaimFailed
from modelyard.audit.verifier.rules import read_rules
from modelyard.candidate.reproduction import file_reproduction
from modelyard.checkout.evidence_branch import BRANCH
from modelyard.evidence.training import Difference, Reproduction
from support.sharing import copied, shared_folder
from support.versions import opened
from support.yard import commit_all, git, tool

MODEL = "flight-delay"
APPROVED = "\n\nApproved-by: Grace Reviewer <grace@example.org>"


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def build(folder: Path) -> None:
    """v1.1.0, signed, approved, in production; the audited state of the tests below."""
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "keys").mkdir()
    (folder / "keys/release.pub").write_bytes(public_pem(key))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    config = folder / "modelyard.yaml"
    config.write_text(config.read_text() + "signing:\n  keys: [keys/release.pub]\n")
    params = folder / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("trees: 40", "trees: 50"))
    commit_all(folder, f"Sign versions, and more trees{APPROVED}")
    tool(folder, "retrain", MODEL, "--commit")
    for command in ("evaluate", "drift", "scan", "gate"):
        tool(folder, command, MODEL, expect=None)
    tool(folder, "register", MODEL, MODELYARD_SIGNING_KEY=pem)
    (folder / f"deployments/production/{MODEL}.yaml").write_text(f"model: {MODEL}\nversion: v1.1.0\n")
    commit_all(folder, f"Promote v1.1.0{APPROVED}")
    tool(folder, "deploy", "--env", "production")


@pytest.fixture(scope="module")
def audited(champion_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def made(folder: Path) -> None:
        build(copied(champion_template.parent, folder) / "repository")

    return shared_folder(tmp_path_factory, "audited", made) / "repository"


@pytest.fixture
def yard(audited: Path, tmp_path: Path) -> Path:
    shutil.copytree(audited.parent, tmp_path / "champion", symlinks=True)
    return tmp_path / "champion/repository"


def verify(bundle: Path, *arguments: str, expect: int) -> dict[str, list[str]]:
    """PASS → and FAIL → lines, from a Python without site packages."""
    verifier = bundle.with_name("verify.pyz")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(verifier), str(bundle), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert not done.stderr
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and " " in line.strip()]
    assert expect > 1 or not wide, wide
    lines = done.stdout.replace("\n      ", " ").splitlines()
    return {word: [line[6:] for line in lines if line.startswith(word)] for word in ("PASS", "FAIL")}


def exported(yard: Path, *arguments: str) -> Path:
    tool(yard, "audit", "export", "--out", "../audit.zip", *arguments)
    return yard.parent / "audit.zip"


def test_every_claim_is_listed_and_true_claims_pass(yard: Path) -> None:
    for tag in ("old@v1.0.0", "old#production#1"):
        git(yard, "tag", "--annotate", tag, "--message", "as GTO writes it")
    tool(yard, "import", "gto")
    anchor = tool(yard, "audit", "anchor").stdout
    (yard.parent / "anchor.json").write_text(anchor)
    found = verify(exported(yard), "--anchor", str(yard.parent / "anchor.json"), expect=1)
    # v1.0.0 was deployed before this repository signed, so only its signature is missing.
    assert [line.split(": ", 1)[1] for line in found["FAIL"][:1]] == ["no signature is filed"]
    assert "flight-delay#production#2 (v1.0.0) has a valid signature" in found["FAIL"][0]
    of_new = [line for line in found["PASS"] if "(v1.1.0)" in line]
    assert len(of_new) == 4 and any("Grace Reviewer" in line for line in of_new)
    assert any("anchored tags" in line for line in found["PASS"])
    assert any("2 tags of GTO were imported and are no receipts" in line for line in found["PASS"])
    before = exported(yard).read_bytes()
    assert exported(yard).read_bytes() == before, "the same heads give the same bytes"
    with zipfile.ZipFile(io.BytesIO(before)) as archive:
        (yard.parent / "r.bundle").write_bytes(archive.read("repository.bundle"))
    git(yard.parent, "clone", "--quiet", "r.bundle", "cloned")
    assert f"{MODEL}@v1.1.0" in git(yard.parent / "cloned", "tag")


def test_a_filed_reproduction_is_part_of_the_claim(yard: Path) -> None:
    tool(yard, "reproduce", f"{MODEL}@v1.1.0", "--file")
    found = verify(exported(yard), expect=1)
    assert any("(v1.1.0)" in line and "reproduced byte for byte" in line for line in found["PASS"])


@pytest.mark.parametrize(
    ("once_more", "outcome", "moved", "said"),
    [
        ("c", "inconclusive", 0.0, "not deterministic: reproduced with other bytes and the same predictions"),
        ("c", "fail", 0.001, "within the policy's margin"),
        ("c", "fail", 0.2, "FAIL another result: auc 0.7"),
        ("b", "fail", 0.001, "FAIL other bytes (fail)"),
        ("", "inconclusive", 0.0, "FAIL other bytes (inconclusive)"),
    ],
)
def test_a_model_that_is_not_deterministic_is_reproduced_within_the_policys_margins(
    yard: Path, once_more: str, outcome: Any, moved: float, said: str
) -> None:
    """What ``register`` accepts, the auditor's verifier accepts, and nothing else."""
    version = opened(yard).model(MODEL).version("v1.1.0")
    assert version.record is not None
    artifact, auc = version.record.artifact, version.record.metrics["auc"]
    found = Reproduction(
        model=MODEL, version="", outcome=outcome, artifact_before=artifact, artifact_after="b" * 64,
        largest_difference=0.01, metrics=(Difference("auc", f"{auc:.6f}", f"{auc - moved:.6f}"),) if moved else (),
        outputs=(), packages=(), commit=version.commit, once_more=once_more * 64,
    )  # fmt: skip
    file_reproduction(opened(yard).evidence, found)
    verified = verify(exported(yard), expect=1)
    word, _, text = said.partition(" ") if said.startswith("FAIL") else ("PASS", "", said)
    assert [line for line in verified[word] if "(v1.1.0) is reproducible" in line and text in line], verified


def tampered(bundle: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return bundle


def test_an_edited_object_fails(yard: Path) -> None:
    bundle = exported(yard)
    path = next(path for path in opened(yard).evidence.filed() if path.endswith("/verdict.json"))
    sha = git(yard, "rev-parse", f"{BRANCH}:{path}")

    def edit(members: dict[str, bytes]) -> None:
        members[f"objects/{sha}"] = members[f"objects/{sha}"].replace(b'"pass"', b'"PASS"')

    found = verify(tampered(bundle, edit), expect=1)
    assert any("does not match its id" in line for line in found["FAIL"])


def forged(members: dict[str, bytes], **fields: object) -> None:
    members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | fields).encode()


def test_another_history_beside_the_objects_fails(yard: Path) -> None:
    genuine = exported(yard).read_bytes()

    def said(change: Callable[[dict[str, bytes]], None]) -> str:
        (yard.parent / "audit.zip").write_bytes(genuine)
        return " ".join(verify(tampered(yard.parent / "audit.zip", change), expect=1)["FAIL"])

    def replaced(members: dict[str, bytes]) -> None:
        members["repository.bundle"] = b"junk"

    def hashed_too(members: dict[str, bytes]) -> None:
        replaced(members)
        forged(members, **{"repository.bundle": hashlib.sha256(b"junk").hexdigest()})

    assert "repository.bundle is not the file that was exported" in said(replaced)
    assert "repository.bundle lacks refs/tags/" in said(hashed_too)
    assert "report.html is no part of a bundle" in said(lambda members: members.update({"report.html": b"forged"}))
    unhashed = {f"objects/{'a' * 40}": b"blob 3\0abc"}
    assert "does not match its id" in said(lambda members: members.update(unhashed))


def test_an_audit_of_no_receipt_fails(yard: Path) -> None:
    genuine = exported(yard).read_bytes()
    for environment in ("nothing", "product.*"):
        (yard.parent / "audit.zip").write_bytes(genuine)
        bundle = tampered(yard.parent / "audit.zip", partial(forged, environment=environment))
        assert any("there is no receipt of this environment" in line for line in verify(bundle, expect=1)["FAIL"])
    done = tool(yard, "audit", "export", "--env", "nothing", expect=2)
    assert "declares no environment 'nothing'" in done.stderr


def test_another_key_does_not_verify_the_signature(yard: Path) -> None:
    other = yard.parent / "other.pub"
    other.write_bytes(public_pem(ec.generate_private_key(ec.SECP384R1())))
    found = verify(exported(yard), "--key", str(other), expect=1)
    assert any("(v1.1.0) has a valid signature: no trusted key" in line for line in found["FAIL"])


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("own approval", "were rewritten"),
        ("no approval", "were rewritten"),
        ("a failed check", "was changed after it was judged"),
        ("a softer policy", "was changed after it was judged"),
        ("no evidence", "was changed after it was judged"),
        ("a report nobody filed", "were rewritten"),
    ],
)
def test_a_claim_that_the_evidence_does_not_prove_fails(yard: Path, attack: str, said: str) -> None:
    door = opened(yard)
    files = door.evidence.filed()
    artifact = json.loads(git(yard, "tag", "-l", "--format=%(contents:body)", f"{MODEL}@v1.1.0"))["artifact"]
    approval = f"{MODEL}/approvals/{MODEL}#production#3.json"
    assert approval in files, sorted(path for path in files if "approvals" in path)
    verdict = f"{MODEL}/{artifact}/verdict.json"
    path = approval if "approval" in attack or "report" in attack else verdict
    document = json.loads(files[path])
    predicate = document["predicate"]
    if attack == "own approval":
        predicate["changes"][0]["by"] = [predicate["changes"][0]["author"].upper()]
    elif attack == "no approval":
        for change in predicate["changes"]:
            change["by"] = []
            for rule in change["rules"]:
                rule["by"] = []
    elif attack == "a report nobody filed":
        predicate["changes"][0] |= {"report": "f" * 64, "pull": 7}
    elif attack == "a failed check":
        next(c for c in predicate["checks"] if c["id"] == "auc-floor")["outcome"] = "fail"
    elif attack == "a softer policy":
        predicate["policy_sha256"] = hashlib.sha256(b"softer").hexdigest()
    drop = frozenset({f"{MODEL}/{artifact}/evaluation.json"}) if attack == "no evidence" else frozenset()
    door.evidence.append({path: json.dumps(document).encode()}, "a hand in it", drop)
    found = verify(exported(yard), expect=1)
    assert any(said in line and "(v1.1.0)" in line for line in found["FAIL"]), found["FAIL"]
    if attack == "no evidence":
        assert any("lost" in line for line in found["FAIL"]), "and the branch shows the removal"


def test_a_rewritten_history_fails_against_its_anchor(yard: Path) -> None:
    (yard.parent / "anchor.json").write_text(tool(yard, "audit", "anchor").stdout)
    git(yard, "commit", "--quiet", "--amend", "-m", "Another story")
    found = verify(exported(yard, "--anchor", "../anchor.json"), expect=1)
    assert any("anchored head of main is not in its history" in line for line in found["FAIL"])


def test_what_a_turned_merge_deployed_is_audited_by_what_it_brought_to_main(yard: Path) -> None:
    """``git pull`` of somebody who was behind: the first parent is their own work, and main is the second one."""
    production = yard / f"deployments/production/{MODEL}.yaml"
    git(yard, "switch", "--quiet", "-c", "mine")
    production.write_text(f"model: {MODEL}\nversion: v1.1.0\n# the newest\n")
    commit_all(yard, "Keep v1.1.0")
    git(yard, "switch", "--quiet", "main")
    production.write_text(f"model: {MODEL}\nversion: v1.0.0\n")
    main = commit_all(yard, f"Back to v1.0.0{APPROVED}")
    tool(yard, "deploy", "--env", "production")
    git(yard, "switch", "--quiet", "mine")
    git(yard, "merge", "--quiet", "--no-ff", "-X", "ours", "-m", f"Merge main{APPROVED}", "main")
    git(yard, "switch", "--quiet", "-C", "main")
    tool(yard, "deploy", "--env", "production")
    approvals = json.loads(opened(yard).evidence.filed()[f"{MODEL}/approvals/{MODEL}#production#5.json"])
    merged = {change["commit"]: change["base"] for change in approvals["predicate"]["changes"]}
    assert merged[git(yard, "rev-parse", "main")] == main
    found = verify(exported(yard), expect=1)
    assert any("#production#5 (v1.1.0) was approved by" in line for line in found["PASS"]), found["FAIL"]


def test_a_refusal_that_was_filed_is_no_rewriting_of_the_evidence(yard: Path) -> None:
    evidence = opened(yard).evidence
    evidence.append({"incidents/blocked-1.json": b'{"problem": "a forged tag was refused", "remedy": "r"}'}, "refused")
    claim = "nothing was deleted, reordered or rewritten"
    assert any(claim in line for line in verify(exported(yard), expect=1)["PASS"])
    evidence.append({f"incidents/{'a' * 40}.json": b'{"was": "a", "became": "b", "files_put_back": 1}'}, "rewritten")
    assert any(claim in line and "was rewritten" in line for line in verify(exported(yard), expect=1)["FAIL"])


def test_a_deleted_or_moved_tag_fails(yard: Path) -> None:
    git(yard, "tag", "--force", "--annotate", f"{MODEL}@v1.0.0", "-m", "mine", "HEAD")
    found = verify(exported(yard), expect=1)
    assert any(f"the tag {MODEL}@v1.0.0 was moved" in line for line in found["FAIL"])
    git(yard, "tag", "--delete", f"{MODEL}@v1.0.0")
    assert any("was deleted" in line for line in verify(exported(yard), expect=1)["FAIL"])


def test_an_invalid_bundle_and_wrong_usage_have_their_exit_status(yard: Path, tmp_path: Path) -> None:
    exported(yard)
    shutil.copy(yard.parent / "verify.pyz", tmp_path / "verify.pyz")
    (tmp_path / "audit.zip").write_bytes(b"no zip")
    assert "cannot be verified" in verify(tmp_path / "audit.zip", expect=4)["FAIL"][0]
    verify(tmp_path / "audit.zip", "--bogus", expect=2)


@settings(max_examples=12)
@given(st.binary(max_size=200), st.sampled_from([(ec.SECP256R1(), hashes.SHA256()), (ec.SECP384R1(), hashes.SHA384())]))
def test_ecdsa_agrees_with_cryptography(message: bytes, kind: tuple[ec.EllipticCurve, hashes.HashAlgorithm]) -> None:
    curve, algorithm = kind
    key = ec.generate_private_key(curve)
    signature = key.sign(message, ec.ECDSA(algorithm))
    assert verify_ecdsa(public_pem(key), message, signature)
    assert not verify_ecdsa(public_pem(key), message + b"x", signature)
    assert not verify_ecdsa(public_pem(ec.generate_private_key(curve)), message, signature)
    assert not verify_ecdsa(public_pem(key), message, signature[:-1])
    assert not verify_ecdsa(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", message, signature)


def rewritten(yard: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Every change in the filed approvals is another, and the branch is cut to one commit."""
    files = opened(yard).evidence.filed()
    for path, content in files.items():
        if "/approvals/" in path:
            document = json.loads(content)
            for one in document["predicate"]["changes"]:
                change(one)
            files[path] = json.dumps(document).encode()
    git(yard, "update-ref", "-d", f"refs/heads/{BRANCH}")
    opened(yard).git.add_to_branch(BRANCH, files, "evidence")


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"rules": [{"id": "any", "role": "anybody", "needed": 0, "by": []}]}, "which is not recorded"),
        ({"rules": [], "base": "", "policy_sha256": ""}, "of the base is not the one that was applied"),
    ],
)
def test_rules_that_are_not_those_of_the_repository_fail(yard: Path, forged: dict[str, Any], said: str) -> None:
    rewritten(yard, lambda change: change.update(forged) if change["policy_sha256"] else None)
    found = verify(exported(yard), expect=1)
    assert any("was approved by" in line and said in line and "(v1.1.0)" in line for line in found["FAIL"]), found


RULES = """\
---
# who must look
roles:
  risk: ["@grace", '@acme/risk'] # a team
  more:
  - a
rules:
  - id: production-reviewed # plain git
    paths: ["deployments/production/*"]
    role: writers
    count: 2
    why: A second person's approval
      goes on.
  - {id: b, paths: ['*', a/b], why: 'it''s: x', count: 3}
  - paths: [
      "x",
      y]
    id: 'two'
    role: risk
    why: |
      block: x
      - y
"""


def test_the_rules_are_read_as_yaml_reads_them() -> None:
    wanted = [
        (one["id"], one.get("role", "writers"), one.get("count", 1), one["paths"])
        for one in yaml.safe_load(RULES)["rules"]
    ]
    assert [(rule.id, rule.role, rule.count, rule.paths) for rule in read_rules(RULES.encode())] == wanted


@pytest.mark.parametrize(
    "text",
    ["", "rules:\n", "rules: x\n", "rules: &a\n- id: x\n", "rules:\n- id: x\n  paths: [*a]\n", "rules:\n- id: x\n  id: y\n",
     "rules:\n- {id: x\n", "a: b\n c: d\n", "\tx", "rules:\n- id: !x y\n  paths: ['*']\n"],
)  # fmt: skip
def test_other_yaml_fails_the_claim(text: str) -> None:
    with pytest.raises(ClaimFailed):
        read_rules(text.encode())
