"""What an ended attempt is called, and why."""

import os
import signal

import pytest


def test_an_exit_code_is_an_error_with_the_last_line_of_the_log(lab):
    end = lab.end(lab.shell(1, "echo first; echo 'no such \x1b[31mlens' >&2; exit 3"))
    assert (end["o"], end["code"], end["signal"]) == ("error", 3, None)
    assert end["why"] == "sh ended with exit code 3: no such lens"


def test_a_stage_may_call_other_exit_codes_good(lab):
    lab.stage("grep", ok_codes=[0, 1])
    assert lab.end(lab.shell(1, "exit 1", stage="grep"))["o"] == "ok"


def test_a_missing_program_is_named_with_the_places_looked_at(lab):
    end = lab.end(lab.command(1, "sox-nope", env={"PATH": "/bin:/opt/none"}))
    assert (end["o"], end["why"]) == ("error", "the program sox-nope was not found in /bin:/opt/none")


def test_a_program_that_is_no_program_is_said_to_be_none(lab):
    path = lab.root / "tool"
    path.write_text("echo hi\n")
    path.chmod(0o755)
    assert "first line" in lab.end(lab.command(1, "./tool"))["why"]


def test_a_program_whose_interpreter_is_missing_is_explained(lab):
    path = lab.root / "tool"
    path.write_text("#!/opt/none/python\n")
    path.chmod(0o755)
    assert "interpreter" in lab.end(lab.command(1, str(path)))["why"]


def test_a_command_line_that_is_too_long_is_an_error_with_a_remedy(lab):
    end = lab.end(lab.command(1, "true", "x" * 200_000))
    assert end["o"] == "error"
    assert "list file" in end["why"]


def test_a_signal_is_an_error_that_names_it(lab):
    end = lab.end(lab.shell(1, "kill -ABRT $$"))
    assert (end["o"], end["code"], end["signal"]) == ("error", None, signal.SIGABRT)
    assert end["why"] == "sh was killed by SIGABRT"


def test_a_limit_ends_the_whole_process_group(lab):
    lab.stage("slow", limit_s=0.3)
    pids = lab.root / "pids"
    end = lab.end(lab.shell(1, f"sleep 60 & echo $! > {pids}; wait", stage="slow"))
    assert end["o"] == "timeout"
    assert end["why"] == "it ran longer than its limit of 0.3 s"
    assert not _alive(int(pids.read_text()))


def test_a_group_that_ignores_the_friendly_signal_is_killed_after_the_grace(lab):
    lab.spec["grace_s"] = 0.3
    lab.stage("slow", limit_s=0.2)
    text = "trap 'echo no' TERM; echo $$ > pid; while :; do sleep 0.05; done"
    end = lab.end(lab.shell(1, text, stage="slow"))
    assert (end["o"], end["signal"]) == ("timeout", signal.SIGKILL)
    assert "no\n" in lab.log(end), "it was asked first"
    assert not _alive(int((lab.root / "pid").read_text()))


def test_a_program_may_tidy_up_when_its_limit_is_over(lab):
    lab.stage("slow", limit_s=0.3)
    text = "trap 'sleep 0.2; echo tidy; exit 0' TERM; while :; do sleep 0.05; done"
    end = lab.end(lab.shell(1, text, stage="slow"))
    assert end["o"] == "timeout"
    assert lab.log(end).endswith("tidy\n")


def test_a_product_that_is_not_made_is_missing(lab):
    end = lab.end(lab.command(1, "true", products=lab.product("out/x")))
    assert (end["o"], end["code"]) == ("missing_product", 0)
    assert end["why"] == "product out/x was not created"


def test_the_log_may_have_to_tell_success(lab):
    lab.stage("simulation", success_log=r"^FINISHED$")
    lab.run(
        [lab.shell(1, "echo FINISHED", stage="simulation"), lab.shell(2, "echo ABORTED", stage="simulation")]
    )
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "ok", 2: "error"}
    assert "FINISHED" in lab.ends()[2]["why"]


