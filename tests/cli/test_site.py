"""`penstock site`: with commands of a scheduler that are shell scripts of this test."""

import json
import os
import shutil
import struct
import sys
import time
from pathlib import Path

import pytest
from tests.wheels import make_wheel

from penstock.cli.complete import complete_site
from penstock.ledger import Ledger
from penstock.ledger.experience import learn

COMMANDS = {
    "scontrol": "printf 'MaxArraySize = 1001\\nSLURM_VERSION = 22.05.8\\nAccountingStorageType = (null)\\n'",
    "sbatch": 'for last; do :; done; for n in 1 2; do SLURM_ARRAY_TASK_ID=$n sh "$last"; done; echo 4711',
    "squeue": "echo 'penstock|JOBID|NAME|STATE|START_TIME|NODELIST|REASON|end'",
    "scancel": "echo cancelled >>cancelled",
}
DEFINITION = """
campaign = {{ name = "winter", levels = ["file"], site = "cluster" }}
units = {{ files = "data/{{file}}.txt", settle = "0s" }}
[stage.copy]
each = "file"
command = ["cp", "{{path}}", "{{product}}"]
products = "out/{{file}}.txt"
[site.cluster]
scheduler = "slurm"
queue = "long"
commands = "{root}/bin"
python = "{python}"
max_walltime = "2h"
environment = {{ LAB = "7" }}
[site.far]
scheduler = "slurm"
host = "far"
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A campaign with a cluster whose commands are ours; nothing was run yet."""
    (tmp_path / "bin").mkdir()
    for name, text in COMMANDS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "penstock.toml").write_text(DEFINITION.format(root=tmp_path, python=sys.executable))
    return tmp_path


@pytest.fixture
def submitted(cluster: Path) -> Path:
    """The same with a job of seven tasks that is out, a scheduler that told its limits and then fell silent."""
    with Ledger.open(cluster, create=True) as ledger:
        learn(ledger, "cluster", version="23.11", array_size=400, accounting=True, limits_told=1.0)
        ledger.set_problem("site cluster", "the scheduler did not answer (connect failure)", 60.0)
        ledger.set_problem("site cluster", "the scheduler did not answer (timed out)", 120.0)
        job = "INSERT INTO job VALUES (1, 'pa', 'cluster', '7', 1, 1, 0, 'jobs/pa', 'submitted', 1, 1, NULL, NULL, NULL, 1)"
        ledger.db.execute(job)
        ledger.db.execute("INSERT INTO batch VALUES (1, 1, 1, 1, 1, 7, 1, 'planned', 1)")
        for unit in range(7):
            ledger.db.execute(
                "INSERT INTO task (stage, unit, state, batch) VALUES (1, ?, 'queued', 1)", (unit,)
            )
    return cluster


def test_sites_are_listed_with_a_mark_at_the_default(penstock, cluster):
    shown = penstock("site", "list", "-C", cluster)
    assert shown.output.splitlines() == [
        "* cluster  slurm  queue long",
        "  far      slurm",
        "  local    local",
    ]


def test_what_is_out_is_listed_too(penstock, submitted):
    assert (
        "cluster  slurm  queue long, 1 active job with 7 tasks"
        in penstock("site", "list", "-C", submitted).output
    )
    rows = json.loads(penstock("site", "list", "--json", "-C", submitted).stdout)
    assert (rows[0]["name"], rows[0]["default"], rows[0]["jobs"], rows[0]["tasks"]) == ("cluster", True, 1, 7)


def test_a_definition_is_shown_in_its_own_keys_with_their_meaning(penstock, cluster):
    lines = penstock("site", "show", "cluster", "-C", cluster).output.splitlines()
    assert lines[0] == "cluster: slurm, the default"
    told = [" ".join(line.split()) for line in lines]
    assert "queue long (the queue)" in told
    assert "max_walltime 2 h 00 (the longest job)" in told
    assert any(line.startswith("environment LAB=7 (environment variables") for line in told)
    assert any(line.startswith("not set: host, workdir") for line in told)
    assert told[-2:] == [
        "its limits are not known yet: `--ask` asks the scheduler for them",
        "no active jobs",
    ]


