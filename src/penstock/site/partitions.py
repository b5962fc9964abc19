"""Which of a site's partitions a job goes to, by its size. Pure."""

from __future__ import annotations

from dataclasses import replace

from penstock.campaign import Partition, Site
from penstock.display import show_bytes, show_duration
from penstock.errors import SubmitRejected
from penstock.schedulers.model import Request


def placed(request: Request, site: Site) -> Request:
    """Return a request with the first partition that is large enough for it, where the site has a choice of them.

    Raises SubmitRejected when none is.
    """
    if not site.partitions:
        return request
    fitting = next((partition for partition in site.partitions if takes(partition, request)), None)
    if fitting is None:
        names = ", ".join(partition.name for partition in site.partitions)
        raise SubmitRejected(
            f"no partition of site '{site.name}' takes a job of {describe(request)} (there are {names}): ask for less"
            " in the stage, or correct `partitions`"
        )
    return replace(request, queue=fitting.name)


def takes(partition: Partition, request: Request) -> bool:
    """Whether a partition is large enough; one with GPUs is for jobs that request some."""
    return (
        fits(request.walltime_s, partition.max_walltime_s)
        and fits(request.memory_bytes, partition.max_memory_bytes)
        and request.gpus <= partition.gpus
        and bool(request.gpus) == bool(partition.gpus)
    )


def fits(amount: float | None, most: float | None) -> bool:
    """Whether an amount is within a limit; without an amount the partition's own default holds."""
    return most is None or amount is None or amount <= most


def longest_s(site: Site, *, gpus: int = 0) -> float | None:
    """Return the most seconds that a job with so many GPUs on a node may take; None: unknown."""
    limits = [p.max_walltime_s for p in site.partitions if p.gpus >= gpus and bool(p.gpus) == bool(gpus)]
    longest = None if not limits or None in limits else max(filter(None, limits))
    return min(filter(None, (longest, site.max_walltime_s)), default=None)


def largest_bytes(site: Site, *, gpus: int = 0) -> int | None:
    """Return the most memory that a job with so many GPUs on a node may request; None: unknown."""
    limits = [p.max_memory_bytes for p in site.partitions if p.gpus >= gpus and bool(p.gpus) == bool(gpus)]
    largest = None if not limits or None in limits else max(filter(None, limits))
    return min(filter(None, (largest, site.max_memory_bytes)), default=None)


def describe(request: Request) -> str:
    """Describe the size of a job."""
    parts = [
        show_duration(request.walltime_s) if request.walltime_s else "",
        show_bytes(request.memory_bytes) if request.memory_bytes else "",
        f"{request.gpus} GPUs" if request.gpus else "",
    ]
    return ", ".join(filter(None, parts)) or f"{request.cores} cores"
