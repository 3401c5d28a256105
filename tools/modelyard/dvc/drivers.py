"""The drivers of DVC's remotes."""

from __future__ import annotations

_DRIVERS = {"s3": "s3", "gs": "gs", "gcs": "gs", "azure": "azure", "abfs": "azure", "ssh": "ssh", "sftp": "ssh"}
"""The scheme of a remote's URL → the extra with its driver."""


def driver_extra(url: str) -> str | None:
    """The extra with the driver of a remote's URL; None where DVC needs no driver of its own."""
    return _DRIVERS.get(url.partition("://")[0]) if "://" in url else None