def test_the_first_rule_that_matches_gives_the_verdict(lab):
    rules = [
        {"exit": 3, "log": "licen[cs]e", "verdict": "transient", "why": "no licence was free"},
        {"exit": None, "log": "clouds", "verdict": "veto", "why": "clouded over"},
        {"exit": 3, "log": None, "verdict": "permanent", "why": "the input is damaged"},
    ]
    lab.stage("ruled", rules=rules)
    texts = ["echo no license; exit 3", "echo clouds; exit 9", "exit 3", "exit 4", "echo clouds"]
    lab.run([lab.shell(unit, text, stage="ruled") for unit, text in enumerate(texts)])
    ends = lab.ends()
    assert [ends[unit].get("verdict") for unit in range(5)] == ["transient", "veto", "permanent", None, None]
    assert ends[0]["why"] == "no licence was free"
    assert ends[3]["why"] == "sh ended with exit code 4"
    assert ends[4]["o"] == "ok"


def test_of_rules_about_some_units_those_count_that_a_task_names(lab):
    rules = [{"exit": 3, "verdict": "veto", "name": "dark"}, {"exit": 3, "verdict": "mark", "name": "old"}]
    lab.stage("ruled", rules=rules)
    lab.run([lab.shell(n, "exit 3", stage="ruled", rules=some) for n, some in enumerate(([0, 1], [1], []))])
    ends = lab.ends()
    given = [(ends[n].get("verdict"), ends[n].get("rule")) for n in range(3)]
    assert given == [("veto", "dark"), ("mark", "old"), (None, None)]


def test_an_exception_is_an_error_and_its_traceback_is_in_the_log(lab):
    lab.function("def run(task):\n    raise ValueError('no such\\nlens')")
    end = lab.end(lab.python(1))
    assert (end["o"], end["why"]) == ("error", "ValueError: no such lens")
    assert "in run" in lab.log(end)
    assert "runner" not in lab.log(end)


def test_a_function_may_give_its_task_up_or_veto_it(lab):
    lab.function("def run(task):\n    task.fail('bad wave') if task.key[0] == 1 else task.veto('clouds')")
    lab.run([lab.python(1), lab.python(2)])
    ends = lab.ends()
    assert [(ends[u]["o"], ends[u]["verdict"], ends[u]["why"]) for u in (1, 2)] == [
        ("error", "permanent", "bad wave"),
        ("error", "veto", "clouds"),
    ]
    assert lab.log(ends[1]) == ""


def test_a_memory_error_is_out_of_memory(lab):
    lab.function("def run(task):\n    bytearray(1 << 60)")
    assert lab.end(lab.python(1))["o"] == "out_of_memory"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return {1, 2}", "not JSON"),
        ("return float('nan')", "not JSON"),
        ("return 'x' * 70_000", "64 kB"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("task.product('psd')", "no product 'psd'"),
        ("task.expand(roi=1)", "expands no level"),
    ],
)
def test_a_function_that_does_not_keep_to_the_contract_is_an_error(lab, body, why):
    lab.function(f"def run(task):\n    {body}")
    end = lab.end(lab.python(1))
    assert end["o"] == "error"
    assert why in end["why"]


def test_a_module_that_cannot_be_imported_is_named(lab):
    lab.stage("python", python="nowhere.at_all:run")
    end = lab.end(lab.python(1))
    assert end["why"] == "cannot import nowhere.at_all: ModuleNotFoundError: No module named 'nowhere'"


def test_a_function_that_is_not_there_is_named(lab):
    lab.function("x = 1")
    assert "there is no function run in python_module" in lab.end(lab.python(1))["why"]


def test_a_worker_that_crashes_costs_one_task_only(lab):
    source = "import os\ndef run(task):\n    if task.key[0] == 150:\n        os.kill(os.getpid(), 11)\n    return os.getpid()"
    lab.function(source)
    lab.run([lab.python(unit) for unit in range(300)])
    ends = lab.ends()
    assert (ends[150]["o"], ends[150]["signal"]) == ("error", signal.SIGSEGV)
    assert {end["o"] for unit, end in ends.items() if unit != 150} == {"ok"}
    assert len({end["result"] for end in ends.values() if end["o"] == "ok"}) == 2
    assert len(lab.of_kind("start")) == 300


