"""The clusters of the tests are real: they run jobs, and what is done to them has its effects."""

import pytest
from tests.cluster.base import USER, Cluster
from tests.cluster.daemon import wait_for
from tests.cluster.gridengine import GridEngine
from tests.cluster.slurm import Slurm
from tests.cluster.torque import Torque

HOG = "head -c 200m /dev/zero | tail -c 200m >/dev/null"


def submit(slurm: Slurm, work: str, *options: str) -> str:
    done = slurm.run("sbatch", "--parsable", "--output=%x", *options, "--wrap", work)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


def ends(cluster: Cluster, *question: str) -> None:
    wait_for(lambda: not cluster.run(*question).stdout.strip(), "the queue is not empty")


def history(slurm: Slurm, job: str, field: str = "State") -> list[str]:
    done = slurm.run("sacct", "-X", "-n", "-P", f"--jobs={job}", f"--format={field}")
    assert not done.returncode, done.stderr
    return done.stdout.split("\n")[:-1]


def sacct_says(slurm: Slurm, job: str, *states: str) -> None:
    wait_for(lambda: history(slurm, job) == list(states), f"sacct does not say {states} of {job}", every=0.5)


def runs(slurm: Slurm, job: str) -> str:
    question = ("squeue", "--noheader", f"--jobs={job}", "--states=RUNNING", "--format=%N")
    return wait_for(lambda: slurm.run(*question).stdout.strip(), f"{job} does not start")


def test_slurm_runs_an_array_as_an_ordinary_user_and_remembers_it(slurm: Slurm) -> None:
    job = submit(slurm, "id --user --name > who.$SLURM_ARRAY_TASK_ID", "--array=1-3")
    ends(slurm, "squeue", "--noheader", f"--jobs={job}")
    assert [(slurm.work / f"who.{index}").read_text().strip() for index in (1, 2, 3)] == [USER] * 3
    sacct_says(slurm, job, "COMPLETED", "COMPLETED", "COMPLETED")


def test_slurm_kills_a_job_at_its_memory_limit(slurm: Slurm) -> None:
    job = submit(slurm, HOG, "--mem=50M")
    sacct_says(slurm, job, "OUT_OF_MEMORY")


def test_slurm_says_who_cancelled_a_job(slurm: Slurm) -> None:
    job = submit(slurm, "sleep 100")
    runs(slurm, job)
    slurm.ask("scancel", job)
    sacct_says(slurm, job, "CANCELLED by 0")


@pytest.mark.slow
def test_a_job_on_a_node_that_dies_is_a_node_failure(slurm: Slurm) -> None:
    job = submit(slurm, "sleep 100", "--no-requeue")
    node = runs(slurm, job)
    slurm.kill_node(node)
    assert not list(slurm.processes_on(node))
    wait_for(lambda: slurm.state_of(node) == "down*", f"{node} is not down", 60.0)
    sacct_says(slurm, job, "NODE_FAIL")
    slurm.start_node(node)
    assert slurm.state_of(node) == "idle"


def test_a_job_outlives_the_daemon_of_its_node(slurm: Slurm) -> None:
    job = submit(slurm, "sleep 3")
    node = runs(slurm, job)
    slurm.stop_slurmd(node)
    assert list(slurm.processes_on(node))
    slurm.start_node(node)
    sacct_says(slurm, job, "COMPLETED")


def test_without_slurmdbd_the_queue_answers_and_the_history_does_not(slurm: Slurm) -> None:
    slurm.stop_dbd()
    assert slurm.run("sacct").returncode == 1
    assert slurm.run("squeue").returncode == 0
    job = submit(slurm, "true")
    slurm.start_dbd()
    sacct_says(slurm, job, "COMPLETED")


def test_without_slurmctld_the_history_answers_and_the_queue_does_not(slurm: Slurm) -> None:
    slurm.stop_controller()
    assert slurm.run("squeue").returncode == 1
    assert slurm.run("sacct").returncode == 0
    slurm.start_controller()
    assert slurm.run("squeue").returncode == 0


def test_slurm_refuses_an_array_above_its_limit(slurm: Slurm) -> None:
    done = slurm.run("sbatch", f"--array=1-{slurm.max_array_size}", "--wrap", "true")
    assert done.returncode
    assert "Invalid job array specification" in done.stderr


def test_slurm_without_accounting_runs_an_array_and_has_no_history(slurm_bare: Slurm) -> None:
    job = submit(slurm_bare, "echo $SLURM_ARRAY_TASK_ID > done.$SLURM_ARRAY_TASK_ID", "--array=1-3")
    ends(slurm_bare, "squeue", "--noheader", f"--jobs={job}")
    assert sorted(path.name for path in slurm_bare.work.glob("done.*")) == ["done.1", "done.2", "done.3"]
    assert slurm_bare.run("sacct").returncode == 1


def qsub(gridengine: GridEngine, *argv: str) -> str:
    done = gridengine.run("qsub", "-terse", "-cwd", "-j", "y", "-o", "/dev/null", *argv)
    assert not done.returncode, done.stderr
    return done.stdout.strip().split(".")[0]


def test_grid_engine_runs_an_array_as_an_ordinary_user_and_remembers_it(gridengine: GridEngine) -> None:
    job = qsub(gridengine, "-t", "1-3", "-b", "y", "true")
    ends(gridengine, "qstat", "-u", USER)
    account = gridengine.ask("qacct", "-j", job)
    words = [line.split() for line in account.splitlines()]
    assert words.count(["exit_status", "0"]) == 3
    assert words.count(["owner", USER]) == 3


def test_without_its_qmaster_grid_engine_does_not_answer(gridengine: GridEngine) -> None:
    gridengine.kill_master()
    assert gridengine.run("qstat").returncode == 1
    gridengine.start()
    assert gridengine.run("qstat").returncode == 0


@pytest.mark.slow
def test_grid_engine_misses_a_host_that_dies(gridengine: GridEngine) -> None:
    job = qsub(gridengine, "-b", "y", "sleep", "100")
    wait_for(lambda: gridengine.run("qstat", "-s", "r").stdout.strip(), f"{job} does not start")
    gridengine.kill_node()
    assert not list(gridengine.processes_of_jobs())
    wait_for(lambda: set(gridengine.queue_states().values()) == {"u"}, "the host is not missed", 90.0, 0.5)


def test_the_torque_commands_run_an_array_with_its_variables(torque: Torque) -> None:
    script = "#!/bin/sh\n#PBS -t 1-3\necho $PBS_JOBID > pbs.$PBS_ARRAY_INDEX\n"
    (torque.work / "job.sh").write_text(script)
    done = torque.run("qsub", "job.sh")
    assert not done.returncode, done.stderr
    ends(torque, "squeue", "--noheader")
    assert sorted(path.name for path in torque.work.glob("pbs.*")) == ["pbs.1", "pbs.2", "pbs.3"]


def test_the_torque_commands_know_a_running_job_and_delete_it(torque: Torque) -> None:
    job = submit(torque, "sleep 100")
    runs(torque, job)
    assert f"Job Id:\t{job}" in torque.ask("qstat", "-f", job)
    torque.ask("qdel", job)
    ends(torque, "squeue", "--noheader")
