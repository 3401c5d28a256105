"""The notes of an evaluation: sentences on what it could not compare, does not know, or saw in the rows."""

from __future__ import annotations

from modelyard.candidate.files import Candidate
from modelyard.checkout.artifacts import FetchedVersion
from modelyard.evidence.training import NOT_APPLICABLE
from modelyard.flavors.values import Columns, breaches


def champion_notes(champion: FetchedVersion | None, comparable: bool) -> tuple[str, ...]:
    """Why a candidate is compared with nothing."""
    if champion is None:
        return ("A first version: there is no champion, so only absolute rules were applied.",)
    if not comparable:
        return (f"{champion.name} predicts other classes and cannot be compared, so only absolute rules were applied.",)
    return ()


def origin_notes(candidate: Candidate) -> tuple[str, ...]:
    """What nobody here can know of a model that was trained elsewhere."""
    if candidate.trained_here:
        return ()
    return (f"{NOT_APPLICABLE} Nothing here shows whether the held-out rows were among its training rows.",)


def contract_notes(candidate: Candidate, holdout: Columns) -> tuple[str, ...]:
    """Sentences about values in the team's own rows that the contract does not allow."""
    inputs = candidate.signature.inputs
    training = candidate.training([column.name for column in inputs])
    said = []
    for column in inputs:
        sides = [("held-out", holdout[column.name])]
        if candidate.trained_here and column.name in training.names:
            sides.insert(0, ("training", training.values(column)))
        for name, values in sides:
            for what, rows in breaches(column, values):
                said.append(
                    f"{int(rows.sum()):,} of {rows.size:,} {name} rows have {column.name!r} {what}, which the contract"
                    " does not allow: callers who send such rows are refused."
                )
    return tuple(said)
