"""What is wrong in a manifest, as data that every output form can show."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from modelyard.errors import ModelyardError


class Problem(Struct, frozen=True, order=True):
    """One fault: where it stands, what it is, what to do."""

    file: str
    line: int
    field: str
    what: str
    remedy: str

    def __str__(self) -> str:
        name = f" {self.field}" if self.field else ""
        return f"{self.file}:{self.line}:{name} {self.what} {self.remedy}"


class ManifestErrors(ModelyardError):
    """One or more manifests cannot be used."""

    def __init__(self, problems: list[Problem]) -> None:
        first = problems[0]
        name = f" {first.field}" if first.field else ""
        more = len(problems) - 1
        rest = f" ({more} more: run modelyard validate.)" if more else ""
        super().__init__(f"{first.file}:{first.line}:{name} {first.what}", first.remedy + rest)
        self.problems = problems


def near_match(word: str, known: Iterable[str]) -> str:
    """``Did you mean 'x'?``, or a list of what is known, or what there is to say when nothing is."""
    import difflib

    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not choices:
        return "There is none yet."
    listed = ", ".join(choices[:8]) + (", …" if len(choices) > 8 else "")
    return f"Known: {listed}."
