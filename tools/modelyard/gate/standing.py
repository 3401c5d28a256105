"""Whether a verdict still stands: it is about one champion, and that one can change after the verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct


class GivenVerdict(Struct, frozen=True):
    """What a verdict on a pull request was about, as the evidence branch keeps it."""

    head: str
    """The commit that has the status."""
    base: str
    """The default branch's commit by whose rules it was judged."""
    compared: dict[str, str]
    """Model → the champion that its candidate was compared with; '' for a first version."""


def outdated(
    compared: Mapping[str, str], champions: Mapping[str, str], awaited: Collection[str] = ()
) -> dict[str, str]:
    """Model → why the verdict on it stands no more; empty for one that stands.

    ``champions`` are those of this moment. ``awaited`` are models of which a newer candidate was merged after the
    verdict and is no version yet: its champion is not known before it is one.
    """
    found = {}
    for model, champion in compared.items():
        now = champions.get(model, "")
        if champion != now:
            found[model] = f"compared with {champion or 'no champion'}, but the champion is now {now or 'none'}"
        elif model in awaited:
            found[model] = "another candidate is before it and not registered yet"
    return found


def outdated_sentence(why: Mapping[str, str]) -> str:
    """One clause for all outdated models of a pull request: the first with its reason, and how many more there are."""
    model, reason = min(why.items())
    return f"{model}{f' and {len(why) - 1} more' if len(why) > 1 else ''}: {reason}"