def test_a_worker_that_dies_with_its_reply_unread_costs_the_follower_nothing(lab):
    busy = """
import os
def run(task):
    open('pid', 'w').write(str(os.getpid()))
    while not os.path.exists('go'):
        pass
"""
    lab.function(busy)
    lab.function("import os\ndef run(task):\n    return os.getpid()", name="then")
    lab.batch([lab.python(1, then=lab.python(1, stage="then"))])
    lab.close()
    process = lab.start()
    worker = lab.wait_for(lambda: (lab.root / "pid").exists() and (lab.root / "pid").read_text())
    process.send_signal(signal.SIGSTOP)
    (lab.root / "go").touch()
    lab.wait_for(lambda: state_of(worker) == "S")  # it replied, and waits for its next task
    os.kill(int(worker), signal.SIGKILL)
    lab.wait_for(lambda: state_of(worker) == "Z")
    process.send_signal(signal.SIGCONT)
    assert process.wait(10) == 0
    first, second = lab.of_kind("end")
    assert (first["s"], first["o"]) == (lab.stages["python"]["id"], "ok")
    assert second["o"] == "ok", second["why"]
    assert second["result"] != int(worker)


def test_every_task_has_its_own_products_however_often_idle_workers_die(lab):
    source = """
import os, time
def run(task):
    open('worker', 'w').write(str(os.getpid()))
    time.sleep(0.02)
    task.product().write_text(str(task.key[0]))
"""
    lab.function(source)
    tasks = []
    for unit in range(0, 60, 3):
        tasks += [lab.python(n, products=lab.product(f"out/{n}")) for n in (unit, unit + 1)]
        tasks.append(lab.shell(unit + 2, "kill -9 $(cat worker); sleep 0.02"))
    lab.run(tasks)
    assert [end["u"] for end in lab.of_kind("end")] == list(range(60))
    for unit in (unit for unit in range(60) if unit % 3 < 2):
        assert lab.ends()[unit]["products"]["product"][0] == f"out/{unit}"
        assert (lab.root / f"out/{unit}").read_text() == str(unit)


def test_a_command_that_was_ended_costs_the_next_function_nothing(lab):
    lab.stage("short", limit_s=0.1)
    lab.function("import os\ndef run(task):\n    open('ran', 'a').write('x')\n    os._exit(3)")
    lab.run([lab.command(1, "sleep", "60", stage="short"), lab.python(2)])
    assert lab.ends()[2]["why"] == "the function ended its worker with exit code 3"
    assert (lab.root / "ran").read_text() == "x"


def test_a_worker_that_outlives_its_limit_and_crashes_later_is_told_of(lab):
    source = """
import os, signal, time
def run(task):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if task.key[0] == 1:
        time.sleep(0.9)
    if task.key[0] == 3:
        open('ran', 'a').write('x')
        os._exit(3)
"""
    lab.function(source, limit_s=0.5)
    lab.run([lab.python(1), lab.python(2), lab.python(3)])
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "timeout", 2: "ok", 3: "error"}
    assert (lab.root / "ran").read_text() == "x"


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_function_that_runs_too_long_is_ended_with_its_children(lab):
    source = "import subprocess, pathlib\ndef run(task):\n    p = subprocess.Popen(['sleep', '60'])\n"
    lab.function(source + "    pathlib.Path('pid').write_text(str(p.pid)); p.wait()", limit_s=0.5)
    lab.function("def run(task): return 1", name="other")
    lab.run([lab.python(1), lab.python(2, stage="other")])
    ends = lab.ends()
    assert (ends[1]["o"], ends[2]["o"]) == ("timeout", "ok")
    assert not _alive(int((lab.root / "pid").read_text()))


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return ") Z " not in file.read()
    except FileNotFoundError:
        return False


def test_a_tiny_task_that_hangs_takes_none_of_those_behind_it_with_it(lab):
    source = "import time\ndef run(task):\n    if task.key[0] == 250:\n        time.sleep(60)"
    lab.function(source, limit_s=0.5)
    lab.run([lab.python(unit) for unit in range(400)])
    outcomes = {unit: end["o"] for unit, end in lab.ends().items()}
    assert [unit for unit, outcome in outcomes.items() if outcome != "ok"] == [250]
    assert outcomes[250] == "timeout"
    assert len(outcomes) == 400
