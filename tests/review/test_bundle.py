"""What an untrusted job hands over."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.review import bundle
from modelyard.review.bundle import FILE_LIMIT, TOTAL_LIMIT, read_untrusted
from support.yard import write


def test_known_names_and_nothing_else(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "churn/training.json": "t",
            "churn/verdict.json": "v",
            "churn/report.md": "r",
            "churn/generated/dvc.lock": "l",
            "churn/generated/model.pkl": "p",
            "churn/deep/training.json": "t",
            ".git/config": "c",
            "training.json": "t",
            "a b/training.json": "t",
        },
    )
    found = read_untrusted(tmp_path)
    assert found.evidence == {"churn": {"training": b"t"}} and found.generated == {"churn": {"dvc.lock": b"l"}}
    assert found.refused == []


def test_an_absent_folder_is_an_empty_bundle(tmp_path: Path) -> None:
    assert read_untrusted(tmp_path / "nothing") == bundle.UntrustedBundle()


def test_links_pipes_and_large_files(tmp_path: Path) -> None:
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/training.json").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "churn/drift.json")
    with (tmp_path / "churn/evaluation.json").open("wb") as file:
        file.truncate(FILE_LIMIT + 1)
    (tmp_path / "linked").symlink_to("/etc")
    found = read_untrusted(tmp_path)
    assert found.evidence == {} and len(found.refused) == 3


def test_the_whole_is_bounded(tmp_path: Path) -> None:
    for i in range(TOTAL_LIMIT // FILE_LIMIT + 2):
        (tmp_path / f"m{i}").mkdir()
        with (tmp_path / f"m{i}/training.json").open("wb") as file:
            file.truncate(FILE_LIMIT)
    with pytest.raises(ModelyardError, match="more than"):
        read_untrusted(tmp_path)


def test_zip_archives_slip_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "proposal.zip", "w") as archive:
        archive.writestr("churn/training.json", "t")
        for name in ("../x/training.json", "/churn/drift.json", "churn/../../evil", "..\\churn\\drift.json"):
            archive.writestr(name, "evil")
        link = zipfile.ZipInfo("churn/drift.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    found = read_untrusted(tmp_path)
    assert found.evidence == {"churn": {"training": b"t"}} and "is a link" in found.refused[0]
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["proposal.zip"]


def test_a_bomb_is_read_no_further_than_the_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("churn/training.json", bytes(FILE_LIMIT * 2))
    content = bytearray((tmp_path / "bomb.zip").read_bytes())
    size = (FILE_LIMIT * 2).to_bytes(4, "little")
    while (at := content.find(size)) >= 0:
        content[at : at + 4] = (100).to_bytes(4, "little")  # the directory lies
    (tmp_path / "bomb.zip").write_bytes(content)
    found = read_untrusted(tmp_path)
    assert len(found.evidence.get("churn", {}).get("training", b"")) <= 100 or found.evidence == {}


def test_no_archive_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 not really")
    assert "not a valid zip archive" in read_untrusted(tmp_path).refused[0]


@given(st.text(max_size=60))
def test_any_member_name_is_a_known_place_or_none(name: str) -> None:
    place = bundle._place(name)
    if place is not None:
        assert name in {f"{place[0]}/{place[2]}.json", f"{place[0]}/generated/{place[2]}"}


def test_a_broken_member_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("churn/drift.json", "d" * 1000)
        archive.writestr("churn/training.json", "t")
    content = (tmp_path / "a.zip").read_bytes()
    at = content.index(b"churn/drift.json") + len("churn/drift.json")
    (tmp_path / "a.zip").write_bytes(content[:at] + b"\xff\xff" + content[at + 2 :])
    found = read_untrusted(tmp_path)
    assert found.evidence == {"churn": {"training": b"t"}} and found.refused == ["'churn/drift.json' cannot be read"]


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"churn/drift.json": "d", "churn/training.json": "t"})
    opened = os.open

    def refuse(path: Path, flags: int) -> int:
        if path.name == "drift.json":
            raise PermissionError(13, "Permission denied")
        return opened(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    found = read_untrusted(tmp_path)
    assert found.evidence == {"churn": {"training": b"t"}} and found.refused == ["'churn/drift.json' cannot be read"]


def archive_of(method: int) -> bytes:
    """An archive with a known and an unknown member, one of them with a name beyond ASCII."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("churn/training.json", '{"a": ' + "1" * 50 + "}")
        archive.writestr("churn/généré.json", "x")
    return content.getvalue()


ARCHIVES = [archive_of(m) for m in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)]


@given(st.sampled_from(ARCHIVES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4))
def test_any_damage_to_an_archive_is_a_refusal_and_never_a_crash(sound: bytes, damage: list[tuple[int, int]]) -> None:
    content = bytearray(sound)
    for at, value in damage:
        content[at % len(content)] = value
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.zip").write_bytes(content)
        found = read_untrusted(Path(folder))
    assert found.evidence.keys() <= {"churn"} or found.evidence
    assert all(isinstance(kind, str) for kinds in found.evidence.values() for kind in kinds)
