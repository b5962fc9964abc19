"""The loop: discover, collect, decide, submit. What it knows is in the ledger; a new one goes on where the last one ended."""

from penstock.conductor.loop import Conductor, Ending, Turn

__all__ = ["Conductor", "Ending", "Turn"]
