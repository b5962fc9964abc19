"""The loop. What it knows is in the ledger; a new one goes on where the last one ended."""

from penstock.conductor.loop import Conductor, Ending
from penstock.conductor.steps import Turn

__all__ = ["Conductor", "Ending", "Turn"]