def test_limits_trouble_and_jobs_are_shown_from_the_record(penstock, submitted):
    text = penstock("site", "show", "cluster", "-C", submitted).output
    assert "limits: slurm 23.11, arrays of up to 400, accounting on" in text
    assert "1 active job with 7 tasks" in text
    assert "! the scheduler did not answer (timed out) (since 1970-01-01 00:01:00)" in text, (
        "since its first silence"
    )


def test_limits_are_asked_for_when_one_wants(penstock, cluster):
    text = penstock("site", "show", "cluster", "--ask", "-C", cluster).output
    assert "limits: slurm 22.05.8, arrays of up to 1000, accounting off" in text
    data = json.loads(penstock("site", "show", "cluster", "--ask", "--json", "-C", cluster).stdout)
    assert (data["scheduler"], data["limits"]["array_size"], data["definition"]["max_walltime"]) == (
        "slurm",
        1000,
        7200.0,
    )


def test_a_cluster_that_is_well_passes_the_test(penstock, cluster):
    before = sorted(path.name for path in cluster.iterdir())
    shown = penstock("site", "test", "cluster", "-C", cluster)
    assert shown.exit_code == 0, shown.output
    assert shown.stderr == "submitted as 4711\n"
    assert shown.stdout.startswith("cluster: slurm 22.05.8, arrays of up to 1000, accounting off\n")
    assert shown.stdout.endswith("all is well\n")
    assert sorted(path.name for path in cluster.iterdir()) == before


def test_the_test_tells_programs_in_json(penstock, cluster):
    data = json.loads(penstock("site", "test", "cluster", "--json", "-C", cluster).stdout)
    assert (data["reached"], data["faults"], len(data["elements"])) == (True, [], 2)
    assert "LAB" in data["elements"][0]["environment"]


def test_a_fault_ends_with_1(penstock, cluster):
    (cluster / "bin/sbatch").write_text("#!/bin/sh\necho 'error: invalid account' >&2\nexit 1\n")
    shown = penstock("site", "test", "cluster", "-C", cluster)
    assert shown.exit_code == 1
    assert (
        "! the scheduler refused the job (error: invalid account): correct the site's `account`"
        in shown.stdout
    )


def test_a_scheduler_that_is_down_ends_with_3(penstock, cluster):
    (cluster / "bin/scontrol").write_text("#!/bin/sh\necho 'cannot contact the controller' >&2\nexit 1\n")
    shown = penstock("site", "test", "cluster", "-C", cluster)
    assert shown.exit_code == 3
    assert shown.stdout.splitlines() == [
        "cluster: slurm cannot be asked",
        "! the scheduler did not answer (cannot contact the controller): check what `scontrol show config` prints here, and wait"
        " if it is the same",
    ]


