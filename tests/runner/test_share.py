"""What tasks are told of threads and devices: each slot's share of its node."""

import os

import pytest

from penstock.runner.share import VISIBLE, devices_given, devices_listed, share_of
from penstock.runner.spec import parse_stage

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", VISIBLE)


def share(given=(), slot=1, devices=(), **stage):
    return share_of(parse_stage("fit", {"id": 1, **stage}), slot, dict(given), devices)


def test_libraries_start_as_many_threads_as_a_task_has_cores():
    assert {share(cpus=3)[name] for name in NAMES[:3]} == {"3"}


def test_what_the_job_or_the_stage_says_of_threads_holds():
    told = share({"OMP_NUM_THREADS": "1"}, cpus=3, environment={"MKL_NUM_THREADS": "7"})
    assert "OMP_NUM_THREADS" not in told
    assert (told["MKL_NUM_THREADS"], told["OPENBLAS_NUM_THREADS"]) == ("7", "3")


@pytest.mark.parametrize(
    ("given", "slot", "gpus", "seen"),
    [
        ({VISIBLE: "4,5,6,7"}, 1, 2, "4,5"),
        ({VISIBLE: "4,5,6,7"}, 2, 2, "6,7"),
        ({VISIBLE: "GPU-ab,MIG-cd"}, 2, 1, "MIG-cd"),
        ({"SLURM_JOB_GPUS": "1-3"}, 3, 1, "3"),
        ({"SLURM_JOB_GPUS": "0,1", "SLURM_STEP_GPUS": "1"}, 1, 1, "1"),
        ({"SLURM_JOB_GPUS": "0,1", VISIBLE: "0"}, 1, 1, "0"),
        ({VISIBLE: "4,5,6,7"}, 1, 0, None),  # nothing was asked for: as the scheduler left it
        ({VISIBLE: "4"}, 1, 2, None),
        ({}, 1, 1, None),
    ],
)
def test_a_slot_sees_its_own_share_of_the_devices(given, slot, gpus, seen):
    assert share(given, slot, gpus=gpus).get(VISIBLE) == seen


def test_the_devices_of_a_batch_count_before_those_of_the_job():
    assert share({VISIBLE: "0,1"}, 1, ["5"], gpus=1)[VISIBLE] == "5"


def test_a_list_of_devices_is_read_as_schedulers_write_it():
    assert devices_given({VISIBLE: " 0-2, GPU-a-b ,7"}) == ["0", "1", "2", "GPU-a-b", "7"]


@pytest.mark.parametrize(
    ("text", "host", "devices"),
    [
        ("n1-gpu0\nn1-gpu2\n", "n1", ["0", "2"]),
        ("n1.site.org-gpu10\nn2.site.org-gpu0\n", "n1", ["10"]),
        ("a-gpu-7-gpu3", "a-gpu-7.site.org", ["3"]),
        ("n10-gpu0\n", "n1", []),
        ("\nn1\nn1-gpu\nn1-gpux\n", "n1", []),
        ("", "n1", []),
    ],
)
def test_the_devices_of_a_node_are_read_from_the_list_of_torque(text, host, devices):
    assert devices_listed(text, host) == devices


def test_the_list_counts_only_where_nothing_else_tells_the_devices(tmp_path):
    path, own = tmp_path / "gpus", os.uname().nodename
    path.write_text(f"{own}-gpu4\n{own}-gpu6\nelsewhere-gpu0\n")
    listed = {"PBS_GPUFILE": str(path)}
    assert devices_given(listed) == ["4", "6"]
    assert share(listed, 2, gpus=1)[VISIBLE] == "6"
    assert devices_given({**listed, VISIBLE: "1"}) == ["1"]
    assert devices_given({**listed, VISIBLE: ""}) == []
    assert devices_given({"PBS_GPUFILE": str(tmp_path / "none")}) == []


def test_commands_are_told(lab):
    lab.stage("command", cpus=2, gpus=1, environment={"MKL_NUM_THREADS": "9"})
    lab.spec["environment"] = {"OPENBLAS_NUM_THREADS": "5"}
    text = f"echo {' '.join('$' + name for name in NAMES)}; sleep 0.3"
    lab.run([lab.shell(1, text), lab.shell(2, text)], workers=2, env={VISIBLE: "3,4"})
    said = {(lab.job / f"1.{slot}.log").read_text().strip() for slot in (1, 2)}
    assert said == {"2 5 9 3", "2 5 9 4"}


def test_functions_are_told_before_their_module_is_imported(lab):
    lab.function(
        "import os\nSEEN = dict(os.environ)\n\ndef run(task):\n    return SEEN.get('OMP_NUM_THREADS')\n",
        cpus=4,
    )
    lab.run([lab.python(1)])
    assert [end["result"] for end in lab.ends().values()] == ["4"]


def test_a_worker_does_not_go_on_with_the_threads_of_another_stage(lab):
    source = (
        "import os\nSEEN = os.environ['OMP_NUM_THREADS']\n\ndef run(task):\n    return [os.getpid(), SEEN]\n"
    )
    lab.function(source, name="narrow", cpus=1)
    lab.function(source, name="wide", cpus=4)
    stages = ["narrow", "narrow", "wide", "narrow"]
    lab.run([lab.python(number, stage=stage) for number, stage in enumerate(stages, 1)])
    pids, threads = zip(*[end["result"] for end in lab.ends().values()], strict=True)
    assert threads == ("1", "1", "4", "1")
    assert pids[0] == pids[1]
    assert len(set(pids)) == 3
