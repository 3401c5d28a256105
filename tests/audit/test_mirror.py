"""A repository that is mirrored, lost and restored: with real Git, and with a real S3 server that has object lock."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from modelyard.audit.export import heads as anchor_of
from modelyard.audit.mirror.bucket import Bucket, Retention
from modelyard.audit.mirror.records import EVIDENCE, name_of, read_record
from modelyard.audit.mirror.restoring import Restored, restore
from modelyard.audit.mirror.writing import add_to_mirror
from modelyard.checkout.guard import check_registry
from modelyard.documents import encode
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.manifests.configuration import MirrorSettings
from support.objects import KEYS, object_store
from support.versions import add_stage, add_version, hosted_pair, opened
from support.yard import commit_all, git, small_repository, tool

SETTINGS = MirrorSettings(url="s3://mirror/churn", retention_days=10)
NOW = 1_800_000_000
MAIN = "refs/heads/main"
JOURNAL = "refs/modelyard/rollouts/staging/churn"


class Shelf(Bucket):
    """Objects in memory that keep every version, as a bucket with object lock does."""

    def __init__(self) -> None:
        self.url = "s3://mirror/churn"
        self.objects: dict[str, list[bytes]] = {}

    def names(self, folder: str, ending: str) -> dict[str, tuple[str, ...]]:
        found = {
            name.removeprefix(f"{folder}/"): kept for name, kept in self.objects.items() if name.startswith(folder)
        }
        return {name.removesuffix(ending): tuple(map(str, range(len(kept))))[::-1] for name, kept in found.items()}

    def read(self, name: str, versions: tuple[str, ...], digest: str, limit: int, into: Path) -> None:
        for version in versions:
            content = self.objects[name][int(version)]
            if len(content) <= limit and hashlib.sha256(content).hexdigest() == digest:
                into.write_bytes(content)
                return
        raise Refused(f"The object {name} of the mirror is missing.", "")

    def add(self, name: str, file: Path, retention: Retention) -> None:
        self.put(name, file.read_bytes())

    def put(self, name: str, content: bytes) -> None:
        self.objects.setdefault(name, []).append(content)

    def records(self) -> list[str]:
        return sorted(name for name in self.names("records", ".json"))


@pytest.fixture(scope="module")
def hosted_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hosted")
    one, two = hosted_pair(folder, small_repository(folder / "yard"))
    for clone in (one, two):
        git(clone, "remote", "set-url", "origin", "../remote.git")
    for version in ("v1.0.0", "v1.1.0"):
        add_version(one, "churn", version)
        git(one, "push", "--quiet", "origin", "main")
    add_stage(one, "churn", "v1.0.0", "staging")
    opened(one).git.add_entry(JOURNAL, "", "begun")
    return folder


@pytest.fixture
def hosted(hosted_template: Path, tmp_path: Path) -> Path:
    """A clone with two versions, one of them in staging, and a journal. Its remote and a clone ``two`` are beside it."""
    shutil.copytree(hosted_template, tmp_path, dirs_exist_ok=True)
    return tmp_path / "one"


def mirrored(folder: Path, shelf: Shelf, now: int = NOW) -> str | None:
    return add_to_mirror(opened(folder), SETTINGS, shelf, now)


def restored(shelf: Bucket, folder: Path, until: str = "", anchor: bytes | None = None) -> Restored:
    return restore(shelf, folder, until, anchor, lambda said: None)


def refs_of(folder: Path) -> dict[str, str]:
    lines = git(
        folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags", "refs/modelyard"
    )
    return dict(line.rsplit(" ", 1) for line in lines.splitlines())


def push_forced(folder: Path, ref: str, message: str) -> str:
    """Another history of a branch on the remote, from the commit before its newest one."""
    base = git(folder, "rev-parse", f"{ref}~1")
    other = git(folder, "commit-tree", f"{base}^{{tree}}", "-p", base, "-m", message)
    git(folder, "push", "--quiet", "--force", "origin", f"{other}:{ref}")
    return other


def test_a_lost_repository_comes_back_with_its_tags_and_evidence(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    assert mirrored(hosted, shelf)
    add_version(hosted, "churn", "v1.2.0")
    git(hosted, "push", "--quiet", "origin", "main")
    assert mirrored(hosted, shelf)
    assert mirrored(hosted, shelf) is None, "nothing is new"
    before, anchor = refs_of(tmp_path / "remote.git"), encode(anchor_of(opened(hosted)))
    files = git(hosted, "ls-tree", "-r", EVIDENCE)
    shutil.rmtree(tmp_path / "remote.git")
    shutil.rmtree(hosted)

    done = restored(shelf, tmp_path / "back", anchor=anchor)
    assert refs_of(tmp_path / "back") == before
    assert git(tmp_path / "back", "ls-tree", "-r", EVIDENCE) == files
    assert done.records == 2 and not done.kept and not done.left_out
    assert done.tags == ("churn#staging#1", "churn@v1.0.0", "churn@v1.1.0", "churn@v1.2.0")
    assert git(tmp_path / "back", "status", "--porcelain") == ""
    assert not [fault for fault in check_registry(opened(tmp_path / "back")) if fault.level == "error"]
    assert not (tmp_path / "back/.git/hooks").is_dir() or not [
        hook for hook in (tmp_path / "back/.git/hooks").iterdir() if hook.suffix != ".sample"
    ]
    git(tmp_path / "back", "fsck", "--strict", "--no-dangling")


def test_an_increment_is_small_and_plain_git_reads_it(hosted: Path, tmp_path: Path) -> None:
    (hosted / "noise").write_text("".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(5_000)))
    commit_all(hosted, "A large file")
    git(hosted, "push", "--quiet", "origin", "main")
    shelf = Shelf()
    mirrored(hosted, shelf)
    add_version(hosted, "churn", "v1.2.0")
    git(hosted, "push", "--quiet", "origin", "main")
    mirrored(hosted, shelf)
    names = [read_record(name, shelf.objects[f"records/{name}.json"][0]).bundle for name in shelf.records()]
    first, second = (shelf.objects[f"bundles/{name}.bundle"][0] for name in names)
    assert len(first) > 100_000 and len(second) < 10_000
    git(tmp_path, "init", "--quiet", "--bare", "by-hand")
    for number, content in enumerate((first, second)):
        (tmp_path / f"{number}.bundle").write_bytes(content)
        git(tmp_path / "by-hand", "bundle", "verify", str(tmp_path / f"{number}.bundle"))
        git(tmp_path / "by-hand", "fetch", "--quiet", str(tmp_path / f"{number}.bundle"), "refs/*:refs/*")
    assert git(tmp_path / "by-hand", "rev-parse", EVIDENCE) == git(tmp_path / "remote.git", "rev-parse", EVIDENCE)


def test_a_branch_that_was_set_back_keeps_its_newest_history(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(hosted, shelf)
    add_version(hosted, "churn", "v1.2.0")
    git(hosted, "push", "--quiet", "origin", "main")
    mirrored(hosted, shelf)
    git(hosted, "push", "--quiet", "--force", "origin", "main~2:main")
    for clone in ("one", "two"):  # the one has seen the newer history, the other has not
        mirrored(tmp_path / clone, shelf)
        done = restored(shelf, tmp_path / f"back-{clone}")
        assert done.refs[MAIN] == git(hosted, "rev-parse", "main") and "churn@v1.2.0" in done.tags


def test_a_person_chooses_between_two_histories_and_both_are_kept(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    first = mirrored(hosted, shelf)
    good = git(hosted, "rev-parse", "main")
    other = push_forced(hosted, MAIN, "nobody approved this")
    second = mirrored(tmp_path / "two", shelf)
    assert first and second
    with pytest.raises(Refused, match="two histories of refs/heads/main") as refused:
        restored(shelf, tmp_path / "back")
    assert first[:21] in refused.value.remedy and second[:21] in refused.value.remedy
    assert not (tmp_path / "back").exists()

    done = restored(shelf, tmp_path / "back", first[:21])
    assert done.refs[MAIN] == good and done.left_out == (second,)
    done = restored(shelf, tmp_path / "new", second)
    assert done.refs[MAIN] == other
    assert [git(tmp_path / "new", "rev-parse", ref) for ref in done.kept] == [good]


def test_a_forced_push_of_the_evidence_loses_nothing(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    first = mirrored(hosted, shelf)
    good = git(hosted, "rev-parse", EVIDENCE)
    push_forced(hosted, EVIDENCE, "cut")
    git(tmp_path, "clone", "--quiet", "remote.git", "third")
    assert mirrored(tmp_path / "third", shelf), "a clone that never saw what was cut"
    with pytest.raises(Refused, match="two histories of refs/heads/modelyard/evidence"):
        restored(shelf, tmp_path / "back")
    assert restored(shelf, tmp_path / "back", str(first)).refs[EVIDENCE] == good


def test_two_writers_at_once_are_no_two_histories(hosted: Path, tmp_path: Path) -> None:
    shelf, late = Shelf(), Shelf()
    mirrored(hosted, shelf)
    late.objects = {name: list(kept) for name, kept in shelf.objects.items()}
    for place in (shelf, late):
        add_version(hosted, "churn", f"v1.{3 if place is shelf else 4}.0")
        git(hosted, "push", "--quiet", "origin", "main")
        mirrored(hosted, place)
    shelf.objects = late.objects | shelf.objects
    done = restored(shelf, tmp_path / "back")
    assert done.records == 3 and "churn@v1.4.0" in done.tags
    mirrored(hosted, shelf)
    assert restored(shelf, tmp_path / "again").records == 4


def forge_record(shelf: Shelf, change: Callable[[dict[str, Any]], None]) -> str:
    """A record that somebody with access to the bucket adds after the newest one."""
    newest = shelf.records()[-1]
    document = msgspec.json.decode(shelf.objects[f"records/{newest}.json"][-1])
    document |= {"sequence": document["sequence"] + 1, "before": [newest]}
    change(document)
    content = msgspec.json.encode(document)
    name = name_of(content, document["sequence"])
    shelf.put(f"records/{name}.json", content)
    return name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["refs"].update({"refs/heads/other": d["refs"][MAIN]}), "which no mirror holds"),
        (lambda d: d["refs"].update({MAIN: "1" * 40}), "has another refs/heads/main"),
        (lambda d: d["refs"].update({MAIN: d["refs"][EVIDENCE]}), "has another refs/heads/main"),
        (lambda d: d.update(bundle="b" * 64), None),
        (lambda d: d.update(before=["00000001-" + "c" * 64], everything=False), "is missing"),
        (lambda d: d.update(size=d["size"] - 1, refs={MAIN: "1" * 40}), "missing"),
    ],
    ids=["other branch", "no such object", "another ref", "no bundle", "a gap", "too large"],
)
def test_what_a_stranger_adds_to_the_bucket_restores_nothing(
    hosted: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str | None
) -> None:
    shelf = Shelf()
    good = mirrored(hosted, shelf)
    forge_record(shelf, change)
    shelf.put("records/../../x.json", b"")
    shelf.put("records/\u202e.json", b"")
    with pytest.raises(Refused, match=said or "has other bytes than its name says|is missing"):
        restored(shelf, tmp_path / "back")
    assert not (tmp_path / "back").exists() and not list(tmp_path.glob(".modelyard-*"))
    assert restored(shelf, tmp_path / "back", str(good)).records == 1


def test_another_default_branch_needs_a_decision(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    good = mirrored(hosted, shelf)
    forged = forge_record(shelf, lambda d: d.update(default="refs/heads/other"))
    record = msgspec.json.decode(shelf.objects.pop(f"records/{forged}.json")[0])
    record["refs"]["refs/heads/other"] = record["refs"].pop(MAIN)
    content = msgspec.json.encode(record)
    shelf.put(f"records/{name_of(content, 2)}.json", content)
    with pytest.raises(Refused, match="several default branches: refs/heads/main, refs/heads/other"):
        restored(shelf, tmp_path / "back")
    assert restored(shelf, tmp_path / "back", str(good)).records == 1


def test_a_repository_with_sha256_comes_back_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    yard = small_repository(tmp_path / "yard")
    add_version(yard, "churn", "v1.0.0")
    assert mirrored(yard, shelf)
    add_version(yard, "churn", "v1.1.0")
    assert mirrored(yard, shelf)
    monkeypatch.delenv("GIT_DEFAULT_HASH")
    restored(shelf, tmp_path / "back")
    assert refs_of(tmp_path / "back") == refs_of(yard)


def test_a_writer_needs_nothing_of_a_record_that_is_not_valid(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(hosted, shelf)
    forged = forge_record(shelf, lambda d: d["refs"].update({"refs/heads/other": d["refs"][MAIN]}))
    add_version(hosted, "churn", "v1.2.0")
    git(hosted, "push", "--quiet", "origin", "main")
    added = mirrored(hosted, shelf)
    assert added and added[:8] == forged[:8]
    assert "churn@v1.2.0" in restored(shelf, tmp_path / "back", added).tags


def test_an_object_that_was_overwritten_is_read_as_it_was(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(hosted, shelf)
    for kept in shelf.objects.values():
        kept.append(b"other")
    assert restored(shelf, tmp_path / "back").records == 1
    for kept in shelf.objects.values():
        kept[0] = b"lost"
    with pytest.raises(Refused):
        restored(shelf, tmp_path / "again")


def test_an_anchor_tells_that_the_newest_records_are_gone(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(hosted, shelf)
    add_version(hosted, "churn", "v1.2.0")
    git(hosted, "push", "--quiet", "origin", "main")
    last = mirrored(hosted, shelf)
    anchor = encode(anchor_of(opened(hosted)))
    del shelf.objects[f"records/{last}.json"]
    with pytest.raises(Refused, match="does not have what the anchor names: refs/heads/main"):
        restored(shelf, tmp_path / "back", anchor=anchor)
    with pytest.raises(UsageError, match="anchor cannot be read"):
        restored(shelf, tmp_path / "back", anchor=b'{"heads": []}')
    assert not (tmp_path / "back").exists()


def test_nothing_is_written_into_a_folder_that_holds_something(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(hosted, shelf)
    with pytest.raises(UsageError, match="is not an empty folder"):
        restored(shelf, hosted)


def test_after_half_of_the_retention_one_bundle_is_enough(hosted: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    first = mirrored(hosted, shelf)
    assert mirrored(hosted, shelf, NOW + 6 * 86_400)
    del shelf.objects[f"records/{first}.json"]
    done = restored(shelf, tmp_path / "back")
    assert done.records == 1 and refs_of(tmp_path / "back") == refs_of(tmp_path / "remote.git")


def test_a_shallow_clone_mirrors_nothing(hosted: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path / 'remote.git'}", "shallow")
    with pytest.raises(UsageError, match="shallow"):
        mirrored(tmp_path / "shallow", Shelf())


def test_a_mirror_that_is_down_fails_no_command_and_status_says_so(hosted: Path) -> None:
    with_mirror(hosted, "http://127.0.0.1:9")
    git(hosted, "push", "--quiet", "origin", "main")
    done = tool(hosted, "deprecate", "churn@v1.1.0", "--why", "old", MIRROR_KEY="any:any")
    assert "The mirror is behind: The mirror s3://mirror/flights does not answer" in done.stderr
    assert "The mirror is behind: The mirror s3://mirror/flights does not answer" in tool(hosted, "status").stderr
    assert "does not answer" in tool(hosted, "audit", "check", MIRROR_KEY="any:any").stdout


def test_only_the_default_branch_says_where_the_mirror_is(hosted: Path) -> None:
    with_mirror(hosted, "http://127.0.0.1:9")  # it is not pushed
    done = tool(hosted, "deprecate", "churn@v1.1.0", "--why", "old", MIRROR_KEY="any:any")
    assert "mirror" not in done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real S3 server with the bucket ``mirror``, which has object lock."""
    with object_store(tmp_path_factory.mktemp("server") / "weed") as url:
        client_of(url).create_bucket(Bucket="mirror", ObjectLockEnabledForBucket=True)
        yield url


