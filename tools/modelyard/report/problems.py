"""Problems of manifests as text, JSON and GitHub annotations."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.manifests.document import Problem


def as_json(problems: Sequence[Problem]) -> list[dict[str, object]]:
    """One object per problem."""
    return [{"file": p.file, "line": p.line, "field": p.field, "problem": p.what, "remedy": p.remedy} for p in problems]


def github_annotations(problems: Sequence[Problem]) -> list[str]:
    """Workflow commands that GitHub shows at the line of each problem."""
    return [
        f"::error file={_property(p.file)},line={p.line},title={_property(p.field or 'manifest')}::"
        f"{_message(f'{p.field} {p.what} {p.remedy}'.strip())}"
        for p in problems
    ]


def summary(problems: Sequence[Problem]) -> str:
    """The number of problems and of files that have one."""
    if not problems:
        return "All manifests are valid."
    files = len({problem.file for problem in problems})
    return f"{len(problems)} problem{'s' * (len(problems) > 1)} in {files} file{'s' * (files > 1)}."


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
