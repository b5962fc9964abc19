"""Claims, doubles and later lives of an element."""

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter

import psutil
import pytest


def kill_in_the_middle(lab, ready, *options):
    process = lab.start(*options)
    lab.wait_for(ready)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return process


def test_a_killed_runner_goes_on_in_its_next_life(lab):
    text = 'if [ $U -ge 3 ] && [ ! -e go ]; then touch begun; sleep 30; fi; echo $U >> ran; : > "$P"'
    tasks = [
        lab.shell(
            unit, text, env={"U": str(unit), "P": {"ref": "product"}}, products=lab.product(f"out/{unit}")
        )
        for unit in range(6)
    ]
    lab.batch(tasks)
    kill_in_the_middle(lab, lambda: len(lab.ends()) == 3 and (lab.root / "begun").exists(), "--native", "77")
    (lab.root / "go").touch()
    assert lab.run([], "--native", "77").returncode == 0
    assert sorted(lab.ends(1)) == [0, 1, 2]
    assert sorted(lab.ends(2)) == [3, 4, 5]
    assert sorted((lab.root / "ran").read_text().split()) == ["0", "1", "2", "3", "4", "5"]
    assert [event["number"] for event in lab.of_kind("batch", life=2)] == [1]
    assert lab.leftovers() == []
    assert not list(lab.job.glob("*.reserve"))


def test_the_next_life_ends_what_the_killed_one_left_running(lab):
    lab.batch([lab.shell(1, "[ -e go ] && exit; echo $$ > pid; exec sleep 60")])
    kill_in_the_middle(lab, lambda: (lab.root / "pid").exists(), "--native", "77")
    pid = (lab.root / "pid").read_text().strip()
    assert os.path.exists(f"/proc/{pid}")
    (lab.root / "go").touch()
    lab.run([], "--native", "77")
    assert not os.path.exists(f"/proc/{pid}/exe")
    assert lab.ends(2)[1]["o"] == "ok"


def test_a_life_that_is_followed_while_it_works_stops_and_tells_nothing_more(lab):
    text = (
        '[ $U = 1 ] || [ -e go ] || {{ touch begun; trap "touch ended; exit 0" TERM; {}; }}; echo $U > "$P"'
    )
    wait = "while [ ! -e ended ]; do sleep 0.01; done"  # and it is well when it was asked to end
    tasks = []
    for unit in (1, 2, 3):
        env = {"U": str(unit), "P": {"ref": "product"}}
        tasks.append(lab.shell(unit, text.format(wait), env=env, products=lab.product(f"out/{unit}")))
    lab.batch(tasks)
    lab.close()
    first = lab.start("--native", "77")
    lab.wait_for(lambda: (lab.root / "begun").exists() and 1 in lab.ends())
    lab.wait_for(lambda: lab.of_kind("sync"))
    file = lab.job / "1.1.jsonl"
    boot = lab.of_kind("claim")[0]["boot"]
    with file.open("r+") as events:  # as if it ran on another node, which its scheduler gave up
        events.write(file.read_text().partition("\n")[0].replace(boot, "0" * len(boot)))
    (lab.root / "go").touch()
    told = len(lab.events())
    second = lab.start("--native", "77")
    assert (first.wait(10), second.wait(10)) == (0, 0)
    assert (lab.root / "ended").exists()
    assert [event["e"] for event in lab.events()[told:]] == []
    assert (sorted(lab.ends(1)), sorted(lab.ends(2))) == ([1], [2, 3])
    assert {end["o"] for end in lab.ends(2).values()} == {"ok"}
    assert sorted(os.listdir(lab.root / "out")) == ["1", "2", "3"]
    assert lab.leftovers() == []


def test_a_life_that_is_followed_publishes_nothing(lab):
    lab.batch(
        [lab.shell(1, 'touch begun; until [ -e go ]; do :; done; echo 1 > "$P"', products=lab.product("1"))]
    )
    lab.close()
    first = lab.start("--native", "77")
    lab.wait_for(lambda: (lab.root / "begun").exists())
    os.kill(first.pid, signal.SIGSTOP)  # so that it looks only when its task is over
    (lab.job / "1.2.jsonl").touch()
    (lab.root / "go").touch()
    lab.wait_for(lambda: (lab.root / ".penstock").is_dir() and list(lab.root.glob(".penstock/*.1/1")))
    os.kill(first.pid, signal.SIGCONT)
    assert first.wait(10) == 0
    assert not (lab.root / "1").exists()
    assert lab.events()[-1]["e"] == "start"


def test_the_next_life_leaves_alone_what_other_jobs_run(new_lab, lab):
    other = new_lab()
    other.batch([other.shell(1, "touch begun; sleep 1")])
    other.close()
    beside = other.start()
    other.wait_for(lambda: (other.root / "begun").exists())
    lab.batch([lab.shell(1, "[ -e go ] && exit; touch begun; sleep 60")])
    kill_in_the_middle(lab, lambda: (lab.root / "begun").exists(), "--native", "77")
    (lab.root / "go").touch()
    lab.run([], "--native", "77")
    assert lab.ends(2)[1]["o"] == "ok"
    assert beside.wait(10) == 0
    assert other.ends()[1]["o"] == "ok"


