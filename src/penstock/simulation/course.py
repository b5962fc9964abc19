"""How a campaign went, if only pretended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """How a campaign went, if only pretended. Times are seconds, `ends_s` by stage and since the beginning."""

    finish_s: float
    core_s: float
    jobs: int
    elements: int
    attempts: Mapping[str, int]
    states: Mapping[str, int]
    ends_s: Mapping[str, float]
