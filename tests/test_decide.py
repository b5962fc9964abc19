"""Every state's reason, every failure's answer, and where retries end."""

import pytest

from penstock.campaign import Allowance, Rule
from penstock.decide import (
    FREE,
    RETRIES,
    RETRIES_LOCAL,
    STATES,
    Failure,
    Seen,
    Upstream,
    after_failure,
    before_run,
    fuse,
    readiness,
)
from penstock.units import Expression


def merge(**states: int) -> Upstream:
    return Upstream("dl1", states, group=True)


def one(*states: str, **more: bool | str) -> Upstream:
    return Upstream("calib", dict.fromkeys(states, 1), **more)


# --- readiness ------------------------------------------------------------------------------------


def test_a_task_without_upstreams_is_ready() -> None:
    assert readiness([]).state == "ready"


@pytest.mark.parametrize("state", ["waiting", "ready", "queued", "running"])
def test_a_merge_waits_for_a_member_that_may_still_be_done(state: str) -> None:
    verdict = readiness([merge(done=2, **{state: 1})])
    assert (verdict.state, verdict.why) == ("waiting", "1 of 3 members of 'dl1' not done yet")


@pytest.mark.parametrize("state", ["failed", "blocked"])
def test_a_member_that_cannot_be_done_blocks_its_merge_at_once(state: str) -> None:
    verdict = readiness([merge(done=1, running=1, **{state: 1})])
    assert (verdict.state, verdict.why) == ("blocked", f"1 of 3 members of 'dl1' {state}")


def test_with_members_done_a_merge_waits_until_all_are_final_and_then_goes_without_the_failed() -> None:
    assert readiness([merge(done=1, failed=1, running=1)], members="done").state == "waiting"
    assert readiness([merge(done=1, failed=1, blocked=1)], members="done").state == "ready"


def test_vetoed_and_gone_members_are_left_out() -> None:
    assert readiness([merge(done=1, vetoed=3, gone=2)]).state == "ready"


@pytest.mark.parametrize(
    ("states", "why"),
    [({}, "no members in 'dl1'"), ({"vetoed": 2, "gone": 1}, "no member of 'dl1' is done")],
)
def test_a_merge_of_nothing_is_blocked_unless_it_may_run_empty(states: dict[str, int], why: str) -> None:
    verdict = readiness([merge(**states)])
    assert (verdict.state, verdict.why) == ("blocked", why)
    assert readiness([merge(**states)], empty="run").state == "ready"


def test_an_open_group_waits_and_says_why() -> None:
    verdict = readiness([merge(done=3)], opening="a file is not at rest")
    assert (verdict.state, verdict.why) == ("waiting", "group open, because a file is not at rest")


def test_an_open_group_without_members_waits_for_them() -> None:
    assert readiness([merge()], opening="it is early").state == "waiting"


def test_an_open_group_with_a_failed_member_is_blocked_since_more_members_cannot_mend_it() -> None:
    assert readiness([merge(failed=1)], opening="it is early").state == "blocked"


def test_an_open_group_whose_members_all_failed_waits_when_it_may_go_without_them() -> None:
    assert readiness([merge(failed=2)], opening="it is early", members="done").state == "waiting"


@pytest.mark.parametrize("state", ["failed", "blocked", "vetoed", "gone"])
def test_the_one_upstream_blocks_in_any_state_from_which_it_does_not_become_done(state: str) -> None:
    verdict = readiness([one(state)])
    assert verdict.state == "blocked"
    assert state in (verdict.why or "")


@pytest.mark.parametrize("members", ["all", "done"])
def test_members_done_does_not_excuse_the_one_upstream(members: str) -> None:
    assert readiness([one("failed")], members=members).state == "blocked"


def test_an_upstream_that_its_where_leaves_out_blocks_unless_it_is_optional() -> None:
    verdict = readiness([one()])
    assert (verdict.state, verdict.why) == (
        "blocked",
        "'calib' has no task here (its `where` excludes it)",
    )
    assert readiness([one(optional=True)]).state == "ready"
    assert readiness([one(missing="nobody has the key n7")]).why == "nobody has the key n7"


