"""``policies/approvals.yaml`` and ``waivers/*.yaml``: who must approve what, and reviewed exceptions."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from modelyard.manifests.names import Date, Manifest, Name, Sha256, Text

# --- policies/approvals.yaml ----------------------------------------------------------------------------------------


class ApprovalRule(Manifest, frozen=True, kw_only=True):
    """Who has to approve a change of certain files."""

    id: Name
    paths: Annotated[
        list[Text], Meta(min_length=1, description="Patterns such as deployments/production/*; * also matches /.")
    ]
    role: Annotated[Text, Meta(description="writers, owners, or a role declared above.")] = "writers"
    count: Annotated[int, Meta(ge=1, le=20, description="How many of them.")] = 1
    why: Text


class Approvals(Manifest, frozen=True, kw_only=True):
    """``policies/approvals.yaml``: who must approve what. Read from the base branch; the author never counts."""

    roles: Annotated[
        dict[Name, list[Text]], Meta(description="Role → handles (@grace), teams (@acme/risk), e-mail addresses.")
    ] = field(default_factory=dict)
    rules: Annotated[list[ApprovalRule], Meta(min_length=1)]


# --- waivers/*.yaml -----------------------------------------------------------------------------------------------


class Waiver(Manifest, frozen=True, kw_only=True):
    """A reviewed, expiring exception of one check for one artifact."""

    model: Name
    check: Name
    artifact: Annotated[
        Sha256, Meta(description="The artifact's sha256, 64 hexadecimal digits; other bytes are not waived.")
    ]
    reason: Text
    requested_by: Text
    approved_by: (
        Annotated[
            Text, Meta(description="Not who requested it. Left out on a forge, where the review of this file says who.")
        ]
        | None
    ) = None
    expires: Annotated[Date, Meta(description="The last day on which it holds, such as 2026-05-31.")]
