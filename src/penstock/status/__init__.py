"""The status of a campaign: one object, read from a few rows, shown as text, as a table or as JSON."""

from penstock.status.model import (
    COLOURS,
    STATES,
    JobStatus,
    Problem,
    StageStatus,
    Status,
    show_progress,
)

__all__ = ["COLOURS", "STATES", "JobStatus", "Problem", "StageStatus", "Status", "show_progress"]
