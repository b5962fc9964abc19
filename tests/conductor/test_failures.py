"""Tasks that fail, tasks that kill what runs them, and commands that can never work."""

import os
import re

TYPO = """
[stage.a]
each = "unit"
command = ["sh", "-c", "ehco $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
"""

KILLER = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; [ $1 != u13 ] || kill -9 $PPID; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
batch = 10
"""


def test_a_unit_that_kills_its_runner_fails_alone(lab):
    assert lab.define(KILLER, units=30).run().code == 1
    assert lab.states("a") == {"done": 29, "failed": 1}
    assert lab.task("a", "u13")["state"] == "failed"
    assert set(lab.outcomes("a", "u13")) == {"lost"}
    assert "its runner ended without a message" in lab.task("a", "u13")["why"]


def test_those_who_were_near_a_unit_that_kills_run_twice_at_most(lab):
    lab.define(KILLER.replace("[site", "[xsite"), units=30).run()
    runs = lab.runs()
    assert max(n for unit, n in runs.items() if unit != "u13") <= 2
    assert runs["u13"] == len(lab.outcomes("a", "u13"))


def test_a_killed_worker_costs_its_task_a_retry_and_nobody_else(lab):
    lab.write("lab.py", "import os\ndef f(task):\n    open('runs', 'a').write(task.key[0] + '\\n')\n"
              "    if task.key[0] == 'u3' and not os.path.exists('once'):\n"
              "        open('once', 'w').close()\n        os.kill(os.getpid(), 9)\n")  # fmt: skip
    lab.define('[stage.p]\neach = "unit"\npython = "lab:f"\n', units=12)
    assert lab.run().code == 0
    assert lab.outcomes("p", "u3") == ["error", "ok"]
    assert lab.runs() == {f"u{n}": 2 if n == 3 else 1 for n in range(1, 13)}


BREAKER = """
[stage.a]
each = "unit"
command = ["sh", "breaker.sh", "{product}"]
products = "a/{unit}"
"""

#: what the conductor never writes, so that the runner fails in a way that nobody thought of
BREAK = """
echo half > "$1"
[ -e once ] || { touch once; echo '{"tasks": 1}' > ".penstock/jobs/${PENSTOCK%%/*}/1.revoked"; sleep 60; }
"""


def test_what_a_runner_leaves_that_fails_itself_is_removed(lab):
    lab.write("breaker.sh", BREAK)
    assert lab.define(BREAKER, units=1).run().code == 0
    assert lab.outcomes("a", "u1") == ["lost", "ok"]
    assert os.listdir(lab.root / "a") == ["u1"]
    [lost] = lab.rows("SELECT why FROM attempt WHERE outcome = 'lost'")
    said = "TypeError: 'int' object is not iterable; penstock runner: the runner itself failed"
    assert lost["why"] == f"its runner ended with: {said}"


def test_a_typo_over_a_hundred_thousand_units_stops_at_the_fuse_and_shows_what_the_command_said(lab):
    ending = lab.define(TYPO, units=100_000).run()
    assert ending.code == 1
    said = "\n".join(ending.lines)
    assert re.search(
        r"stage 'a' is paused: .* failed the same way .*exit code 127.* `penstock retry --stage a`", said
    )
    assert "ehco" in said
    assert "ehco" in lab.rows("SELECT paused_why FROM stage")[0][0]
    tried = lab.rows("SELECT count(DISTINCT unit) FROM attempt")[0][0]
    assert tried < 100
    assert sum(lab.states("a").values()) == 100_000


def test_a_paused_stage_stays_paused_until_somebody_retries_it(lab, monkeypatch):
    lab.define(TYPO, units=50).run()
    tried = lab.rows("SELECT count(*) FROM attempt")[0][0]
    assert lab.run().code == 1
    assert lab.rows("SELECT count(*) FROM attempt")[0][0] == tried
    lab.write("bin/ehco", '#!/bin/sh\necho "$@"\n').chmod(0o755)
    lab.ask("retry", stage="a")
    monkeypatch.setenv("PATH", f"{lab.root}/bin:{os.environ['PATH']}")
    assert lab.run().code == 0
    assert lab.states("a") == {"done": 50}


def test_a_stage_that_a_watching_conductor_paused_goes_on_when_somebody_retries_it(lab):
    lab.define(TYPO.replace("ehco", "[ -e mended ] && echo"), units=50).start("watch")
    paused = "SELECT 1 FROM stage WHERE paused = 'fuse'"
    lab.wait_until(lambda: lab.holder() and lab.rows(paused), "the fuse has blown")
    lab.wait_until(lambda: lab.states("a").keys() <= {"ready", "failed"}, "all was given back")
    lab.write("mended", "")
    assert lab.ask("retry", stage="a").startswith("asked:")
    lab.wait_until(lambda: lab.states("a") == {"done": 50}, "all is done")
    assert lab.command("down").returncode == 0


def test_a_changed_definition_ends_a_pause(lab):
    lab.define(TYPO, units=50).run()
    assert lab.define(TYPO.replace("ehco", "echo"), units=50).run().code == 0
    assert lab.states("a") == {"done": 50}


def test_an_exit_code_of_zero_without_the_product_is_a_failure(lab):
    lab.define('[stage.a]\neach = "unit"\ncommand = ["true"]\nproducts = "a/{unit}"\n', units=1)
    assert lab.run().code == 1
    assert lab.outcomes("a", "u1") == ["missing_product", "missing_product"]


def test_a_time_limit_is_raised_when_it_was_too_short(lab):
    stage = '[stage.a]\neach = "unit"\ncommand = ["sh", "-c", "sleep 0.7"]\nresources = { walltime = 0.5 }\nproducts = {}\n'
    assert lab.define(stage, units=1).run().code == 0
    assert lab.outcomes("a", "u1") == ["timeout", "ok"]


def test_a_stage_has_the_environment_that_it_asks_for(lab):
    stage = (
        '[stage.a]\neach = "unit"\ncommand = ["sh", "-c", "echo $COLOUR > $0", "{product}"]\nproducts = "a/{unit}"\n'
        'environment = { COLOUR = "blue" }\n[stage.p]\neach = "unit"\npython = "lab:f"\nproducts = "p/{unit}"\n'
        'environment = { COLOUR = "green" }\n'
    )
    lab.write(
        "lab.py", "import os\ndef f(task):\n    task.product().write_text(os.environ.get('COLOUR', 'none'))\n"
    )
    assert lab.define(stage, units=1).run().code == 0
    assert (lab.read("a/u1"), lab.read("p/u1")) == ("blue\n", "green")


def test_a_unit_that_kills_its_runner_is_alone_in_it_when_it_is_tried_again(lab):
    sharing = KILLER.replace("echo $1 >> runs;", "echo $1 >> runs; sleep 0.05;") + "workers = 2\n"
    assert lab.define(sharing, units=20).run().code == 1
    assert lab.states("a") == {"done": 19, "failed": 1}
    innocent = [lab.outcomes("a", f"u{n}") for n in range(1, 21) if n != 13]
    assert all(outcomes in (["ok"], ["lost", "ok"]) for outcomes in innocent)
