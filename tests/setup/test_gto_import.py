"""The tags of a repository that used GTO, written by GTO itself, adopted as imported facts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from gto.api import assign, deprecate, deregister, history, register
from modelyard.checkout.guard import check_registry
from modelyard.checkout.tags import number_at
from modelyard.errors import Refused, UsageError
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.gto_artifact import CommittedArtifacts
from modelyard.setup.gto_import import Adopted, import_gto
from modelyard.setup.model_addition import require_new_name
from support.versions import add_stage, add_version, opened
from support.yard import IDENTITY, commit_all, git, small_repository, tool, write

MD5 = "5a" * 16
DVC_YAML = """\
stages:
  fit:
    cmd: python fit.py
    deps: [fit.py, data/customers.csv]
    params: [trees]
    outs: [model/churn.lgb]
    metrics:
      - scores.json: {cache: false}
artifacts:
  churn:
    path: model/churn.lgb
    type: model
    desc: "Who leaves \\u202e"
    labels: [tabular]
"""
DVC_LOCK = f"""\
schema: '2.0'
stages:
  fit:
    cmd: python fit.py
    deps:
    - {{path: data/customers.csv, hash: md5, md5: {"d" * 32}, size: 7}}
    - {{path: fit.py, hash: md5, md5: {"e" * 32}, size: 7}}
    params: {{params.yaml: {{trees: 5}}}}
    outs:
    - {{path: model/churn.lgb, hash: md5, md5: {MD5}, size: 42}}
"""


@pytest.fixture(autouse=True)
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A model repository whose root was a GTO repository: two versions of churn, stages, a withdrawal."""
    folder = small_repository(tmp_path / "yard", models=("price",))
    write(folder, {"dvc.yaml": DVC_YAML, "dvc.lock": DVC_LOCK, "fit.py": "", "params.yaml": "trees: 5\n",
                   "scores.json": '{"auc": 0.71, "test": {"f1": 0.5, "kind": "x"}, "odd": NaN}'})  # fmt: skip
    commit_all(folder, "fit")
    register(str(folder), "churn", "HEAD", version="v1.0.0")
    write(folder, {"scores.json": '{"auc": 0.72}'})
    commit_all(folder, "fit again")
    register(str(folder), "churn", "HEAD", version="v1.1.0", message="more trees\nand a second line")
    assign(str(folder), "churn", version="v1.0.0", stage="dev", simple=False)
    assign(str(folder), "churn", version="v1.1.0", stage="production", simple=False)
    register(str(folder), "old", "HEAD", version="v2.0.0")
    deregister(str(folder), name="old", version="v2.0.0", simple=True)
    deprecate(str(folder), "old", simple=True)
    return folder


def imported(folder: Path, *only: str) -> Adopted:
    return import_gto(opened(folder), frozenset(only), lambda text: None)


def refs(folder: Path) -> str:
    return git(folder, "for-each-ref")


def test_tags_of_gto_become_imported_facts(yard: Path) -> None:
    before, seen = git(yard, "for-each-ref", "refs/tags"), [*history(str(yard))]
    done = imported(yard)
    assert set(done.versions) == {"churn@v1.0.0", "churn@v1.1.0", "old@v2.0.0"} and not done.left_out
    assert set(done.others) == {"churn#dev#1", "churn#production#2", "old@v2.0.0!", "old@deprecated"}
    assert git(yard, "for-each-ref", "refs/tags") == before and [*history(str(yard))] == seen
    checkout = opened(yard)
    churn = checkout.history("churn")
    assert [v.version for v in churn.versions] == ["v1.0.0", "v1.1.0"] and churn.latest is None
    assert not churn.strays and not churn.assignments and checkout.model("churn").champion is None
    assert [(told.environment, told.version) for told in churn.told] == [("dev", "v1.0.0"), ("production", "v1.1.0")]
    record = churn.versions[0].record
    assert record and record.imported == "GTO" and record.metrics == {"auc": 0.71, "test.f1": 0.5}
    assert record.params == {"trees": 5} and record.data == {"data/customers.csv": "d" * 32} and record.verdict == ""
    old = checkout.history("old")
    assert old.archived and [v.version for v in old.withdrawn] == ["v2.0.0"]
    filed = json.loads(checkout.evidence.filed("churn/imports/")["churn/imports/churn@v1.1.0.json"])
    assert filed["artifact"]["path"] == "model/churn.lgb" and filed["artifact"]["md5"] == MD5 and filed["merged"]
    assert filed["artifact"]["description"] == "Who leaves \\u202e" and filed["record"]["reasons"] == ["more trees"]
    assert "the sha256 of the artifact" in filed["unknown"] and "its metrics" not in filed["unknown"]


