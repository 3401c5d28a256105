"""What the team adds to the report: pages, pictures and reports of Evidently in ``report/`` of the model's folder, and
the plots of dvc.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelyard.candidate.files import Candidate
from modelyard.checkout.checkout import ModelView
from modelyard.dvc import WORKSPACE, PlotData
from modelyard.errors import ModelyardError
from modelyard.evidence.custom import (
    LINES,
    PAGE_CHARACTERS,
    PAGES,
    PICTURE_BYTES,
    PICTURES,
    PLOTS,
    CustomReport,
    Line,
    Page,
    Picture,
    Plot,
    Side,
    confusion,
    line_of,
    picture_format,
)
from modelyard.report.custom import pictures_in
from modelyard.report.exchange.evidently import MOST_BYTES, SUFFIX, evidently_page

FOLDER = "report"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\Z")
_PATH = re.compile(r"(?=.{1,120}\Z)[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*\Z")
_PLOTS = re.compile(r"^\s*(- )?[\"']?plots[\"']?\s*:", re.MULTILINE)
_CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}\Z")
_TITLE = 200


def custom_report(view: ModelView, candidate: Candidate, champion: str | None) -> CustomReport:
    """Pages, pictures and plots within the limits; each thing that is beyond them is said. It raises no error.

    ``champion`` is the commit of the champion, whose plots are drawn beside the candidate's.
    """
    left_out: list[str] = []
    pages = _pages(candidate.folder / FOLDER, left_out)
    pages += _evidently(candidate.folder / FOLDER, PAGES - len(pages), left_out)
    pictures = {picture.name: picture for picture in _pictures(candidate.folder / FOLDER, pages, left_out)}
    plots: list[Plot] = []
    for data in _plots(view, candidate, champion, left_out):
        left_out += [f"The plot {data.title} has no data: {fault}." for fault in data.faults]
        shown = {revision: "candidate" if revision == WORKSPACE else "champion" for revision in data.pictures}
        for revision, side in shown.items():
            name = f"{side}/{data.title}"
            if fault := _picture_fault(name, data.pictures[revision]):
                left_out.append(fault)
            else:
                pictures[name] = Picture(name, data.pictures[revision])
        if data.lines and (plot := _plot(data)):
            plots.append(plot)
        elif data.lines:
            left_out.append(f"The plot {data.title} has no numbers that can be drawn; see it with: dvc plots show")
    for what, found, most in (("plots", len(plots), PLOTS), ("pictures", len(pictures), PICTURES)):
        if found > most:
            left_out.append(f"There are {found} {what}; the first {most} are shown.")
    return CustomReport(
        pages=tuple(pages),
        pictures=tuple(pictures.values())[:PICTURES],
        plots=tuple(plots[:PLOTS]),
        left_out=tuple(sentence[:500] for sentence in left_out[:50]),
    )


def _pages(folder: Path, left_out: list[str]) -> list[Page]:
    pages = []
    for name, path in _own_files(folder, ".md", left_out):
        if path.stat().st_size > 4 * PAGE_CHARACTERS:
            left_out.append(f"{name} has {path.stat().st_size:,} bytes (limit {PAGE_CHARACTERS:,} characters).")
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        if len(text) > PAGE_CHARACTERS:
            left_out.append(f"{name} has {len(text):,} characters (limit {PAGE_CHARACTERS:,}).")
            continue
        pages.append(Page(path.name, text))
    if len(pages) > PAGES:
        left_out.append(f"There are {len(pages)} pages in {FOLDER}/; the first {PAGES} are shown.")
    return pages[:PAGES]


def _evidently(folder: Path, most: int, left_out: list[str]) -> list[Page]:
    """The reports of Evidently as pages; at most so many."""
    pages: list[Page] = []
    for name, path in _own_files(folder, SUFFIX, left_out):
        if path.stat().st_size > MOST_BYTES:
            left_out.append(f"{name} has {path.stat().st_size:,} bytes (limit {MOST_BYTES:,}).")
        elif len(pages) == most:
            left_out.append(f"{name} is not shown: at most {PAGES} pages are.")
        else:
            try:
                pages.append(Page(path.name, evidently_page(path.read_bytes(), name)[:PAGE_CHARACTERS]))
            except ModelyardError as error:
                left_out.append(error.problem)
    return pages


def _own_files(folder: Path, ending: str, left_out: list[str]) -> Iterator[tuple[str, Path]]:
    """Name and path of the folder's own files with an ending, sorted; what is no regular file is left out."""
    for path in sorted(folder.glob(f"*{ending}")) if folder.is_dir() and not folder.is_symlink() else ():
        name = f"{FOLDER}/{path.name}"
        if _is_own(path) and _NAME.match(path.name):
            yield name, path
        else:
            left_out.append(f"{name} is not a regular file with a name of letters, digits and . _ -")