def test_a_life_in_another_container_goes_on_for_as_long_as_it_writes(lab):
    lab.spec["beat_s"] = 0.4
    lab.batch([lab.command(1, "sleep", "1.5")])
    lab.close()
    first = lab.start("--native", "77")
    lab.wait_for(lambda: lab.of_kind("start"))
    file = lab.job / "1.1.jsonl"
    claim = file.read_text().partition("\n")[0]
    space = json.loads(claim)["space"]
    with file.open("r+") as events:  # as if its namespace were not ours, and its pid nobody's
        events.write(claim.replace(space, "pid:[" + "1" * (len(space) - 6) + "]"))
    second = lab.start("--native", "77")
    assert (first.wait(10), second.wait(10)) == (0, 0)
    assert sorted(path.name for path in lab.job.glob("1.*.jsonl")) == ["1.1.jsonl"]
    assert json.loads((lab.job / "doubles.jsonl").read_text())["held"] == "77"


def test_a_life_in_another_container_that_is_silent_is_followed(lab):
    lab.spec["beat_s"] = 0.2
    lab.batch([lab.command(1, "true")])
    kill_in_the_middle(lab, lambda: lab.of_kind("claim"), "--native", "77")
    file = lab.job / "1.1.jsonl"
    claim, _, rest = file.read_text().partition("\n")
    file.write_text(json.dumps({**json.loads(claim), "space": "pid:[1]"}) + "\n" + rest)
    assert lab.run([], "--native", "77").returncode == 0
    assert len(list(lab.job.glob("1.*.jsonl"))) == 2


def test_random_kills_lose_nothing_and_repeat_nothing_that_ended(lab):
    text = 'echo $U >> ran; printf $U > "$P"; sleep 0.0$((U % 4))'
    tasks = []
    for unit in range(120):
        env = {"U": str(unit), "P": {"ref": "product"}}
        tasks.append(lab.shell(unit, text, env=env, products=lab.product(f"out/{unit}")))
    lab.function("def run(task):\n    open('ran', 'a').write(f'{task.key[0]}\\n')")
    tasks += [lab.python(unit) for unit in range(120, 600)]
    random.Random(7).shuffle(tasks)
    lab.batch(tasks, workers=2)
    lab.close()
    lives = 0
    for pause in (0.2, 0.35, 0.5, 0.3, None):
        process = lab.start("--native", "77")
        if pause is None:
            assert process.wait(30) == 0
        else:
            time.sleep(pause)
            process.kill()
            process.wait()
    ended = Counter()
    begun = Counter((lab.root / "ran").read_text().split())
    lives = len(list(lab.job.glob("1.*.jsonl")))
    for life in range(1, lives + 1):
        ends = lab.of_kind("end", life)
        assert {end["o"] for end in ends} <= {"ok"}
        for end in ends:
            ended[end["u"]] += 1
    assert ended == dict.fromkeys(range(600), 1)
    started = sum(len(lab.of_kind("start", life)) for life in range(1, lives + 1))
    assert sum(begun.values()) <= started
    assert sorted(os.listdir(lab.root / "out"), key=int) == [str(unit) for unit in range(120)]
    assert all((lab.root / f"out/{unit}").read_text() == str(unit) for unit in range(120))
    assert lab.leftovers() == []


def test_random_kills_of_workers_and_commands_give_no_task_the_products_of_another(lab):
    lab.function("def run(task):\n    task.product().write_text(str(task.key[0]))")
    tasks = []
    for unit in range(0, 150, 3):
        then = lab.python(unit + 1, products=lab.product(f"out/{unit + 1}"))
        tasks.append(lab.python(unit, products=lab.product(f"out/{unit}"), then=then))
        text = f'sleep 0.01; printf {unit + 2} > "$P"'
        tasks.append(lab.shell(unit + 2, text, products=lab.product(f"out/{unit + 2}")))
    lab.batch(tasks)
    lab.close()
    process = lab.start()
    while process.poll() is None:
        time.sleep(random.random() * 0.05)
        kill_children(process.pid)
    assert process.returncode == 0
    ends = lab.of_kind("end")
    assert max(Counter(end["u"] for end in ends).values()) == 1
    for end in ends:
        if end["o"] == "ok":
            assert end["products"]["product"][0] == f"out/{end['u']}"
            assert (lab.root / f"out/{end['u']}").read_text() == str(end["u"])
        else:
            assert "killed by SIGKILL" in end["why"]
    assert lab.leftovers() == []