def test_a_wait_that_is_over_takes_the_trial_back(penstock, cluster):
    (cluster / "bin/sbatch").write_text("#!/bin/sh\necho 4711\n")
    shown = penstock("site", "test", "cluster", "--wait", "1s", "-C", cluster)
    assert shown.exit_code == 1
    assert "did not run within 1 s (no news of it) and was cancelled" in shown.stdout
    assert (cluster / "cancelled").read_text() == "cancelled\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["test", "clutser"], "there is no site 'clutser'; did you mean 'cluster'?"),
        (["show", "clutser"], "there is no site 'clutser'; did you mean 'cluster'?"),
        (["test", "local"], "site 'local' is this machine and has no scheduler to test"),
        (["login", "cluster"], "site 'cluster' is not reached by SSH: there is nothing to log in to"),
        (["test", "cluster", "--wait", "soon"], "--wait"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_right(penstock, cluster, words, said):
    shown = penstock("site", *words, "-C", cluster)
    assert shown.exit_code == 2
    assert said in shown.stderr


def test_a_far_site_to_which_nobody_logged_in_says_what_to_do(penstock, cluster, monkeypatch):
    monkeypatch.setenv("PENSTOCK_STATE", str(cluster / "state"))
    says = "site 'far' needs you: `penstock site login far` (there is no connection to far)"
    shown = penstock("site", "test", "far", "-C", cluster)
    assert (shown.exit_code, shown.stdout.splitlines()) == (3, ["far: slurm cannot be asked", f"! {says}"])
    shown = penstock("tick", "--site", "far", "-C", cluster)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[1].startswith("paused: cannot reach far since ")
    assert shown.stdout.splitlines()[1].endswith(" UTC; " + says.removeprefix("site 'far' "))


def test_names_of_sites_are_completed_before_anything_was_run(cluster):
    import click

    from penstock.cli.site import show

    context = click.Context(show, info_name="show")
    context.params["root"] = str(cluster)
    offered = [[item.value for item in complete_site(context, None, typed)] for typed in ("", "c")]
    assert offered == [["cluster", "far", "local"], ["cluster"]]


def test_cancel_takes_what_waits_out_of_the_queue_and_says_so(penstock, cluster):
    (cluster / "bin/sbatch").write_text("#!/bin/sh\necho 4711\n")
    for name in "abc":
        (cluster / "data").mkdir(exist_ok=True)
        (cluster / f"data/{name}.txt").write_text(name)
    with (cluster / "penstock.toml").open("a") as file:
        file.write('[stage.more]\neach = "file"\ncommand = ["true", "{path}"]\nbatch = 1\n')
    assert penstock("tick", "-C", cluster).exit_code == 0
    assert (
        "more a: queued, waits in the queue of cluster (job 4711, element 1 of 3"
        in penstock("why", "a", "-C", cluster).output
    )
    shown = penstock("cancel", "a", "--stage", "more", "-C", cluster)
    assert shown.output.splitlines() == [
        "1 task cancelled; `penstock retry` brings it back",
        "1 element of 1 job cancelled at cluster",
    ]
    for name in ("scancel", "squeue"):
        (cluster / "bin" / name).write_text("#!/bin/sh\necho 'no contact' >&2\nexit 1\n")
    assert (
        "cluster: the scheduler did not answer (no contact): the next `penstock run` or `penstock tick` does it"
        in penstock("cancel", "--all", "-C", cluster).output
    )


def test_down_leaves_jobs_at_a_cluster_alone_and_says_so(penstock, cluster):
    (cluster / "bin/sbatch").write_text("#!/bin/sh\necho 4711\n")
    (cluster / "data").mkdir()
    (cluster / "data/a.txt").write_text("a")
    text = (cluster / "penstock.toml").read_text()
    (cluster / "penstock.toml").write_text(text.replace("[stage.copy]", '[stage.copy]\nbatch_wait = "0s"', 1))
    assert penstock("up", "-C", cluster).exit_code == 0
    until = time.monotonic() + 20
    while "queued" not in penstock("status", "-C", cluster).output and time.monotonic() < until:
        time.sleep(0.1)
    lines = penstock("down", "-C", cluster).output.splitlines()
    assert lines[-1] == (
        "1 job with 1 task continues at cluster; `penstock up` collects it, `penstock cancel --all` cancels it"
    )
    assert not (cluster / "cancelled").exists()
    assert "stopped at" in (cluster / ".penstock/conductor.log").read_text()


def test_packages_are_installed_shown_and_known_the_next_time(penstock, cluster, monkeypatch):
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": str(cluster / "index"),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    make_wheel(cluster / "index", "tide")
    refused = penstock("site", "provision", "cluster", "-C", cluster)
    assert refused.exit_code == 2
    assert "site 'cluster' has no `requirements`" in refused.output
    text = (cluster / "penstock.toml").read_text()
    (cluster / "penstock.toml").write_text(
        text.replace('queue = "long"', 'queue = "long"\nrequirements = ["tide"]')
    )
    assert "packages: none: `penstock site provision cluster`" in penstock(
        "site", "show", "cluster", "-C", cluster
    ).output.replace("\n", " ")
    made = penstock("site", "provision", "cluster", "-C", cluster)
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("cluster: tide==1.0 for Python 3.")
    again = json.loads(penstock("site", "provision", "cluster", "--json", "-C", cluster).stdout)
    assert (again["installed"], again["wheels"][0][0]) == (False, "tide-1.0-py3-none-any.whl")
    assert again["python"] == f"{again['folder']}/bin/python"
    shown = json.loads(penstock("site", "show", "cluster", "--json", "-C", cluster).stdout)
    assert shown["packages"].startswith("tide==1.0 for Python")


def test_a_program_for_another_machine_is_told_before_any_job(penstock, cluster):
    (cluster / "bin/sbatch").write_text("#!/bin/sh\ntouch submitted\n")
    data = bytearray(Path(shutil.which("ls")).read_bytes())
    data[18:20] = struct.pack("<H", 243)
    (cluster / "solve").write_bytes(data)
    text = (cluster / "penstock.toml").read_text()
    (cluster / "penstock.toml").write_text(
        text.replace('["cp", "{path}", "{product}"]', '["./solve", "{path}"]')
    )
    shown = penstock("site", "test", "cluster", "-C", cluster)
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "cluster: slurm 22.05.8, arrays of up to 1000, accounting off",
        f"! solve, which 'copy' runs, is compiled for riscv64, and the machine here is {os.uname().machine}: compile it there",
    ]
    assert not (cluster / "submitted").exists()
    (cluster / "penstock.toml").write_text(text.replace('python = "', 'container = "lab.sif"\npython = "'))
    penstock("site", "test", "cluster", "--wait", "1s", "-C", cluster)
    assert (cluster / "submitted").exists(), "a container brings its own machine"


