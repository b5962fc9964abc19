import pytest

from penstock.explain import explain


@pytest.fixture
def chain(record):
    """Runs are calibrated, then a night is merged, then a run is published after its night."""
    record.stage("calibrate", 2)
    record.stage("merge", 1, after=[{"stage": "calibrate"}])
    record.stage("publish", 2, after=[{"stage": "merge"}, {"stage": "calibrate"}])
    return record


def only(record, unit, stage=None, now=2000.0):
    (explanation,) = explain(record.ledger, unit, stage, now=now)
    return explanation


def test_each_task_of_a_unit_is_explained_in_the_order_of_the_definition(chain):
    unit = chain.unit("n", 1)
    chain.task(3, unit, "waiting")
    chain.task(1, unit, "ready")
    assert [e.stage for e in explain(chain.ledger, unit)] == ["calibrate", "publish"]
    assert only(chain, unit, "publish").state == "waiting"


def test_the_recorded_reason_comes_first(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "vetoed", why="vetoed by ann: clouds")
    told = only(chain, unit)
    assert told.why == "vetoed by ann: clouds"


def test_a_veto_is_lifted_where_it_was_said(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "vetoed", why="vetoed by ann: clouds")
    chain.insert("veto", unit=2, stage=None, by="ann", why="clouds", at=1)
    assert only(chain, unit).remedy == "penstock unveto n lets it run"
    chain.insert("veto", unit=unit, stage=1, by="ann", why="clouds", at=2)
    chain.insert("veto", unit=unit, stage=2, by="ann", why="another stage", at=3)
    assert only(chain, unit).remedy == "penstock unveto --stage calibrate n/00001 lets it run"


def test_a_failed_task_tells_its_attempts_and_what_was_decided(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "failed", why="error after 2 tries: exit code 3")
    chain.attempt(1, unit, "error", why="exit code 3", next="retried (try 2 of 2)", wall_s=12.0, host="node7")
    chain.attempt(1, unit, "error", why="exit code 3", next="failed")
    told = only(chain, unit)
    assert [t.number for t in told.tries] == [1, 2]
    assert "1. error after 12 s on node7, 00:16:40: exit code 3 → retried (try 2 of 2)" in told.to_text()
    assert "penstock log --stage calibrate n/00001" in told.remedy


def test_a_late_attempt_is_marked(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "done")
    chain.attempt(1, unit, "ok", late=1, next="ignored")
    assert "late, ignored" in only(chain, unit).to_text()


def test_a_blocked_task_names_the_upstream_that_failed_and_why(chain):
    runs = [chain.unit("n", number) for number in range(3)]
    for run, state in zip(runs, ("done", "failed", "ready"), strict=True):
        chain.task(1, run, state, why="exit code 3" if state == "failed" else None)
    night = 2
    chain.task(2, night, "blocked", why="1 of 3 members of 'calibrate' failed")
    chain.task(3, runs[0], "blocked", why="'merge' is blocked")
    text = only(chain, runs[0], "publish").to_text()
    assert "needs merge n: blocked, 1 of 3 members of 'calibrate' failed" in text
    assert "needs its members in calibrate: 1 done, 1 failed, 1 ready" in text
    assert "needs calibrate n/00001: failed, exit code 3" in text


def test_an_upstream_that_is_done_is_not_told(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "done")
    chain.task(2, 2, "running")
    chain.task(3, unit, "waiting")
    text = only(chain, unit, "publish").to_text()
    assert "needs merge n: running" in text
    assert "needs calibrate" not in text


def test_an_upstream_without_a_task_is_told(chain):
    unit = chain.unit("n", 1)
    chain.task(3, unit, "blocked")
    assert "needs merge: it has no task here" in only(chain, unit).to_text()


def test_an_upstream_that_fields_name_is_followed(record):
    record.stage("dark", 1)
    record.stage("calibrate", 2, after=[{"stage": "dark", "key": ["{dark_night}"]}])
    unit, _ = record.unit("n1", 1), record.unit("n0", 1)
    record.insert("link", stage=2, unit=unit, upstream=1, key='["n0"]')
    record.task(2, unit, "waiting")
    record.task(1, 4, "failed", why="no dark")
    assert "needs dark n0: failed, no dark" in only(record, unit).to_text()


def test_ready_says_when_it_is_tried_again(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "ready", why="retried (try 2 of 4)", due=2090.0)
    told = only(chain, unit)
    assert told.why == "retried (try 2 of 4), in 90 s"
    assert "at once: penstock retry --stage calibrate n/00001" in told.remedy


def test_what_was_cancelled_before_it_ran_has_no_output_to_look_at(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "failed", why="cancelled by ada")
    assert only(chain, unit).remedy == "penstock retry --stage calibrate n/00001"


def test_ready_in_a_paused_stage_says_what_resumes_it(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "ready")
    chain.db.execute(
        "UPDATE stage SET paused = 'fuse', paused_why = 'its first 5 attempts failed the same way' WHERE id = 1"
    )
    told = only(chain, unit)
    assert "its first 5 attempts failed the same way" in told.why
    assert told.remedy == "fix it, then `penstock retry --stage calibrate` and `penstock run`"


def test_a_running_task_says_where(chain):
    unit = chain.unit("n", 1)
    job = chain.job(token="pabc", native="77", state="submitted")
    batch = chain.insert(
        "batch", job=job, element=1, number=1, stage=1, size=3, cores=1, state="delivered", at=1000
    )
    chain.insert("life", job=job, element=1, life=1, host="node7")
    chain.task(1, unit, "running", batch=batch)
    assert only(chain, unit).why == "since 00:16:40 in job pabc (process 77) of local on node7 with 2 others"


