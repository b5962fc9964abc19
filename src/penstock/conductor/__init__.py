"""The loop. All that it knows is in the ledger; a new one continues where the last one stopped."""

from penstock.conductor.loop import Conductor, Ending
from penstock.conductor.steps import Turn

__all__ = ["Conductor", "Ending", "Turn"]
