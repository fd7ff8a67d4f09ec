"""The settings of an account whose vendor has export jobs."""

from __future__ import annotations

from dataclasses import dataclass

from tap_emaillogs.streams.settings import Settings, option


@dataclass(frozen=True, kw_only=True)
class JobSettings(Settings):
    """How long exports are waited for, and how often they are asked for."""

    poll_seconds: float = option(
        10, "Seconds until the first look whether an export is ready; later ones are further apart.", positive=True
    )
    export_timeout_minutes: float = option(
        30, "How long a run waits for an export; after that a later run takes it up."
    )
    export_interval_minutes: float = option(
        60, "A run that comes sooner after the last export leaves the exports for a later one."
    )
    export_megabytes: int = option(
        4096, "The largest file of an export that is downloaded; it goes to disk, not into memory.", positive=True
    )