def client_of(url: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )


def with_mirror(folder: Path, url: str) -> None:
    config = folder / "modelyard.yaml"
    config.write_text(
        config.read_text() + f"mirror:\n  url: s3://mirror/flights\n  endpoint: {url}\n  key: env:MIRROR_KEY\n"
        "  mode: compliance\nsecrets:\n  allow:\n    - {ref: env:MIRROR_KEY, host: 127.0.0.1}\n"
    )
    commit_all(folder, "A mirror")


def test_only_the_mirror_and_the_dvc_remote_are_left_and_everything_comes_back(
    place: str, champion: Path, tmp_path: Path
) -> None:
    """A trained model, deployed by the command that mirrors; the Git remote, the clone and DVC's cache are deleted."""
    git(tmp_path, "clone", "--quiet", "--bare", str(champion), "remote.git")
    git(champion, "remote", "add", "origin", str(tmp_path / "remote.git"))
    with_mirror(champion, place)
    git(
        champion,
        "push",
        "--quiet",
        "origin",
        "main",
        "modelyard/evidence",
        "--tags",
        "refs/modelyard/*:refs/modelyard/*",
    )
    said = tool(champion, "deploy", expect=None).stderr
    assert "The mirror is behind: The environment variable MIRROR_KEY is not set." in said
    doctor = tool(champion, "doctor", expect=None, MIRROR_KEY="any:any").stdout
    assert "is behind: it lacks" in " ".join(doctor.split())
    behind = tool(champion, "audit", "check", MIRROR_KEY="any:any").stdout
    assert "is behind" in behind and "refs/heads/main" in behind
    down = tool(champion, "deploy", expect=None, MIRROR_KEY="nonsense").stderr
    assert "The key of the mirror is not ID:SECRET" in down
    assert "Mirrored: 00000001-" in tool(champion, "deploy", MIRROR_KEY="any:any").stderr
    assert "Mirrored" not in tool(champion, "deploy", MIRROR_KEY="any:any").stderr
    assert "mirror" not in tool(champion, "audit", "check", MIRROR_KEY="any:any").stdout

    before = refs_of(tmp_path / "remote.git")
    model = (champion / "models/flight-delay/model.txt").read_bytes()
    shutil.rmtree(tmp_path / "remote.git")
    shutil.rmtree(champion)
    back = champion  # where its DVC remote ../storage is found
    tool(tmp_path, "audit", "restore", "s3://mirror/flights", str(back), "--endpoint", place, expect=0, **KEYS)
    assert refs_of(back) == before
    assert not (back / "models/flight-delay/model.txt").exists()
    tool(back, "audit", "check", MIRROR_KEY="any:any")
    subprocess.run([sys.executable, "-m", "dvc", "pull", "--quiet"], cwd=back, check=True)
    assert (back / "models/flight-delay/model.txt").read_bytes() == model
    assert "v1.0.0" in tool(back, "who-runs", "flight-delay").stdout


