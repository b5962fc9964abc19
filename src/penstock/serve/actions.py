"""What people ask for in a browser: requests with their names, made as the commands make them."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.display import visible
from penstock.errors import DefinitionError
from penstock.explain import find_units
from penstock.ledger.units import ROOT
from penstock.record.asking import Question, ask, whoami
from penstock.serve.campaigns import Shown

ACTIONS = ("retry", "veto", "cancel", "close")
FIELDS = ("csrf", "by", "unit", "stage", "why")
LONGEST = {"by": 80, "why": 400, "unit": 1000, "stage": 200}


def ask_for(shown: Shown, action: str, form: Mapping[str, str]) -> str:
    """Make a request, and return the answer.

    Raises DefinitionError without a name, a unit or a stage, or if there is no such one: nothing is looked up in sources,
    which would run the definition.
    """
    for name, most in LONGEST.items():
        if len(form.get(name, "")) > most:
            raise DefinitionError(f"{name} is too long: {most} letters at most")
    by, unit, stage = form.get("by", "").strip(), form.get("unit", ""), form.get("stage", "")
    if not by:
        raise DefinitionError("say who you are: others will ask")
    if not (unit.strip() or stage.strip()):
        raise DefinitionError("name a unit or a stage")
    why = form.get("why", "").strip() or None
    with shown.reading() as ledger:
        if unit and find_units(ledger, unit) == [ROOT]:
            unit = "/"
        question = Question(action, (unit,) if unit else (), stage or None, why=why)
        return "; ".join(ask(ledger, question, by=visible(f"{by}, by {whoami()}")))
