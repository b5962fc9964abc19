"""What follows when the input of what is done changes, vanishes or comes back: a stage's own word, or that of `[units]`."""

from __future__ import annotations

from typing import TypedDict

from penstock.campaign import Policy
from penstock.config.models import Definition


class Policies(TypedDict):
    """The keys of a stage that say it."""

    changed: Policy
    vanished: Policy
    returned: Policy


def policies(name: str, definition: Definition) -> Policies:
    """Return them for a stage; what comes back as another one has changed unless something else is said."""
    table, units = definition.stage[name], definition.units
    changed = table.changed or units.changed
    return {
        "changed": changed,
        "vanished": table.vanished or units.vanished,
        "returned": table.returned or units.returned or changed,
    }