def test_an_optional_upstream_that_is_there_is_waited_for() -> None:
    assert readiness([one("running", optional=True)]).state == "waiting"
    assert readiness([one("failed", optional=True)]).state == "blocked"


@pytest.mark.parametrize("state", ["done", "vetoed", "gone"])
def test_a_stage_that_adds_members_holds_its_group_open_until_it_is_final(state: str) -> None:
    finder = Upstream("find", {"running": 1, "done": 5}, expander=True)
    verdict = readiness([merge(done=5), finder])
    assert (verdict.state, verdict.why) == ("waiting", "group open, because 'find' may still add members")
    assert readiness([merge(done=5), Upstream("find", {state: 1}, expander=True)]).state == "ready"


def test_a_stage_that_failed_to_add_members_blocks_the_merge_unless_it_goes_with_what_is_done() -> None:
    finder = Upstream("find", {"failed": 1, "running": 1}, group=True, expander=True)
    assert readiness([merge(done=5), finder]).state == "blocked"
    assert readiness([merge(done=5), finder], members="done").state == "waiting"


def test_what_blocks_for_good_is_said_before_what_is_only_waited_for() -> None:
    assert readiness([merge(running=1), one("vetoed")]).why == "'calib' is vetoed"


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", sorted(FREE))
@pytest.mark.parametrize("policy", [RETRIES, RETRIES_LOCAL])
def test_what_is_nobodys_fault_is_free_five_times_and_no_more(outcome: str, policy: dict) -> None:
    free, tries = 0, 2
    for number in range(1, 6):
        after = after_failure(Failure(outcome, tries=tries, free=free), policy)
        assert (after.state, after.tries, after.free, after.delay_s) == ("ready", tries, number, 0)
        free = after.free
    assert after_failure(Failure(outcome, "the node died", free=free), policy).state == "failed"


@pytest.mark.parametrize("outcome", ["error", "missing_product"])
def test_an_error_on_a_cluster_is_tried_three_times_more_after_1_5_and_25_minutes(outcome: str) -> None:
    delays = [after_failure(Failure(outcome, tries=n), RETRIES).delay_s for n in range(3)]
    assert delays == [60, 300, 1500]
    last = after_failure(Failure(outcome, "exit code 1", tries=3), RETRIES)
    assert (last.state, last.why) == ("failed", f"{outcome} after 4 tries: exit code 1")


def test_an_error_on_this_machine_is_tried_once_more_at_once() -> None:
    again = after_failure(Failure("error"), RETRIES_LOCAL)
    assert (again.state, again.delay_s, again.why) == ("ready", 0, "retried (try 2 of 2)")
    assert after_failure(Failure("error", tries=1), RETRIES_LOCAL).state == "failed"


def test_too_little_time_is_doubled_twice() -> None:
    after = after_failure(Failure("timeout"), RETRIES)
    assert (after.state, after.time_scale, after.memory_scale, after.alone) == ("ready", 2.0, 1.0, False)
    assert after_failure(Failure("timeout", tries=1), RETRIES).state == "ready"
    assert after_failure(Failure("timeout", tries=2), RETRIES).state == "failed"


def test_too_little_memory_is_doubled_twice_and_tried_alone() -> None:
    after = after_failure(Failure("out_of_memory"), RETRIES)
    assert (after.state, after.memory_scale, after.time_scale, after.alone) == ("ready", 2.0, 1.0, True)
    assert after_failure(Failure("out_of_memory", tries=2), RETRIES).state == "failed"


@pytest.mark.parametrize("outcome", ["timeout", "out_of_memory"])
def test_what_is_at_the_limit_of_the_site_does_not_grow(outcome: str) -> None:
    after = after_failure(Failure(outcome, may_grow=False), RETRIES)
    assert (after.time_scale, after.memory_scale) == (1.0, 1.0)


def test_what_a_person_cancelled_is_not_tried_again() -> None:
    assert after_failure(Failure("cancelled"), RETRIES).state == "failed"


