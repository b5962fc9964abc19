"""A job goes to the first partition that is large enough for it."""

import pytest

from penstock.campaign import Partition, Site
from penstock.errors import SubmitRejected
from penstock.schedulers.model import Request
from penstock.site.partitions import largest_bytes, longest_s, placed

GIB, HOUR = 2**30, 3600.0
SITE = Site(
    "hpc",
    partitions=(
        Partition("short", HOUR, 64 * GIB),
        Partition("long", 48 * HOUR, 64 * GIB),
        Partition("large", 24 * HOUR, None),
        Partition("gpu", 12 * HOUR, 128 * GIB, gpus=4),
    ),
)


@pytest.mark.parametrize(
    ("asked", "queue"),
    [
        ({"walltime_s": HOUR}, "short"),
        ({"walltime_s": HOUR + 1}, "long"),
        ({"memory_bytes": 65 * GIB}, "large"),
        ({}, "short"),
        ({"gpus": 1, "walltime_s": 60.0}, "gpu"),
        ({"gpus": 4}, "gpu"),
    ],
)
def test_the_first_that_is_large_enough_is_taken(asked, queue):
    assert placed(Request("pabc", 1, **asked), SITE).queue == queue


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"walltime_s": 72 * HOUR}, "3 d"),
        ({"walltime_s": 30 * HOUR, "memory_bytes": 65 * GIB}, "GB"),
        ({"gpus": 5}, "5 GPUs"),
    ],
)
def test_what_none_takes_is_refused_with_its_size_and_the_partitions_that_there_are(asked, said):
    with pytest.raises(SubmitRejected, match="no partition of site 'hpc' takes a job of") as error:
        placed(Request("pabc", 1, **asked), SITE)
    assert said in str(error.value)
    assert "short, long, large, gpu" in str(error.value)


def test_without_a_choice_nothing_is_chosen():
    assert placed(Request("pabc", 1, walltime_s=1e9), Site("hpc", queue="q")).queue is None


def test_the_longest_and_the_largest_job_are_those_of_the_partitions_that_fit():
    assert longest_s(SITE) == 48 * HOUR
    assert longest_s(SITE, gpus=1) == 12 * HOUR
    assert largest_bytes(SITE) is None
    assert largest_bytes(SITE, gpus=2) == 128 * GIB
    assert longest_s(Site("hpc", max_walltime_s=HOUR, partitions=SITE.partitions)) == HOUR
    assert longest_s(Site("hpc")) is None
