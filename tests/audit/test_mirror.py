"""A repository that is mirrored, lost and restored: with real Git, and with a real S3 server that has object lock."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from modelyard.audit.export import heads as anchor_of
from modelyard.audit.mirror.bucket import Bucket, Retention
from modelyard.audit.mirror.records import EVIDENCE, read_record
from modelyard.audit.mirror.writing import add_to_mirror
from modelyard.checkout.guard import check_registry
from modelyard.documents import encode
from modelyard.errors import ModelyardError, Refused, UsageError
from support.mirrors import MAIN, NOW, SETTINGS, Shelf, mirrored, push_forced, refs_of, restored, with_mirror
from support.objects import KEYS, object_store
from support.versions import add_version, opened
from support.yard import commit_all, git, small_repository, tool


def test_a_lost_repository_comes_back_with_its_tags_and_evidence(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    assert mirrored(recorded, shelf)
    add_version(recorded, "churn", "v1.2.0")
    git(recorded, "push", "--quiet", "origin", "main")
    assert mirrored(recorded, shelf)
    assert mirrored(recorded, shelf) is None, "nothing is new"
    before, anchor = refs_of(tmp_path / "remote.git"), encode(anchor_of(opened(recorded)))
    files = git(recorded, "ls-tree", "-r", EVIDENCE)
    shutil.rmtree(tmp_path / "remote.git")
    shutil.rmtree(recorded)

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


def test_an_increment_is_small_and_plain_git_reads_it(recorded: Path, tmp_path: Path) -> None:
    (recorded / "noise").write_text("".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(5_000)))
    commit_all(recorded, "A large file")
    git(recorded, "push", "--quiet", "origin", "main")
    shelf = Shelf()
    mirrored(recorded, shelf)
    add_version(recorded, "churn", "v1.2.0")
    git(recorded, "push", "--quiet", "origin", "main")
    mirrored(recorded, shelf)
    names = [read_record(name, shelf.objects[f"records/{name}.json"][0]).bundle for name in shelf.records()]
    first, second = (shelf.objects[f"bundles/{name}.bundle"][0] for name in names)
    assert len(first) > 100_000 and len(second) < 10_000
    git(tmp_path, "init", "--quiet", "--bare", "by-hand")
    for number, content in enumerate((first, second)):
        (tmp_path / f"{number}.bundle").write_bytes(content)
        git(tmp_path / "by-hand", "bundle", "verify", str(tmp_path / f"{number}.bundle"))
        git(tmp_path / "by-hand", "fetch", "--quiet", str(tmp_path / f"{number}.bundle"), "refs/*:refs/*")
    assert git(tmp_path / "by-hand", "rev-parse", EVIDENCE) == git(tmp_path / "remote.git", "rev-parse", EVIDENCE)


def test_a_branch_that_was_set_back_keeps_its_newest_history(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(recorded, shelf)
    add_version(recorded, "churn", "v1.2.0")
    git(recorded, "push", "--quiet", "origin", "main")
    mirrored(recorded, shelf)
    git(recorded, "push", "--quiet", "--force", "origin", "main~2:main")
    for clone in ("one", "two"):  # the one has seen the newer history, the other has not
        mirrored(tmp_path / clone, shelf)
        done = restored(shelf, tmp_path / f"back-{clone}")
        assert done.refs[MAIN] == git(recorded, "rev-parse", "main") and "churn@v1.2.0" in done.tags


def test_a_person_chooses_between_two_histories_and_both_are_kept(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    first = mirrored(recorded, shelf)
    good = git(recorded, "rev-parse", "main")
    other = push_forced(recorded, MAIN, "nobody approved this")
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


def test_two_writers_at_once_are_no_two_histories(recorded: Path, tmp_path: Path) -> None:
    shelf, late = Shelf(), Shelf()
    mirrored(recorded, shelf)
    late.objects = {name: list(kept) for name, kept in shelf.objects.items()}
    for place in (shelf, late):
        add_version(recorded, "churn", f"v1.{3 if place is shelf else 4}.0")
        git(recorded, "push", "--quiet", "origin", "main")
        mirrored(recorded, place)
    shelf.objects = late.objects | shelf.objects
    done = restored(shelf, tmp_path / "back")
    assert done.records == 3 and "churn@v1.4.0" in done.tags
    mirrored(recorded, shelf)
    assert restored(shelf, tmp_path / "again").records == 4


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


def test_an_anchor_tells_that_the_newest_records_are_gone(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(recorded, shelf)
    add_version(recorded, "churn", "v1.2.0")
    git(recorded, "push", "--quiet", "origin", "main")
    last = mirrored(recorded, shelf)
    anchor = encode(anchor_of(opened(recorded)))
    del shelf.objects[f"records/{last}.json"]
    with pytest.raises(Refused, match="does not have what the anchor names: refs/heads/main"):
        restored(shelf, tmp_path / "back", anchor=anchor)
    with pytest.raises(UsageError, match="anchor cannot be read"):
        restored(shelf, tmp_path / "back", anchor=b'{"heads": []}')
    assert not (tmp_path / "back").exists()


def test_nothing_is_written_into_a_folder_that_holds_something(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(recorded, shelf)
    with pytest.raises(UsageError, match="is not an empty folder"):
        restored(shelf, recorded)


def test_after_half_of_the_retention_one_bundle_is_enough(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    first = mirrored(recorded, shelf)
    assert mirrored(recorded, shelf, NOW + 6 * 86_400)
    del shelf.objects[f"records/{first}.json"]
    done = restored(shelf, tmp_path / "back")
    assert done.records == 1 and refs_of(tmp_path / "back") == refs_of(tmp_path / "remote.git")


def test_killed_between_bundle_and_record_the_next_command_writes_both(recorded: Path, tmp_path: Path) -> None:
    class Killed(Shelf):
        def add(self, name: str, file: Path, retention: Retention) -> None:
            if name.startswith("records/"):
                raise KeyboardInterrupt
            super().add(name, file, retention)

    killed, shelf = Killed(), Shelf()
    with pytest.raises(KeyboardInterrupt):
        mirrored(recorded, killed)
    shelf.objects = killed.objects
    assert len(shelf.objects) == 1 and mirrored(recorded, shelf)
    assert restored(shelf, tmp_path / "back").records == 1
    assert refs_of(tmp_path / "back") == refs_of(tmp_path / "remote.git")


def test_a_shallow_clone_mirrors_nothing(recorded: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path / 'remote.git'}", "shallow")
    with pytest.raises(UsageError, match="shallow"):
        mirrored(tmp_path / "shallow", Shelf())


def test_a_mirror_that_is_down_fails_no_command_and_status_says_so(recorded: Path) -> None:
    with_mirror(recorded, "http://127.0.0.1:9")
    git(recorded, "push", "--quiet", "origin", "main")
    done = tool(recorded, "deprecate", "churn@v1.1.0", "--why", "old", MIRROR_KEY="any:any")
    assert "The mirror is behind: The mirror s3://mirror/flights does not answer" in done.stderr
    assert "The mirror is behind: The mirror s3://mirror/flights does not answer" in tool(recorded, "status").stderr
    assert "does not answer" in tool(recorded, "audit", "check", MIRROR_KEY="any:any").stdout


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


def test_the_server_deletes_nothing_that_the_mirror_holds(place: str, recorded: Path, tmp_path: Path) -> None:
    client, bucket = client_of(place), Bucket("s3://mirror/kept", place, key="any:any")
    now = int(time.time())
    assert add_to_mirror(opened(recorded), SETTINGS, bucket, now)
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


def test_a_bucket_that_cannot_keep_is_refused(place: str, recorded: Path) -> None:
    client_of(place).create_bucket(Bucket="plain")
    with pytest.raises(ModelyardError, match="refused PutObject: InvalidRequest") as refused:
        add_to_mirror(opened(recorded), SETTINGS, Bucket("s3://plain", place, key="any:any"), NOW)
    assert "object lock" in refused.value.remedy
    with pytest.raises(ModelyardError, match="NoSuchBucket"):
        Bucket("s3://nothing", place, key="any:any").names("records", ".json")
    with pytest.raises(ModelyardError, match="does not answer"):
        Bucket("s3://mirror", "http://127.0.0.1:9", key="any:any").names("records", ".json")
