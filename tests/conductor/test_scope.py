"""A run of a part costs what the part costs, however large the campaign is."""

import pytest

from penstock.conductor.scope import Only

STAGES = """
[stage.a]
each = "unit"
command = ["cp", "units.csv", "{product}"]
products = "a/{unit}"
[stage.b]
each = "unit"
after = ["a"]
command = ["cp", "{inputs.a}", "{product}"]
products = "b/{unit}"
"""


def find(*keys):
    marks = ", ".join(f"'[\"{key}\"]'" for key in keys)
    return lambda ledger: [row[0] for row in ledger.db.execute(f"SELECT id FROM unit WHERE key IN ({marks})")]


@pytest.mark.parametrize(
    ("only", "states"),
    [
        (Only("b", find("u2", "u7")), {"a": {"done": 2, "ready": 6}, "b": {"done": 2, "waiting": 6}}),
        (Only("a"), {"a": {"done": 8}, "b": {"ready": 8}}),
        (Only("b"), {"a": {"done": 8}, "b": {"done": 8}}),
        (Only("a", find("u1")), {"a": {"done": 1, "ready": 7}, "b": {"ready": 1, "waiting": 7}}),
    ],
)
def test_only_what_was_asked_for_and_what_it_needs_is_given_out(lab, only, states):
    lab.define(STAGES, units=8)
    with lab.conductor() as conductor:
        assert conductor.run(only=only).code == 0
    assert {stage: lab.states(stage) for stage in "ab"} == states


def test_a_paused_stage_that_is_no_part_of_it_does_not_fail_it(lab):
    lab.define(STAGES.replace('"cp", "{inputs.a}"', '"false", "{inputs.a}"'), units=8)
    assert lab.run().code == 1
    with lab.conductor() as conductor:
        assert conductor.run(only=Only("a")).code == 0
        assert conductor.run(only=Only("b")).code == 1


def test_the_scope_counts_a_table_of_what_is_wanted_in_sql(lab):
    lab.define(STAGES, units=8)
    with lab.conductor() as conductor:
        conductor.discover()
        scope, graph = conductor.crew.context.scope, conductor.graph
        scope.limit(Only("b", find("u3")))
        scope.refresh(conductor.ledger, graph)
        assert scope.count(conductor.ledger, graph) == {"ready": 1, "waiting": 1}
        assert scope.is_open(conductor.ledger, graph)
        scope.limit(Only("b", find("none")))
        scope.refresh(conductor.ledger, graph)
        assert not scope.is_open(conductor.ledger, graph)
