"""Search of versions by conditions, such as ``owner=@team auc>=0.7 data=data/flights live=production``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from modelyard.errors import UsageError, near_match
from modelyard.evidence.training import flat

# A parameter of another file than params.yaml is params.FILE:NAME, so its colon is no sign.
_TERM = re.compile(
    r"(?P<key>[A-Za-z_][\w./@#-]*(?:(?<=\w):[A-Za-z_][\w.-]*(?=[<>=!]))?)(?P<sign>>=|<=|!=|=|>|<|:)(?P<value>.+)\Z",
    re.S,
)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
KEYS = ("model", "version", "owner", "task", "lifecycle", "live", "data", "by", "approved", "verdict", "artifact")


class Entry(Struct, frozen=True):
    """A version with its searchable properties; ``at`` is in seconds since 1970."""

    model: str
    version: str
    at: int
    words: dict[str, tuple[str, ...]]
    """Key of ``KEYS`` → values."""
    metrics: dict[str, float]
    params: dict[str, object]
    text: str = ""
    """Description and card, for full-text search."""


class Term(Struct, frozen=True):
    """One condition; the key '' means full-text search."""

    key: str
    sign: str
    value: str


def parse_terms(words: Sequence[str]) -> tuple[Term, ...]:
    """Parses conditions: KEY=VALUE, METRIC>NUMBER, params.NAME=VALUE, or a word.

    UsageError for an order of words or a metric compared with text.
    """
    found = []
    for word in words:
        parsed = _TERM.match(word)
        term = Term(parsed["key"], parsed["sign"].replace(":", "="), parsed["value"]) if parsed else Term("", "=", word)
        if term.key in KEYS and term.sign not in ("=", "!="):
            raise UsageError(f"{word!r} compares words by order.", f"Use {term.key}=… or {term.key}!=…")
        if term.key and term.key not in KEYS and not term.key.startswith("params.") and _number(term.value) is None:
            raise UsageError(
                f"{word!r} compares the metric {term.key} with {term.value!r}, which is not a number.",
                f"Other keys are {', '.join(KEYS)} and params.NAME.",
            )
        found.append(term)
    return tuple(found)


def requested_metrics(terms: Sequence[Term]) -> tuple[str, ...]:
    """The metrics that conditions name, in order."""
    return tuple(dict.fromkeys(t.key for t in terms if t.key and t.key not in KEYS and not t.key.startswith("params.")))


def search(entries: Sequence[Entry], terms: Sequence[Term]) -> list[Entry]:
    """The entries that satisfy all conditions, newest first; UsageError for a metric or parameter that none has."""
    for term in terms:
        if not term.key or term.key in KEYS or not entries:
            continue
        parameter = term.key.startswith("params.")
        known = {f"params.{name}" for entry in entries for name in flat(entry.params)} if parameter else set()
        known |= set() if parameter else {name for entry in entries for name in entry.metrics}
        if term.key not in known:
            what = "parameter" if parameter else "metric"
            raise UsageError(
                f"No version has the {what} {term.key!r}.", near_match(term.key, known, f"No version records a {what}.")
            )
    found = [entry for entry in entries if all(_holds(term, entry) for term in terms)]
    return sorted(found, key=lambda entry: (-entry.at, entry.model, entry.version))


def _holds(term: Term, entry: Entry) -> bool:
    if not term.key:
        text = " ".join([entry.model, entry.version, entry.text, *(w for words in entry.words.values() for w in words)])
        return term.value.lower() in text.lower()
    if term.key in KEYS:
        found = any(_same(term.key, term.value, word) for word in entry.words.get(term.key, ()))
        return found == (term.sign == "=")
    if term.key.startswith("params."):
        value = flat(entry.params).get(term.key.removeprefix("params."))
        if value is None:
            return False
        numbers = _number(value), _number(term.value)
        if numbers[0] is not None and numbers[1] is not None:
            return _ORDER[term.sign](numbers[0], numbers[1])
        return term.sign in ("=", "!=") and (value == term.value) == (term.sign == "=")
    metric, bound = entry.metrics.get(term.key), _number(term.value)
    return metric is not None and bound is not None and _ORDER[term.sign](metric, bound)


def _same(key: str, wanted: str, word: str) -> bool:
    if key in ("owner", "by", "approved"):
        return wanted.removeprefix("@").lower() == word.removeprefix("@").lower()
    return word.startswith(wanted) if key in ("artifact", "data") else word == wanted


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