def test_what_was_in_flight_when_its_batch_died_is_tried_alone() -> None:
    after = after_failure(Failure("lost", suspect=True), RETRIES)
    assert (after.state, after.alone, after.tries) == ("ready", True, 0)
    assert after_failure(Failure("error", suspect=True), RETRIES).alone


def test_a_rule_can_call_an_error_permanent() -> None:
    after = after_failure(Failure("error", "the file is truncated", verdict="permanent"), RETRIES)
    assert (after.state, after.why) == ("failed", "not retried: the file is truncated")


def test_a_rule_can_call_an_error_transient_and_then_it_is_free() -> None:
    after = after_failure(Failure("error", verdict="transient"), RETRIES)
    assert (after.state, after.tries, after.free) == ("ready", 0, 1)


def test_a_stage_can_veto_its_unit() -> None:
    after = after_failure(Failure("error", "all zeros", verdict="veto"), RETRIES)
    assert (after.state, after.why) == ("vetoed", "all zeros")


def test_a_stage_can_have_its_own_delays_of_which_the_last_repeats() -> None:
    policy = {"error": Allowance(4, (1.0, 2.0))}
    assert [after_failure(Failure("error", tries=n), policy).delay_s for n in range(4)] == [1, 2, 2, 2]


@pytest.mark.parametrize("outcome", sorted(RETRIES))
def test_every_decision_has_a_reason_and_a_known_state(outcome: str) -> None:
    for tries in range(7):
        after = after_failure(Failure(outcome, "why it failed", tries=tries, free=tries), RETRIES)
        assert after.why
        assert after.state in STATES


# --- rules ----------------------------------------------------------------------------------------

FIRST = Rule("permanent", where=Expression.parse("run == 4"), name="1")
SECOND = Rule("veto", where=Expression.parse("run < 9"), name="2")
AT_END = Rule("veto", exit=3, name="3")


@pytest.mark.parametrize(("run", "rule"), [(3, SECOND), (4, None), (9, None)])
def test_the_first_rule_that_fields_fulfil_keeps_a_unit_from_being_run(run: int, rule: Rule | None) -> None:
    assert before_run([AT_END, FIRST, SECOND], {"run": run}) is rule


def test_a_rule_does_not_hold_while_a_field_is_unknown() -> None:
    assert before_run([SECOND], {"night": "2020-01-17"}) is None


# --- the fuse -------------------------------------------------------------------------------------

BAD = Seen("error", 127)


def test_five_failures_alike_blow_the_fuse_and_four_do_not() -> None:
    assert fuse([BAD] * 4) is None
    assert (
        fuse([BAD] * 5)
        == "5 of its first 5 attempts failed the same way (error with exit code 127) and none succeeded"
    )


@pytest.mark.parametrize(("outcome", "key"), [("out_of_memory", "memory"), ("timeout", "walltime")])
def test_the_fuse_names_what_a_stage_lacks(outcome, key):
    why = fuse([Seen(outcome)] * 5)
    assert why is not None
    assert f"`resources.{key}`" in why


@pytest.mark.parametrize("where", [0, 3, 5])
def test_one_success_keeps_the_fuse(where: int) -> None:
    seen = [BAD] * 5
    seen.insert(where, Seen("ok", 0))
    assert fuse(seen) is None


def test_twenty_of_a_hundred_alike_blow_it_too() -> None:
    others = [Seen("error", code) for code in range(1, 40)]
    mixed = [*others[:5], *[BAD] * 19, *others[5:]]
    assert fuse(mixed) is None
    assert "20 of its first" in (fuse([*mixed, BAD]) or "")


def test_only_the_first_hundred_count() -> None:
    others = [Seen("error", code) for code in range(100)]
    assert fuse([*others, *[Seen("timeout")] * 20]) is None


@pytest.mark.parametrize("outcome", sorted(FREE))
def test_lost_nodes_do_not_blow_the_fuse(outcome: str) -> None:
    assert fuse([Seen(outcome)] * 50) is None


def test_vetoes_of_a_stage_do_not_blow_the_fuse() -> None:
    assert fuse([Seen("error", 1, "veto")] * 50) is None


def test_nothing_seen_is_no_reason_to_pause() -> None:
    assert fuse([]) is None