def kill_children(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            child.kill()


def test_scratch_of_a_killed_life_goes_but_what_a_reason_names_stays(lab):
    lab.stage("netmc", scratch=True)
    lab.batch(
        [lab.shell(1, "exit 1", stage="netmc"), lab.shell(2, "[ -e ../../../go ] || sleep 60", stage="netmc")]
    )
    kill_in_the_middle(lab, lambda: len(lab.of_kind("start")) == 2 and lab.ends(), "--native", "77")
    (lab.root / "go").touch()
    lab.run([], "--native", "77")
    assert lab.ends(2)[2]["o"] == "ok"
    assert os.listdir(lab.root / ".penstock/scratch") == [f"{lab.token}.1.1.1.1"]


def test_workers_die_with_their_runner(lab):
    lab.function(
        "import os, time\ndef run(task):\n    open('pid', 'w').write(str(os.getpid()))\n    time.sleep(60)"
    )
    lab.batch([lab.python(1)])
    kill_in_the_middle(lab, lambda: (lab.root / "pid").exists() and (lab.root / "pid").read_text())
    pid = (lab.root / "pid").read_text()
    lab.wait_for(lambda: not os.path.exists(f"/proc/{pid}/exe"))


def test_a_start_with_another_id_leaves_one_line_and_nothing_else(lab):
    lab.batch([lab.command(1, "true")])
    lab.run([], "--native", "77")
    before = sorted(path.name for path in lab.job.iterdir())
    assert lab.run([], "--native", "78").returncode == 0
    (line,) = (lab.job / "doubles.jsonl").read_text().splitlines()
    double = json.loads(line)
    assert (double["e"], double["native"], double["held"]) == ("double", "78", "77")
    assert sorted(path.name for path in lab.job.iterdir()) == sorted([*before, "doubles.jsonl"])


def test_a_second_start_while_the_first_lives_is_a_double_too(lab):
    process = lab.start("--native", "77")
    lab.wait_for(lambda: lab.events())
    assert lab.start("--native", "77").wait(10) == 0
    assert process.poll() is None
    assert "double" in (lab.job / "doubles.jsonl").read_text()
    assert not (lab.job / "1.2.jsonl").exists()


def test_what_an_earlier_life_gave_back_is_not_run(lab):
    lab.batch([lab.shell(1, "sleep 0.5"), lab.command(2, "true")])
    process = lab.start("--native", "77")
    lab.wait_for(lambda: lab.of_kind("start"))
    process.terminate()
    process.wait(10)
    assert [event["tasks"] for event in lab.of_kind("give")] == [[[1, 2]]]
    lab.run([], "--native", "77")
    assert lab.of_kind("start", life=2) == []


def test_a_chain_goes_on_at_its_first_link_that_is_not_done(lab):
    last = lab.shell(3, "echo 3 >> ran")
    middle = lab.shell(2, "[ -e go ] || { touch begun; sleep 30; }; echo 2 >> ran", then=last)
    lab.batch(
        [lab.shell(1, "echo 1 >> ran", then=middle), lab.command(4, "false", then=lab.command(5, "true"))]
    )
    kill_in_the_middle(lab, lambda: 1 in lab.ends() and (lab.root / "begun").exists(), "--native", "77")
    (lab.root / "go").touch()
    lab.run([], "--native", "77")
    assert (lab.root / "ran").read_text().split() == ["1", "2", "3"]


def test_a_torn_last_line_of_an_earlier_life_is_no_end(lab):
    lab.batch([lab.command(1, "true")])
    lab.run([], "--native", "77")
    path = lab.job / "1.1.jsonl"
    end = next(line for line in path.read_text().splitlines(keepends=True) if '"e":"end"' in line)
    claim = path.read_text().splitlines(keepends=True)[0]
    path.write_text(claim + end[:-20])
    lab.run([], "--native", "77")
    assert list(lab.ends(2)) == [1]


def test_of_many_that_start_at_once_one_claims(lab):
    lab.batch([lab.shell(1, "echo ran >> ran; sleep 0.3")])
    lab.close()
    processes = [lab.start("--native", "77") for _ in range(4)]
    assert {process.wait(20) for process in processes} == {0}
    assert (lab.root / "ran").read_text().split() == ["ran"]
    assert not [path for path in lab.job.iterdir() if path.name.count(".") > 2]


@pytest.mark.parametrize(
    ("options", "env"), [((), {}), (("--element", "3"), {}), ((), {"SGE_TASK_ID": "undefined"})]
)
def test_an_array_element_without_an_index_claims_nothing(lab, options, env):
    lab.spec = {"elements": 2, "offsets": [0, 0]}
    done = lab.run([], *options, env=env)
    assert done.returncode == 64
    assert "elements" in done.stderr
    assert not list(lab.job.glob("*.*.jsonl"))


def test_a_folder_without_a_spec_is_wrong_use(lab, program):
    argv = [os.sys.executable, str(program), str(lab.root)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 64
    assert "spec.json" in done.stderr
