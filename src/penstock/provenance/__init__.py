"""Where files come from: a pure view of the record, as W3C PROV.

Nothing is traced while tasks run and nothing is written to the record, so documents can be deleted and made again, byte
for byte, as long as the record stays as it is.

*reading* takes facts from the record, *scope* says what is behind a task and what was made from it, *graph* makes a
`Trace` of a unit or group, and a module for each format writes it: *provjson*, *provn*. *origin* and *descent* answer
for one file.
"""

from penstock.provenance.graph import Wanted, trace
from penstock.provenance.model import Activity, Agent, Entity, Link, Trace

__all__ = ["Activity", "Agent", "Entity", "Link", "Trace", "Wanted", "trace"]