def test_importing_twice_changes_nothing_and_later_adds_what_is_new(yard: Path) -> None:
    imported(yard, "churn")
    before = refs(yard)
    again = imported(yard, "churn")
    assert (again.versions, again.others, again.known) == ((), (), 4) and refs(yard) == before
    later = imported(yard)
    assert later.versions == ("old@v2.0.0",) and later.known == 4


def test_every_question_shows_them_as_imported(yard: Path, tmp_path: Path) -> None:
    tool(yard, "import", "gto")
    events = json.loads(tool(yard, "history", "churn", "--json").stdout)
    assert len(events) == 4 and {event["doubt"] for event in events} == {
        "imported from GTO: nobody here measured or observed it"
    }
    found = tool(yard, "search", "auc>=0.715").stdout
    assert "v1.1.0" in found and "v1.0.0" not in found and "imported" in found and "archived" not in found
    up = json.loads(tool(yard, "lineage", "churn@v1.0.0", "--json").stdout)
    assert up["data"][0]["md5"] == "d" * 32 and up["served"] == [] and up["approved_by"] == []
    assert up["imported"] == "GTO" and "from GTO: nobody" in tool(yard, "lineage", "churn@v1.0.0").stdout
    assert "auc" in tool(yard, "diff", "v1.0.0", "v1.1.0", "--model", "churn").stdout
    assert "churn" in tool(yard, "lineage", "--of", "data/customers.csv").stdout
    assert "churn" not in tool(yard, "who-runs", "--env", "production", expect=None).stdout
    tool(yard, "status")
    faults = check_registry(opened(yard))
    assert {fault.level for fault in faults} == {"warning"}
    assert [fault.sentence for fault in faults] == [
        "7 filed tags have no record: imported, and nobody here measured what they say"
    ]
    tool(yard, "site", "--out", str(tmp_path / "site"))
    page = (tmp_path / "site/models/churn.html").read_text()
    assert "imported" in page and "imported: Assigning stage production" in page


def test_an_imported_version_is_never_deployed_and_its_stage_starts_nothing(yard: Path) -> None:
    imported(yard)
    write(yard, {"models/churn/model.yaml": (yard / "models/price/model.yaml").read_text().replace("price", "churn"),
                 "models/churn/dvc.yaml": (yard / "models/price/dvc.yaml").read_text(),
                 "models/churn/params.yaml": "train: {trees: 5}\n", "models/churn/src/train.py": ""})  # fmt: skip
    for version, said in (("v1.1.0", "was imported from another registry"), ("latest", "no version")):
        write(yard, {"deployments/production/churn.yaml": f"model: churn\nversion: {version}\n"})
        commit_all(yard, "deploy what was imported")
        before = refs(yard)
        done = tool(yard, "deploy", "--env", "production", expect=None)
        assert said in " ".join((done.stdout + done.stderr).split()) and refs(yard) == before
    refused = tool(yard, "rollback", "churn", "--env", "production", "--to", "v1.0.0", "--why", "x", expect=None)
    assert refused.returncode != 0 and refs(yard) == before


