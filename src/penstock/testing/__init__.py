"""Fakes for tests of penstock and of campaigns: a clock, a site without processes, campaigns in a folder."""

from penstock.testing.campaigns import MadeCampaign, make_campaign
from penstock.testing.clock import ManualClock
from penstock.testing.cluster import PretendCluster
from penstock.testing.eventfile import EventFile, LineFault
from penstock.testing.faults import ConductorKilled, Fault
from penstock.testing.outcomes import Outcome, Rule, Run, all_well, failing
from penstock.testing.runner import PretendRunner
from penstock.testing.site import PretendSite

__all__ = [
    "ConductorKilled",
    "EventFile",
    "Fault",
    "LineFault",
    "MadeCampaign",
    "ManualClock",
    "Outcome",
    "PretendCluster",
    "PretendRunner",
    "PretendSite",
    "Rule",
    "Run",
    "all_well",
    "failing",
    "make_campaign",
]
