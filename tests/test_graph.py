"""How stages hang together over levels."""

from pathlib import Path

import pytest

from penstock.campaign import After, Campaign, Stage
from penstock.errors import DefinitionError
from penstock.graph import Graph, build
from penstock.units import Template


def graph_of(*stages: Stage) -> Graph:
    campaign = Campaign("winter", Path("/c"), ("night", "run", "subrun"), (), stages, {})
    return build(campaign, {stage.name: number for number, stage in enumerate(stages, 1)})


def stage(name: str, level: int, *after: str, expands: int | None = None) -> Stage:
    return Stage(name, level, after=tuple(After(one) for one in after), expands=expands)


def edges(graph: Graph, stage: str) -> set[tuple[str, str, bool]]:
    return {(edge.up, edge.kind, edge.expander) for edge in graph.upstreams[stage]}


def test_an_edge_knows_where_its_upstream_stands() -> None:
    graph = graph_of(
        stage("calib", 1), stage("dl1", 3, "calib"), stage("dl2", 3, "dl1"), stage("merge", 2, "dl2")
    )
    assert edges(graph, "dl1") == {("calib", "coarser", False)}
    assert edges(graph, "dl2") == {("dl1", "same", False)}
    assert edges(graph, "merge") == {("dl2", "finer", False)}
    assert [edge.down for edge in graph.downstreams["dl1"]] == ["dl2"]


def test_an_upstream_that_fields_name_is_keyed_at_whatever_level() -> None:
    keyed = Stage("dl1", 3, after=(After("calib", key=(Template.parse("{calib_night}"),)),))
    assert edges(graph_of(stage("calib", 1), keyed), "dl1") == {("calib", "keyed", False)}


def test_only_what_is_coarser_than_an_upstream_is_a_group() -> None:
    graph = graph_of(stage("calib", 1), stage("dl1", 3, "calib"), stage("merge", 1, "dl1", "calib"))
    assert [name for name in graph.stages if graph.is_group(name)] == ["merge"]


def test_states_are_counted_where_a_merge_needs_them_and_for_the_campaign() -> None:
    graph = graph_of(
        stage("dl1", 3), stage("run", 2, "dl1"), stage("night", 1, "dl1", "run"), stage("all", 0, "dl1")
    )
    assert graph.counted["dl1"] == (0, 1, 2)
    assert graph.counted["run"] == (0, 1)
    assert graph.counted["all"] == (0,)


def test_a_merge_waits_for_all_stages_that_may_add_to_it_though_it_does_not_name_them() -> None:
    graph = graph_of(
        stage("split", 1, expands=2), stage("cut", 2, expands=3), stage("dl1", 3), stage("merge", 1, "dl1")
    )
    assert edges(graph, "merge") == {
        ("dl1", "finer", False),
        ("split", "same", True),
        ("cut", "finer", True),
    }


def test_a_stage_at_the_level_that_is_expanded_does_not_wait_for_it() -> None:
    graph = graph_of(stage("split", 1, expands=2), stage("make", 2), stage("next", 2, "make"))
    assert edges(graph, "next") == {("make", "same", False)}


def test_what_is_judged_in_one_pass_comes_after_what_may_add_to_it() -> None:
    graph = graph_of(stage("make", 2), stage("merge", 1, "make"), stage("split", 1, expands=2))
    order = list(graph.stages)
    assert order.index("split") < order.index("merge")
    assert order.index("make") < order.index("merge")


def test_a_merge_that_its_own_members_wait_for_is_an_error() -> None:
    with pytest.raises(DefinitionError, match="merge, split wait for each other"):
        graph_of(stage("make", 2), stage("merge", 1, "make"), stage("split", 1, "merge", expands=2))


def test_a_stage_is_found_by_its_number_in_the_ledger() -> None:
    graph = graph_of(stage("calib", 1), stage("dl1", 3, "calib"))
    assert graph.name(2) == "dl1"
    assert graph.names == {1: "calib", 2: "dl1"}
