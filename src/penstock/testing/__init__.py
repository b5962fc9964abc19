"""For tests of penstock and of campaigns: campaigns in a folder, a clock set by hand, sites that are only pretended."""

from penstock.pretended.clock import ManualClock
from penstock.pretended.cluster import PretendCluster
from penstock.pretended.eventfile import EventFile, LineFault
from penstock.pretended.faults import ConductorKilled, Fault
from penstock.pretended.outcomes import Outcome, Rule, Run, all_well, failing
from penstock.pretended.runner import PretendRunner
from penstock.pretended.site import PretendSite
from penstock.testing.campaigns import MadeCampaign, make_campaign

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