def test_the_server_deletes_nothing_that_the_mirror_holds(place: str, hosted: Path, tmp_path: Path) -> None:
    client, bucket = client_of(place), Bucket("s3://mirror/kept", place, key="any:any")
    now = int(time.time())
    assert add_to_mirror(opened(hosted), SETTINGS, bucket, now)
    versions = client.list_object_versions(Bucket="mirror", Prefix="kept/")["Versions"]
    assert len(versions) == 2
    for version in versions:
        one = {"Bucket": "mirror", "Key": version["Key"]}
        kept = client.get_object_retention(**one, VersionId=version["VersionId"])["Retention"]
        assert kept["Mode"] == "GOVERNANCE" and int(kept["RetainUntilDate"].timestamp()) == now + 10 * 86_400
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(**one, VersionId=version["VersionId"])
        client.put_object(**one, Body=b"overwritten")
        client.delete_object(**one)
    assert "Contents" not in client.list_objects_v2(Bucket="mirror", Prefix="kept/"), "all look deleted"
    assert restored(bucket, tmp_path / "back").records == 1
    assert refs_of(tmp_path / "back") == refs_of(tmp_path / "remote.git")


def test_a_bucket_that_cannot_keep_is_refused(place: str, hosted: Path) -> None:
    client_of(place).create_bucket(Bucket="plain")
    with pytest.raises(ModelyardError, match="refused PutObject: InvalidRequest") as refused:
        add_to_mirror(opened(hosted), SETTINGS, Bucket("s3://plain", place, key="any:any"), NOW)
    assert "object lock" in refused.value.remedy
    with pytest.raises(ModelyardError, match="NoSuchBucket"):
        Bucket("s3://nothing", place, key="any:any").names("records", ".json")
    with pytest.raises(ModelyardError, match="does not answer"):
        Bucket("s3://mirror", "http://127.0.0.1:9", key="any:any").names("records", ".json")