def test_what_was_built_is_listed_and_removed(penstock, cluster):
    text = (cluster / "penstock.toml").read_text()
    stage = '[stage.run]\neach = "file"\ncommand = ["{program.tide}"]\n'
    program = '[program.tide]\nsources = "tide.sh"\nbuild = "cp tide.sh tide; chmod +x tide"\n'
    (cluster / "penstock.toml").write_text(text + program + stage)
    (cluster / "tide.sh").write_text("#!/bin/sh\n")
    assert (
        "nothing is installed or built there"
        in penstock("site", "provision", "cluster", "--list", "-C", cluster).stdout
    )
    tested = penstock("site", "test", "cluster", "-C", cluster)
    assert "  built        tide\n" in tested.stdout, tested.stdout
    (row,) = json.loads(penstock("site", "provision", "cluster", "--list", "--json", "-C", cluster).stdout)
    listed = penstock("site", "provision", "cluster", "--list", "-C", cluster).stdout
    assert listed.startswith(row["digest"][:12])
    assert "tide; used by this campaign" in listed
    refused = penstock("site", "provision", "cluster", "--remove", "zz", "-C", cluster)
    assert (refused.exit_code, "nothing there begins with zz" in refused.stderr) == (2, True)
    removed = penstock("site", "provision", "cluster", "--remove", row["digest"][:6], "-C", cluster)
    assert (removed.exit_code, removed.stderr) == (0, "cluster: 1 removed\n")
    assert "nothing is installed or built there" in removed.stdout


def test_the_amounts_of_a_machine_are_shown(penstock, cluster):
    text = (cluster / "penstock.toml").read_text()
    (cluster / "penstock.toml").write_text(text + '[site.desk]\nhost = "desk"\ncores = 8\nmemory = "16GB"\n')
    shown = penstock("site", "show", "desk", "-C", cluster)
    assert shown.exit_code == 0, shown.output
    assert any(line.split()[:3] == ["memory", "16", "GB"] for line in shown.stdout.splitlines()), shown.stdout
    assert any(line.split()[:2] == ["cores", "8"] for line in shown.stdout.splitlines())
