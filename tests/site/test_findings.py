"""What the elements of a trial told is read by this machine's clock, and each fault comes with its remedy."""

import pytest

from penstock.campaign import Site
from penstock.site.findings import MEDDLERS, element_of, faults_of

TOLD = {"node": "n1.lab", "python": "3.6.8", "began": 1030.0, "wrote": 1031.0, "environment": ["PATH"]}


def test_clocks_that_differ_are_taken_into_account():
    one = element_of(TOLD, wrote_at=1011.0, submitted_at=1000.0, seen_at=1014.0)
    assert (one.node, one.skew_s, one.queued_s, one.delay_s) == ("n1", 20.0, 10.0, 3.0)


@pytest.mark.parametrize(
    ("told", "seen_at", "fault"),
    [
        ({"python": "2.7.18"}, 1031.0, "n1 has Python 2.7.18, and 3.6 is needed: name a newer one as the site's `python`"),
        ({"wrote": 1131.0}, 1031.0, "the clock of n1 is 100 s ahead"),
        ({}, 1131.0, 'was seen here after 100 s: set the site\'s `visibility` to "200s"'),
        ({"environment": ["PYTHONPATH"]}, 1031.0, 'add "unset PYTHONPATH" to the site\'s `setup`'),
    ],
)  # fmt: skip
def test_each_fault_comes_with_its_remedy(told, seen_at, fault):
    one = element_of({**TOLD, **told}, wrote_at=1031.0, submitted_at=1000.0, seen_at=seen_at)
    (said,) = faults_of(one, Site("there"))
    assert fault in said


def test_what_a_set_up_sets_is_meant():
    site = Site("there", setup=("module load python",))
    one = element_of(
        {**TOLD, "environment": sorted(MEDDLERS)}, wrote_at=1031.0, submitted_at=1000.0, seen_at=1031.0
    )
    assert faults_of(one, site) == []
