"""What is taken from ``report/`` and from the plots of dvc.yaml: a real folder, git and DVC."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from modelyard.candidate.custom import custom_report
from modelyard.candidate.files import Candidate
from modelyard.checkout.checkout import ModelView
from modelyard.dvc import Dvc
from modelyard.evidence.custom import PAGE_CHARACTERS, PAGES, PICTURE_BYTES, CustomReport
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.report.custom import Grid, Heading, Paragraph, blocks_of
from modelyard.report.exchange.evidently import MOST_BYTES
from support.yard import commit_all, git, write

REPORT = Path(__file__).parents[1] / "report/data/drift.evidently.json"
"""By Evidently 0.7.23: DataDriftPreset and MissingValueCount, with tests."""
PNG = b"\x89PNG\r\n\x1a\n"
STAGES = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    plots:
      - plots/loss.csv: {x: step, y: loss}
      - plots/errors.csv: {cache: false, template: confusion, x: actual, y: predicted}
      - plots/roc.png
plots:
  - ROC: {x: fpr, y: {plots/roc.json: tpr}}
"""
TRAIN = """\
import json, pathlib
folder = pathlib.Path("plots")
folder.mkdir(exist_ok=True)
folder.joinpath("loss.csv").write_text("step,loss\\n0,1.0\\n1,LAST\\n")
folder.joinpath("errors.csv").write_text("actual,predicted\\nlate,late\\nlate,PREDICTED\\n")
folder.joinpath("roc.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\nLAST")
"""


def collected(folder: Path, dvc: object = None, champion: str | None = None) -> CustomReport:
    """The team's part of ``models/churn`` below a folder, as it comes back from its evidence document."""
    view = cast(ModelView, SimpleNamespace(name="churn", checkout=SimpleNamespace(dvc=dvc)))
    found = custom_report(view, Candidate(cast(Any, None), folder / "models/churn"), champion)
    written = write_statement("custom", "churn", "a" * 64, found)
    assert read_statement(written, "custom", CustomReport).predicate == found, "it is within the limits of a reader"
    return found


def pages(folder: Path, **texts: str) -> Path:
    write(folder, {f"models/churn/report/{name}.md": text for name, text in texts.items()})
    return folder / "models/churn/report"


def test_nothing_is_there(tmp_path: Path) -> None:
    assert not collected(tmp_path)
    write(tmp_path, {"models/churn/dvc.yaml": "stages: {train: {cmd: 'true'}}\n"})
    assert not collected(tmp_path), "DVC is not asked where dvc.yaml has no plots"


def test_pages_and_the_pictures_that_they_show(tmp_path: Path) -> None:
    report = pages(tmp_path, b="![one](one.png)\n![two](./deep/two.png)", a="words")
    for name in ("one.png", "deep/two.png", "unused.png"):
        (report / name).parent.mkdir(exist_ok=True)
        (report / name).write_bytes(PNG)
    found = collected(tmp_path)
    assert [page.name for page in found.pages] == ["a.md", "b.md"] and found.left_out == ()
    assert [picture.name for picture in found.pictures] == ["one.png", "deep/two.png"]


