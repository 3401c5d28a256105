"""Which version answers a caller: the same caller the same version, as long as a rollout lasts."""

from __future__ import annotations

from hashlib import blake2b

from modelyard.rollout.plan import Traffic

_WHOLE = float(1 << 64)


def goes_to_candidate(traffic: Traffic, entity: str) -> bool:
    """Whether an entity is among the callers that the candidate answers. Who is in at 5 % stays in at 25 %."""
    if traffic.weight <= 0:
        return False
    if traffic.weight >= 100:
        return True
    digest = blake2b(f"{traffic.salt}\0{entity}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _WHOLE * 100 < traffic.weight
