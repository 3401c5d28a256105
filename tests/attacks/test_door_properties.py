"""Random histories of people with different rights: the door never lets through what a simple model of the rules refuses."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.gate.mainline import Judged, Merged, unapproved

PEOPLE = ("ada", "grace", "mallory")
FILES = ("policies/approvals.yaml", "models/churn/train.py", "deployments/production/churn.yaml")


@dataclass(frozen=True)
class Step:
    """One commit on main: who wrote it, who approved it, which file it changes, and which commits it names."""

    author: str
    approvers: frozenset[str]
    file: str
    roles: frozenset[str]
    """The people who may approve after it, if it changes the rules."""
    names: tuple[int, ...]


STEPS = st.lists(
    st.builds(
        Step, author=st.sampled_from(PEOPLE), approvers=st.frozensets(st.sampled_from(PEOPLE)), file=st.sampled_from(FILES),
        roles=st.frozensets(st.sampled_from(PEOPLE)), names=st.lists(st.integers(0, 8), max_size=2).map(tuple),
    ),
    max_size=9,
)  # fmt: skip


def rules_after(steps: list[Step], count: int) -> frozenset[str]:
    """Who may approve by the file as it stands after so many steps; at first only ada and grace."""
    changed = [step.roles for step in steps[:count] if step.file == FILES[0]]
    return changed[-1] if changed else frozenset(("ada", "grace"))


def by_the_door(steps: list[Step]) -> set[int]:
    """The steps that block, as the door finds them."""
    history = [Merged(str(i), str(i - 1), (step.file,)) for i, step in enumerate(steps)]

    def judge(change: Merged, base: str, more: tuple[str, ...]) -> Judged:
        step = steps[int(change.commit)]
        may = rules_after(steps, int(base) + 1)
        given = bool((step.approvers - {step.author}) & may)
        return Judged(given, "", tuple(map(str, step.names)))

    return {int(commit) for commit in unapproved(history, judge)}


def by_the_simple_model(steps: list[Step]) -> set[int]:
    """The same by brute force: a person counts only if every state of the rules since the last clean one lets it."""
    blocked: list[int] = []
    for i, step in enumerate(steps):
        before = min([*blocked, i])  # the rules that stood before the first change that nobody approved
        good = any(p in rules_after(steps, before) for p in step.approvers if p != step.author)
        if not good:
            blocked.append(i)
        else:
            blocked = [b for b in blocked if b not in step.names]
    return set(blocked)


@settings(max_examples=400)
@given(STEPS)
def test_to_find_any_order_of_changes_that_gets_past_the_rules(steps: list[Step]) -> None:
    assert by_the_door(steps) == by_the_simple_model(steps)


@settings(max_examples=400)
@given(STEPS)
def test_to_let_a_person_without_a_role_get_anything_past_the_rules(steps: list[Step]) -> None:
    """Nothing that nobody or only mallory approved passes, unless somebody with a role approved it by its name later."""
    steps = [Step(s.author, s.approvers, s.file, s.roles - {"mallory"}, s.names) for s in steps]
    blocked = by_the_door(steps)
    for i, step in enumerate(steps):
        if step.approvers <= {"mallory"}:
            later = [s for s in steps[i + 1 :] if i in s.names and (s.approvers - {s.author}) & {"ada", "grace"}]
            assert i in blocked or later
