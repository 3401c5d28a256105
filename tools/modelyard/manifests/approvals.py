"""``policies/approvals.yaml`` and ``waivers/*.yaml``: required approvals, and reviewed exceptions to checks."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from modelyard.manifests.names import Date, Manifest, Name, SchemaManifest, Sha256, Text

APPROVALS = "policies/approvals.yaml"

# --- policies/approvals.yaml ----------------------------------------------------------------------------------------


class ApprovalRule(Manifest, frozen=True, kw_only=True):
    """The approvals that a change of certain files needs."""

    id: Name
    paths: Annotated[
        list[Text], Meta(min_length=1, description="Path patterns such as deployments/production/*; * also matches /.")
    ]
    role: Annotated[Text, Meta(description="writers, owners, or a role that is declared under roles.")] = "writers"
    count: Annotated[int, Meta(ge=1, le=20, description="Number of approvals that are needed.")] = 1
    why: Text


class Approvals(SchemaManifest, frozen=True, kw_only=True):
    """``policies/approvals.yaml`` of the base branch: which approvals a change needs. The author never counts."""

    roles: Annotated[
        dict[Name, list[Text]], Meta(description="Role → handles (@grace), teams (@acme/risk), e-mail addresses.")
    ] = field(default_factory=dict)
    rules: Annotated[list[ApprovalRule], Meta(min_length=1)]


# --- waivers/*.yaml -----------------------------------------------------------------------------------------------


class Waiver(SchemaManifest, frozen=True, kw_only=True):
    """A reviewed exception to one check, for one artifact, with a last day."""

    model: Name
    check: Name
    artifact: Annotated[
        Sha256, Meta(description="The artifact's sha256, 64 hexadecimal digits. The waiver covers no other bytes.")
    ]
    reason: Text
    requested_by: Text
    approved_by: (
        Annotated[
            Text,
            Meta(
                description="Who approved it, not the requester. Leave it out on a forge: the review is recorded there."
            ),
        ]
        | None
    ) = None
    expires: Annotated[Date, Meta(description="The last day on which the waiver is valid, such as 2026-05-31.")]