def _pictures(folder: Path, pages: list[Page], left_out: list[str]) -> Iterator[Picture]:
    """The pictures that the pages show. Only files below the folder are read; links only into DVC's cache."""
    for name in dict.fromkeys(name for page in pages for name in pictures_in(page.text)):
        path = folder / name
        within = [above for above in path.parents if above.is_relative_to(folder)]
        if not _PATH.match(name) or any(above.is_symlink() for above in within) or not _is_own(path):
            left_out.append(f"The picture {name} is not a file in {FOLDER}/; only such pictures are shown.")
        elif path.stat().st_size > PICTURE_BYTES:
            left_out.append(f"The picture {name} has {path.stat().st_size:,} bytes (limit {PICTURE_BYTES:,}).")
        elif fault := _picture_fault(name, content := path.read_bytes()):
            left_out.append(fault)
        else:
            yield Picture(name, content)


def _is_own(path: Path) -> bool:
    """Whether a path is a file, or a link that DVC made to its cache; no other link is followed."""
    return path.is_file() and (not path.is_symlink() or _CACHED.search(path.resolve().as_posix()) is not None)


def _picture_fault(name: str, content: bytes) -> str:
    if not _PATH.match(name):
        return f"The picture {name} has a name with other characters than letters, digits and . _ - /."
    if len(content) > PICTURE_BYTES:
        return f"The picture {name} has {len(content):,} bytes (limit {PICTURE_BYTES:,})."
    if not picture_format(content):
        return f"The picture {name} is no PNG, JPEG, GIF or WebP by its content."
    return ""


def _plots(view: ModelView, candidate: Candidate, champion: str | None, left_out: list[str]) -> list[PlotData]:
    pipeline = candidate.folder / "dvc.yaml"
    if not pipeline.is_file() or not _PLOTS.search(pipeline.read_text(encoding="utf-8", errors="replace")):
        return []  # DVC would load every pipeline of the repository to find that there are none
    try:
        return view.checkout.dvc.plots(f"models/{view.name}", champion)
    except ModelyardError as error:
        left_out.append(f"The plots of dvc.yaml are not shown: {error.problem}")
        return []


def _plot(data: PlotData) -> Plot | None:
    lines = data.lines
    champion = [points for revision, named in lines.items() if revision != WORKSPACE for points in named.values()]
    labels = (data.title[:_TITLE], data.x[:_TITLE], data.y[:_TITLE])
    if data.confusion:
        candidate = [point for points in lines.get(WORKSPACE, {}).values() for point in points]
        pairs: dict[Side, list[tuple[Any, Any]]] = {"candidate": candidate}
        if champion:
            pairs["champion"] = [point for points in champion for point in points]
        return Plot(*labels, cells=confusion(pairs))
    found: list[Line] = []
    for revision, named in sorted(lines.items(), key=lambda entry: entry[0] == WORKSPACE):
        side: Side = "candidate" if revision == WORKSPACE else "champion"
        for name, points in named.items():
            if line := line_of(side, name, points):
                found.append(line)
    # Of many lines, those of the candidate are kept.
    return Plot(*labels, lines=tuple(found[-LINES:])) if found else None