@pytest.mark.parametrize(
    "name",
    ["https://evil.example/p.png", "../../secret.png", "/etc/hostname", "absent.png", "link.png", "linked/p.png", "folder",
     "page.svg", "big.png", "lies.png", "%2e%2e/secret.png", "a\x00b.png", "http:p.png"],
)  # fmt: skip
def test_only_small_local_pictures_are_taken(tmp_path: Path, name: str) -> None:
    report = pages(tmp_path, page=f"![x]({name})")
    (tmp_path / "models/secret.png").write_bytes(PNG)
    (report / "folder").mkdir()
    (report / "link.png").symlink_to(tmp_path / "models/secret.png")
    (report / "linked").symlink_to(tmp_path / "models")
    (tmp_path / "models/p.png").write_bytes(PNG)
    (report / "page.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    (report / "big.png").write_bytes(PNG + b"x" * PICTURE_BYTES)
    (report / "lies.png").write_bytes(b"<html><script>alert(1)</script>")
    found = collected(tmp_path)
    assert not found.pictures and len(found.pages) == 1 and "picture" in found.left_out[0]


def test_pages_beyond_the_limits_are_named(tmp_path: Path) -> None:
    report = pages(tmp_path, long="x" * (PAGE_CHARACTERS + 1), huge="x" * (5 * PAGE_CHARACTERS), **{"a b": "name"})
    (tmp_path / "secret.md").write_text("secret")
    (report / "link.md").symlink_to(tmp_path / "secret.md")
    (report / "bytes.md").write_bytes(b"\xff\xfe words")
    found = collected(tmp_path)
    assert [page.name for page in found.pages] == ["bytes.md"] and len(found.left_out) == 4
    pages(tmp_path, **{f"p{i}": "x" for i in range(PAGES + 1)})
    assert len(collected(tmp_path).pages) == PAGES


def test_a_report_of_evidently_is_a_page_with_the_tests_that_failed_first(tmp_path: Path) -> None:
    report = pages(tmp_path, words="x")
    (report / "drift.evidently.json").write_bytes(REPORT.read_bytes())
    (report / "other.json").write_text("{}")
    found = collected(tmp_path)
    assert [page.name for page in found.pages] == ["words.md", "drift.evidently.json"] and found.left_out == ()
    heading, said, tests, metrics = blocks_of(found.pages[1].text)
    assert heading == Heading(2, "Evidently: report/drift.evidently.json")
    assert said == Paragraph("1 of 4 tests passed.")
    assert isinstance(tests, Grid) and [row[0] for row in tests.rows] == ["FAIL", "FAIL", "FAIL", "SUCCESS"]
    assert tests.rows[0][1:] == (
        "Share of Drifted Columns: Less 0.500", "Share of Drifted Columns: Actual value 1.000 >= 0.500",
    )  # fmt: skip
    assert isinstance(metrics, Grid) and metrics.rows[0] == ("DriftedColumnsCount(drift_share=0.5)", "count 2, share 1")


def test_a_hostile_report_of_evidently_stays_within_the_limits(tmp_path: Path) -> None:
    report = pages(tmp_path)
    cell = "|\\|\n\r\n# x <script>![p](p.png)" * 8
    tests = [{"name": cell, "status": cell, "description": cell}] * 1000
    metrics = [
        {"metric_name": cell, "value": {cell: 1, "levels": {cell: 1}}},
        {"metric_name": "n", "value": [cell]},
    ] * 500
    levels = {"metric_name": "UniqueValueCount(column=c)", "value": {"ada@example.org": 3}}
    write(report, {
        "a.evidently.json": json.dumps({"metrics": metrics, "tests": tests}),
        "b.evidently.json": "[" * 100_000, "c.evidently.json": '{"metrics": 3}', "d.evidently.json": "\xff",
        "e.evidently.json": " " * (MOST_BYTES + 1), "f.evidently.json": json.dumps({"metrics": [levels]}),
    })  # fmt: skip
    (report / "g.evidently.json").symlink_to("/etc/hostname")
    found = collected(tmp_path)
    assert [page.name for page in found.pages] == ["a.evidently.json", "f.evidently.json"] and len(found.left_out) == 5
    _, said, *tables = blocks_of(found.pages[0].text)
    assert said == Paragraph("0 of 1000 tests passed.") and not found.pictures
    grids = [block for block in tables if isinstance(block, Grid)]
    assert [(len(grid.headings), len(grid.rows)) for grid in grids] == [(3, 40), (2, 50)]
    assert all(len(cell) <= 200 for grid in grids for row in grid.rows for cell in row)
    assert "ada" not in found.pages[1].text and "a distribution, not shown" in found.pages[1].text


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/notes.md": "secret", "models/churn/x": ""})
    (tmp_path / "models/churn/report").symlink_to(tmp_path / "elsewhere")
    assert not collected(tmp_path)


def test_links_of_dvc_into_its_cache_are_files(tmp_path: Path) -> None:
    report = pages(tmp_path, page="![x](p.png)")
    for content, name in ((b"![x](p.png)", "linked.md"), (PNG, "p.png")):
        kept = tmp_path / "cache/files/md5" / "ab" / (name.encode().hex() + "0" * 30)[:30]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
        (report / name).symlink_to(kept)
    found = collected(tmp_path)
    assert [page.name for page in found.pages] == ["linked.md", "page.md"] and len(found.pictures) == 1


def test_plots_of_the_candidate_against_the_champion(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    subprocess.run([Path(sys.executable).parent / "dvc", "init", "--quiet"], cwd=tmp_path, check=True)
    write(tmp_path, {"models/churn/dvc.yaml": STAGES, "models/other/dvc.yaml": "plots: [absent.csv]\n"})
    dvc = Dvc(tmp_path)

    def trained(last: str, predicted: str, roc: str) -> str:
        code = TRAIN.replace("LAST", last).replace("PREDICTED", predicted)
        write(tmp_path, {"models/churn/train.py": code, "models/churn/plots/roc.json": roc})
        dvc.reproduce("models/churn/dvc.yaml")
        commit_all(tmp_path, "trained")
        return git(tmp_path, "rev-parse", "HEAD").strip()

    first = trained("0.5", "on time", '[{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}]')
    trained("0.4", "late", '[{"fpr": 0, "tpr": 0}, {"fpr": 0.5, "tpr": 0.9}, {"fpr": 1, "tpr": 1}]')
    found = collected(tmp_path, dvc, first)
    plots = {plot.title: plot for plot in found.plots}
    assert set(plots) == {"ROC", "plots/loss.csv", "plots/errors.csv"} and found.left_out == ()
    assert [(line.side, line.points[-1]) for line in plots["plots/loss.csv"].lines] == [
        ("champion", (1, 0.5)),
        ("candidate", (1, 0.4)),
    ]
    assert [len(line.points) for line in plots["ROC"].lines] == [2, 3]
    cells = {(c.actual, c.predicted): (c.champion, c.candidate) for c in plots["plots/errors.csv"].cells}
    assert cells == {("late", "late"): (1, 2), ("late", "on time"): (1, 0)}
    pictures = {picture.name: picture.content for picture in found.pictures}
    assert pictures == {"candidate/plots/roc.png": PNG + b"0.4", "champion/plots/roc.png": PNG + b"0.5"}

    alone = collected(tmp_path, dvc, None)
    assert [line.side for line in alone.plots[0].lines] == ["candidate"], "a first version has no champion"

    (tmp_path / "models/churn/plots/loss.csv").write_text("step,other\n1,2\n")
    (tmp_path / "models/churn/plots/roc.json").write_text("{")
    broken = collected(tmp_path, dvc, first)
    assert "ROC has no data" in " ".join(broken.left_out), broken.left_out
    write(tmp_path, {"models/churn/dvc.yaml": "plots: 7\n"})
    assert "The plots of dvc.yaml are not shown: dvc plots failed" in collected(tmp_path, dvc, first).left_out[0]
