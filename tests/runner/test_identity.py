"""Which element, which job, which process."""

import os
import time

import pytest

from penstock.runner.identity import find_element, find_native, start_ticks, strip_index


@pytest.mark.parametrize(
    ("environ", "element"),
    [
        ({"SLURM_ARRAY_TASK_ID": "3"}, 3),
        ({"PBS_ARRAY_INDEX": "4"}, 4),
        ({"PBS_ARRAYID": "5"}, 5),
        ({"SGE_TASK_ID": "undefined", "LSB_JOBINDEX": "2"}, 2),
        ({"LSB_JOBINDEX": "0"}, None),
        ({"SLURM_ARRAY_TASK_ID": "11"}, None),
        ({}, None),
    ],
)
def test_the_element_is_the_first_index_that_is_set(environ, element):
    assert find_element(None, environ, 10) == element


def test_an_option_comes_before_the_environment():
    assert find_element(7, {"SLURM_ARRAY_TASK_ID": "3"}, 10) == 7


def test_the_only_element_needs_no_index():
    assert find_element(None, {"SGE_TASK_ID": "undefined"}, 1) == 1


def test_the_only_element_is_not_misled_by_an_array_in_which_penstock_itself_runs():
    assert find_element(None, {"SLURM_ARRAY_TASK_ID": "7"}, 1) == 1


@pytest.mark.parametrize(
    ("environ", "native"),
    [
        ({"SLURM_ARRAY_JOB_ID": "90", "SLURM_JOB_ID": "93"}, "90"),
        ({"SLURM_JOB_ID": "93"}, "93"),
        ({"PBS_JOBID": "1234[7].server-1.site"}, "1234.server-1.site"),
        ({"PBS_JOBID": "1234-7.server"}, "1234.server"),
        ({"JOB_ID": "17"}, "17"),
        ({"LSB_JOBID": "18"}, "18"),
    ],
)
def test_the_job_is_named_without_its_index(environ, native):
    assert find_native(None, environ) == native
    assert strip_index(native) == native


def test_without_a_scheduler_the_job_is_the_process():
    assert find_native(None, {}) == f"{os.getpid()}.{start_ticks(os.getpid())}"


def test_start_ticks_tell_processes_with_one_pid_apart():
    ticks = int(start_ticks(os.getpid()) or 0) / os.sysconf("SC_CLK_TCK")
    assert 0 < ticks <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert start_ticks(2**22 + 1) is None