def test_what_modelyard_recorded_itself_is_not_changed_by_a_tag(yard: Path) -> None:
    add_version(yard, "price", "v1.0.0")
    add_stage(yard, "price", "v1.0.0", "production")
    price = opened(yard).history("price")
    git(yard, "tag", "-a", "price@v1.0.0!", "price@v1.0.0^{}", "-m", "no more")
    git(yard, "tag", "-a", "price#production#9", "price@v1.0.0^{}", "-m", "mine")
    git(yard, "tag", "-a", "price@deprecated", "HEAD", "-m", "no more")
    record = git(yard, "for-each-ref", "--format=%(contents)", "refs/tags/price@v1.0.0")
    git(yard, "tag", "-a", "price@v3.0.0", "HEAD", "-m", record)
    done = imported(yard, "price")
    assert done.versions == () and done.others == () and done.known == 0 and len(done.left_out) == 4
    after = opened(yard).history("price")
    assert (after.versions, after.assignments, after.withdrawals) == (price.versions, price.assignments, ())
    late = "--message=of the same commit, dated later"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", "4000000000 +0000")
        git(yard, "tag", "-a", "price@v9.0.0", "price@v1.0.0^{}", late)
    assert imported(yard, "price").versions == ("price@v9.0.0",)
    later = opened(yard).history("price")
    assert [one.version for one in later.assignments] == ["v1.0.0"] and later.latest == price.latest
    assert opened(yard).model("price").champion == price.latest


def test_a_model_goes_on_after_its_imported_versions(yard: Path) -> None:
    imported(yard)
    repository = ModelRepository(yard)
    require_new_name(repository, "churn")
    with pytest.raises(UsageError, match="an earlier model"):
        require_new_name(repository, "old")
    write(yard, {"models/churn/model.yaml": (yard / "models/price/model.yaml").read_text().replace("price", "churn")})
    head = commit_all(yard, "churn again")
    view = opened(yard).model("churn")
    assert number_at(view, view.manifest, head, "a" * 64).version == "v1.1.1"
    git(yard, "tag", "-a", "churn@deprecated", "-m", "no more")
    assert "is a model here" in imported(yard).left_out[0]


def test_hostile_tags_are_left_out_and_listed(yard: Path) -> None:
    git(yard, "tag", "churn@v3.0.0")
    git(yard, "tag", "-a", "models/x=churn@v1.0.0", "-m", "monorepo")
    git(yard, "tag", "-a", "pulls@v1.0.0", "-m", "a folder of the evidence branch")
    git(yard, "tag", "-a", "churn@v4.0.0", "-m", "x" * 30_000)
    git(yard, "update-ref", "refs/tags/churn@v5.0.0", git(yard, "rev-parse", "refs/tags/churn@v1.0.0"))
    git(yard, "tag", "-a", "churn@v6.0.0", "HEAD^{tree}", "-m", "of a tree")
    git(yard, "tag", "-a", "churn@v7.0.0", "refs/tags/churn@v1.0.0", "-m", "of a tag")
    git(yard, "tag", "-a", "churn@v8.0.0", "-m", "evil \x1b[2J \u202e")
    git(yard, "tag", "-a", "churn@not-a-version", "-m", "x")
    write(yard, {"dvc.yaml": "artifacts: {churn: {path: ../../etc/passwd}}\nmetrics: [/etc/x.json, m.json]\n",
                 "m.json": '{"\\ud800": 1, "big": 1' + "0" * 400 + "}", "dvc.lock": "stages: ["})  # fmt: skip
    git(yard, "checkout", "--quiet", "-b", "aside")
    commit_all(yard, "outside")
    git(yard, "tag", "-a", "churn@v9.0.0", "-m", "outside of main")
    git(yard, "checkout", "--quiet", "main")
    done = imported(yard)
    left = {sentence.partition(": ")[0] for sentence in done.left_out}
    assert left == {"churn@v3.0.0", "models/x=churn@v1.0.0", "pulls@v1.0.0", "churn@v4.0.0", "churn@v5.0.0",
                    "churn@v6.0.0", "churn@v7.0.0"}  # fmt: skip
    assert done.unmerged == ("churn@v9.0.0",)
    found = {str(version.version): version.record for version in opened(yard).history("churn").versions}
    assert found.keys() == {"v1.0.0", "v1.1.0", "v8.0.0", "v9.0.0"}
    outside, evil = found["v9.0.0"], found["v8.0.0"]
    assert outside and outside.metrics == {} and outside.data == {}
    assert evil and evil.reasons[0].isprintable()
    filed = json.loads(opened(yard).evidence.filed("churn/imports/")["churn/imports/churn@v9.0.0.json"])
    assert filed["artifact"]["path"] == "" and "the path of the artifact" in filed["unknown"]