def test_done_names_its_products_and_what_makes_it_stale(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "done", stale="the definition changed")
    chain.insert("product", stage=1, unit=unit, name="product", path="out/1.h5")
    told = only(chain, unit)
    assert told.why == "made out/1.h5, but stale: the definition changed"
    assert "penstock run --stale" in told.remedy


def test_a_removed_stage_never_runs(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "ready")
    chain.db.execute("UPDATE stage SET removed = 1 WHERE id = 1")
    assert only(chain, unit).why == "its stage is no longer in the definition"


def test_json_is_plain_data(chain):
    unit = chain.unit("n", 1)
    chain.task(1, unit, "ready")
    chain.attempt(1, unit, "lost", next="retried at no cost (1 of 5)")
    data = only(chain, unit).to_json()
    assert (data["stage"], data["unit"], data["tries"][0]["next"]) == (
        "calibrate",
        "n/00001",
        "retried at no cost (1 of 5)",
    )


def test_control_characters_never_reach_the_terminal(chain):
    unit = chain.unit("a\x1b[31m", 1)
    chain.task(1, unit, "failed", why="bad\x07")
    assert not set(only(chain, unit).to_text()) & set("\x1b\x07")


@pytest.fixture
def at_slurm(chain):
    """Makes the task of a unit wait or run in element 3 of an array, which stands as given; returns the unit."""

    def make(state="queued", *, companions=0, **stands):
        units = [chain.unit("n", number) for number in range(1 + companions)]
        for unit in units:
            chain.task(1, unit, state)
        chain.array(1, {}, {}, {**stands, "units": units})
        return units[0]

    return make


PENDING = {"phase": "pending", "word": "PENDING", "reason": "Resources"}


@pytest.mark.parametrize(
    ("state", "stands", "said"),
    [
        ("queued", {}, "waits in the queue of slurm (job 4711, element 3 of 3, since 00:16:40)"),
        ("queued", PENDING, "waits in the queue of slurm: Resources (job"),
        (
            "queued",
            {**PENDING, "starts": 50700.0},
            "waits in the queue of slurm: Resources, expected to start at 14:05:00 (",
        ),
        ("queued", {"phase": "held", "word": "PENDING", "reason": "JobHeldUser"}, "held in the queue of slurm: JobHeldUser"),
        ("running", {**PENDING, "life": {"host": "n3.lab", "news": 1980.0}}, "runs on n3, last event 20 s ago (job 4711"),
        ("queued", {**PENDING, "life": {"host": "n3", "news": 1980.0}}, "waits for its turn on n3, last event 20 s ago"),
        ("running", {"phase": "running", "node": "n3"}, "runs on n3 (job"),
        (
            "running",
            {"phase": "ended", "word": "NODE_FAIL", "ended": 5.0},
            "its element has ended at slurm: NODE_FAIL; waiting for its files",
        ),
        ("queued", {"phase": "unknown", "word": "WOBBLING"}, "in an unknown state: WOBBLING"),
    ],
)  # fmt: skip
def test_where_a_task_at_a_cluster_stands_is_told_in_the_scheduler_s_words(
    chain, at_slurm, state, stands, said
):
    assert said in only(chain, at_slurm(state, **stands)).to_text()


def test_who_shares_the_batch_is_counted(chain, at_slurm):
    assert "since 00:16:40 with 4 others)" in only(chain, at_slurm(companions=4)).why


def test_a_job_that_is_not_taken_yet_is_being_handed_in(chain, at_slurm):
    unit = at_slurm()
    chain.db.execute("UPDATE job SET native = NULL, state = 'planned', submitted = NULL")
    assert only(chain, unit).why.startswith("is being submitted to slurm (job p0,")


def test_a_held_task_comes_with_what_lets_it_go_on(chain, at_slurm):
    unit = at_slurm(phase="held", word="PENDING", reason="JobHeldUser")
    assert only(chain, unit).remedy == "`scontrol release 4711` releases it"


def test_a_site_that_does_not_answer_is_told_beside_what_is_known(chain, at_slurm):
    unit = at_slurm(**PENDING)
    chain.ledger.set_problem("site slurm", "the scheduler did not answer (timed out)", 1900.0)
    assert (
        "Resources (job 4711, element 3 of 3, since 00:16:40); the scheduler did not answer (timed out), since 00:31:40"
        in (only(chain, unit).why)
    )


def fill(record, stage, units):
    """Let these tasks of a stage run in one batch."""
    job = record.insert(
        "job", token="p1", site="local", epoch=1, elements=1, folder="j", state="submitted", created=1, feed=1
    )
    batch = record.insert(
        "batch", job=job, element=1, number=1, stage=stage, size=len(units), cores=1, state="delivered", at=1
    )
    for unit in units:
        record.task(stage, unit, "running", batch=batch)


def test_a_task_that_max_running_holds_back_is_told_what_it_waits_for(record):
    stage = record.stage("calibrate", 2, max_running=4)
    fill(record, stage, [record.unit("n", run) for run in range(4)])
    waits = record.unit("n", 9)
    record.task(stage, waits, "ready")
    assert only(record, waits).remedy == "starts when one of 4 running calibrate tasks ends (max_running)"
    record.db.execute("UPDATE batch SET state = 'finished'")
    assert only(record, waits).remedy == "starts when a slot is free, while a conductor runs: penstock run"


def test_what_is_backfill_says_that_it_goes_behind_new_data(record):
    stage, ready, done = record.stage("calibrate", 2), record.unit("n", 1), record.unit("n", 2)
    record.task(stage, ready, "ready", behind=1, why="redo: requested by ann")
    record.task(stage, done, "done", behind=1, redo=3, stale="requested by ann")
    assert only(record, ready).remedy.startswith("starts when no new data wait and a slot is free")
    assert only(record, done).remedy.startswith("made again by itself, after all new data")
