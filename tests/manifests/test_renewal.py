"""A pointer of a data import may name newer content, and nothing else."""

from __future__ import annotations

import pytest
from modelyard.errors import ModelyardError
from modelyard.manifests.document import parse_document
from modelyard.manifests.renewal import renewed

FILE = "data/rows.csv.dvc"
URL = f"""\
md5: {"1" * 31}a
frozen: true
deps:
- etag: '"abc-1"'
  size: 10
  hash: md5
  path: s3://bucket/rows.csv
outs:
- md5: {"a" * 32}
  size: 10
  hash: md5
  path: rows.csv
"""
REPO = f"""\
deps:
- path: rows.csv
  repo:
    url: https://git.example/data
    rev: main
    rev_lock: {"b" * 40}
outs:
- md5: {"a" * 32}
  size: 10
  path: rows.csv
"""


def newer(text: str, *changes: tuple[str, str]) -> bytes:
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text.encode()


def test_newer_content_of_the_same_source_is_taken_as_dvc_writes_it() -> None:
    after = newer(URL, ("abc-1", "abc-2"), ("size: 10", "size: 12"), ("a" * 32, "c" * 32), ("1" * 31 + "a", "d" * 32))
    assert renewed(URL.encode(), after, FILE) == after
    after = newer(REPO, ("b" * 40, "e" * 40), ("size: 10", "size: 12\n  nfiles: 3\n  hash: md5"), ("a" * 32, "c" * 32))
    assert renewed(REPO.encode(), after, FILE) == after, "DVC 3 adds which hash it is"
    assert renewed(URL.encode(), URL.encode() + b"# words\n", FILE) == URL.encode(), "nothing of its form is taken"


def test_a_digest_that_looks_like_a_number_stays_text() -> None:
    digest = "12345678901234567890123456789e12"
    after = newer(URL, ("a" * 32, f"'{digest}'"))
    written = renewed(URL.encode(), after, FILE)
    assert written == after and parse_document(written, FILE).value["outs"][0]["md5"] == digest


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("s3://bucket/rows.csv", "s3://other/rows.csv", "has another deps[0].path"),
        ("  path: rows.csv", "  path: ../models/churn/src/train.py", "has another outs[0].path"),
        ("frozen: true", "frozen: false", "has another frozen"),
        ("frozen: true\n", "", "lacks frozen"),
        ("frozen: true", "frozen: true\nwdir: ..", "has another wdir"),
        ("frozen: true", "frozen: true\ncmd: sh x.sh", "has another cmd"),
        ("  path: rows.csv", "  path: rows.csv\n  remote: mine", "has another outs[0].remote"),
        ("  hash: md5\n  path: s3", "  hash: sha256\n  path: s3", "has another deps[0].hash"),
        ("outs:\n", "outs:\n- {md5: x, path: more.csv}\n", "has another outs"),
        (
            "  size: 10\n  hash: md5\n  path: rows",
            "  size: -1\n  hash: md5\n  path: rows",
            "outs[0].size that cannot be",
        ),
        ("  size: 10\n  hash: md5\n  path: rows", "  size: 1e400\n  hash: md5\n  path: rows", "size that cannot be"),
        ("  size: 10\n  hash: md5\n  path: rows", f"  size: {'9' * 17}\n  hash: md5\n  path: rows", "that cannot be"),
        ("a" * 32, "../../etc/passwd", "outs[0].md5 that cannot be"),
        ("'\"abc-1\"'", '"a\\nb"', "deps[0].etag that cannot be"),
        ("frozen: true", "frozen: &x true", "cannot be read"),
        ("frozen: true", "frozen: true\nfrozen: true", "cannot be read"),
        ("frozen: true", "frozen: !!python/name:os.system true", "cannot be read"),
        ("frozen: true", "frozen: 1", "has another frozen"),
        ("md5: ", "[", "cannot be read"),
    ],
)
def test_everything_else_is_refused(before: str, after: str, said: str) -> None:
    with pytest.raises(ModelyardError) as error:
        renewed(URL.encode(), newer(URL, (before, after)), FILE)
    assert said in error.value.problem and FILE in error.value.problem and error.value.remedy


@pytest.mark.parametrize("change", [("git.example/data", "git.example/evil"), ("rev: main", "rev: evil")])
def test_another_repository_or_branch_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(ModelyardError, match=r"has another deps\[0\]\.repo"):
        renewed(REPO.encode(), newer(REPO, change), FILE)
