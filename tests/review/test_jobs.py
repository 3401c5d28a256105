"""What a job takes of the jobs before it: a folder, or archives that are asked for and never unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.interface import Forge
from modelyard.review.bundle import read_untrusted
from modelyard.review.jobs import handed_over


def gitlab(archives: dict[int, bytes]) -> Forge:
    """A forge whose pipeline has one job for each archive, and one that left none."""
    return cast(
        Forge,
        SimpleNamespace(jobs_beside=lambda name: [*archives, 99] if name == "retrain" else [], archive=lambda job, _: archives.get(job)),
    )  # fmt: skip


def archive(folder: Path, files: dict[str, str]) -> bytes:
    with zipfile.ZipFile(folder / "made.zip", "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return (folder / "made.zip").read_bytes()


def test_a_folder_is_read_where_it_is(tmp_path: Path) -> None:
    with handed_over(str(tmp_path / "left"), None) as left:
        assert left == (tmp_path / "left", "")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"), handed_over(str(tmp_path / "file"), None):
        pass


def test_the_archives_of_jobs_are_read_together_and_never_unpacked(tmp_path: Path) -> None:
    archives = {
        1: archive(
            tmp_path,
            {
                ".modelyard/evidence/churn/training.json": "c",
                "churn/scan.json": "elsewhere",
                ".git/hooks/post-checkout": "evil",
            },
        ),
        2: archive(tmp_path, {".modelyard/evidence/fraud/training.json": "f", "requirements/install.sh": "evil"}),
    }
    with handed_over("jobs:retrain", gitlab(archives)) as (folder, under):
        assert sorted(path.suffix for path in folder.iterdir()) == [".zip", ".zip"]
        found = read_untrusted(folder, under=under)
    assert found.evidence == {"churn": {"training": b"c"}, "fraud": {"training": b"f"}}
    assert not folder.exists(), "nothing is left behind"
    with handed_over("jobs:other", gitlab(archives)) as (folder, _):
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("forge", [None, cast(Forge, SimpleNamespace())])
def test_only_gitlab_is_asked_for_jobs(forge: Forge | None) -> None:
    with pytest.raises(ModelyardError, match="only GitLab"), handed_over("jobs:retrain", forge):
        pass