def test_evidence_that_claims_more_than_an_import_may_claim_counts_for_nothing(yard: Path) -> None:
    imported(yard, "churn")
    evidence = opened(yard).evidence
    forged = {"record": {"artifact": "a" * 64, "verdict": "pass", "approved_by": ["grace"], "metrics": {"auc": 1.0}}}
    evidence.append({"churn/imports/churn@v1.0.0.json": json.dumps(forged).encode(),
                     "churn/imports/churn@v1.1.0.json": b"{"}, "forged")  # fmt: skip
    one, two = opened(yard).history("churn").versions
    assert (
        one.imported
        and one.record
        and (one.record.artifact, one.record.verdict, one.record.approved_by) == ("", "", ())
    )
    assert two.imported and two.record and two.record.imported and opened(yard).history("churn").latest is None


def test_tags_must_be_on_the_remote_and_equal_there(yard: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(yard), "remote.git")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remote.git"), "clone")
    clone = tmp_path / "clone"
    register(str(clone), "churn", "HEAD~2", version="v1.2.0")
    done = imported(clone)
    assert done.left_out == ("churn@v1.2.0: the remote does not have it; push it first",) and len(done.versions) == 3
    assert "modelyard/evidence" in git(tmp_path / "remote.git", "branch", "--list")
    git(clone, "tag", "--force", "-a", "churn@v1.0.0", "HEAD", "-m", "moved")
    with pytest.raises(Refused, match="was moved"):
        imported(clone)
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/remote.git", "shallow")
    with pytest.raises(UsageError, match="shallow"):
        imported(tmp_path / "shallow")


def test_a_tag_that_moves_after_its_import_is_a_fault(yard: Path) -> None:
    imported(yard)
    git(yard, "tag", "--force", "-a", "churn@v1.0.0", "HEAD", "-m", "moved")
    assert imported(yard).left_out == ("churn@v1.0.0: it was moved after it was filed",)
    assert "churn@v1.0.0" in opened(yard).history("churn").moved
    assert any(fault.level == "error" and fault.tag == "churn@v1.0.0" for fault in check_registry(opened(yard)))


def test_a_thousand_tags_are_imported(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    head = git(yard, "rev-parse", "HEAD")
    lines = []
    for number in range(1000):
        lines.append(
            f"tag spam@v1.{number}.0\nfrom {head}\ntagger Ada <a@example.org> {1_600_000_000 + number} +0000\ndata 2\nx\n"
        )
    (tmp_path / "stream").write_text("".join(lines))
    with (tmp_path / "stream").open() as stream:
        subprocess.run(["git", "fast-import", "--quiet"], cwd=yard, stdin=stream, check=True)
    assert len(imported(yard).versions) == 1000 and imported(yard).known == 1000
    assert len(opened(yard).history("spam").versions) == 1000


def test_files_of_a_commit_that_are_hostile_or_broken_say_nothing(yard: Path) -> None:
    artifacts = CommittedArtifacts(opened(yard).git)
    write(yard, {"dvc.yaml": "artifacts: {m: {path: a/m.bin, labels: 3, type: [1]}}\nmetrics: [/etc/x.json, m.json, 7]\n",
                 "m.json": '{"\\ud800": 1, "big": 1' + "0" * 400 + ', "yes": true, "auc": 0.5}',
                 "dvc.lock": "stages: [", "a.dvc": "outs: [{path: a, md5: f.dir}]", "artifacts.yaml": "- x"})  # fmt: skip
    found = artifacts.at(commit_all(yard, "hostile"), "m")
    assert found.metrics == {"?": 1.0, "auc": 0.5} and (found.out, found.md5, found.stored) == ("a", "f.dir", "dvc")
    write(yard, {"dvc.yaml": "stages: 3", "artifacts.yaml": "m: {path: ':m', type: model}\n", ":m": "x"})
    found = artifacts.at(commit_all(yard, "old"), "m")
    assert (found.declared, found.path, found.stored, found.type) == ("artifacts.yaml", ":m", "git", "model")
    write(yard, {"artifacts.yaml": "m: {path: gone.bin}\n"})
    found = artifacts.at(commit_all(yard, "gone"), "m")
    assert found.stored == "" and "where the artifact is stored" in found.unknown
