"""One element from its claim to its leave."""

import json
import time

from penstock.rendering import batch_text
from penstock.runner.feed import Feed
from penstock.runner.sealed import seal


def test_a_command_leaves_its_product_under_its_name(lab):
    end = lab.end(lab.shell(7, 'printf hello > "$P"; echo said', products=lab.product("out/7.txt")))
    assert (lab.root / "out/7.txt").read_text() == "hello"
    assert end["o"] == "ok"
    assert end["code"] == 0
    assert end["products"]["product"] == [
        "out/7.txt",
        5,
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        (lab.root / "out/7.txt").stat().st_mtime_ns,
    ]
    assert lab.log(end) == "said\n"
    assert lab.leftovers() == []


def test_every_line_names_the_job_and_is_numbered(lab):
    before = time.time()
    lab.run([lab.command(1, "true"), lab.command(2, "true")])
    after = time.time()
    events = lab.events()
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert {(event["t"], event["i"], event["l"]) for event in events} == {(lab.token, 1, 1)}
    assert [event["e"] for event in events] == [
        "claim", "start", "end", "start", "end", "batch", "sync", "leave",
    ]  # fmt: skip
    assert all(before - 0.01 <= event["at"] <= after + 0.01 for event in events), "rounded to milliseconds"


def test_the_claim_says_who_holds_the_element(lab):
    lab.run([], "--native", "4711")
    claim = lab.events()[0]
    assert claim["e"] == "claim"
    assert claim["native"] == "4711"
    assert {"host", "boot", "pid", "start", "python", "runner"} <= set(claim)


def test_an_end_tells_what_was_used(lab):
    lab.function("def run(task):\n    sum(range(3_000_000))\n    return {'n': 3}")
    lab.run([lab.python(1), lab.shell(2, "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")])
    for end in lab.ends().values():
        assert 0 < end["cpu"] <= end["wall"] * 1.5
        assert end["rss"] > 1_000_000
    assert lab.ends()[1]["result"] == {"n": 3}


def test_a_feed_is_followed_while_it_grows(lab):
    lab.batch([lab.command(1, "true")])
    lab.start()
    lab.wait_for(lambda: lab.of_kind("batch"))
    lab.batch([lab.command(2, "true")])
    lab.wait_for(lambda: 2 in lab.ends())
    lab.close()
    lab.wait_for(lambda: lab.of_kind("leave"))
    assert [event["number"] for event in lab.of_kind("batch")] == [1, 2]


def test_a_batch_is_taken_only_when_all_its_bytes_are_there(lab):
    whole = json.dumps(lab.command(1, "true")) + "\n"
    header = json.dumps({"batch": 1, "workers": 1, "tasks": 1, "bytes": len(whole)}) + "\n"
    with (lab.job / "tasks.jsonl").open("a") as file:
        for part in (header[:5], header[5:] + whole[:10]):
            file.write(part)
            file.flush()
            if not lab.started:
                lab.start()
            time.sleep(0.2)
            assert lab.of_kind("start") == []
        file.write(whole[10:])
    lab.wait_for(lambda: lab.ends())


def test_batches_past_the_closing_count_are_left_alone(lab):
    lab.batch([lab.command(1, "true")])
    lab.close()
    lab.batch([lab.command(2, "true")])
    lab.start().wait(20)
    assert list(lab.ends()) == [1]
    assert lab.of_kind("give") == []


def test_an_idle_feed_is_left(lab):
    lab.spec["idle_s"] = 0.3
    process = lab.start()
    assert process.wait(10) == 0
    assert lab.events()[-1]["why"] == "idle"


def test_an_empty_batch_is_through_at_once(lab):
    lab.batch([])
    lab.run([lab.command(1, "true")])
    assert [event["number"] for event in lab.of_kind("batch")] == [1, 2]


def test_an_element_of_an_array_reads_its_own_batch(lab):
    lab.spec = {"feed": False, "elements": 2}
    lab.spec["offsets"] = [lab.batch([lab.command(1, "true")]), lab.batch([lab.command(2, "true")])]
    lab.run([], env={"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_JOB_ID": "99"})
    assert [event["u"] for event in lab.of_kind("end", element=2)] == [2]
    assert lab.events(element=2)[0]["native"] == "99"
    assert lab.of_kind("batch", element=2) == []
    assert lab.events(element=1) == []


def test_no_more_tasks_run_at_a_time_than_the_batch_says(lab):
    lab.run([lab.command(unit, "sleep", "0.2") for unit in range(8)], workers=3)
    assert {event["w"] for event in lab.of_kind("start")} == {1, 2, 3}
    spans = [(end["at"] - end["wall"], end["at"]) for end in lab.ends().values()]
    together = [sum(begin < middle < end for begin, end in spans) for middle in (b + 0.1 for b, _ in spans)]
    assert max(together) == 3


def test_a_task_that_needs_the_whole_element_waits_until_it_is_alone(lab):
    lab.batch([lab.command(1, "sleep", "0.2"), lab.command(2, "sleep", "0.2")], workers=2)
    lab.run([lab.command(3, "true")], workers=1)
    begun = next(event["at"] for event in lab.of_kind("start") if event["u"] == 3)
    assert begun >= max(lab.ends()[1]["at"], lab.ends()[2]["at"])


def test_a_follower_runs_in_the_same_worker_and_finds_the_product(lab):
    lab.function("def run(task):\n    return {'text': open('out/1').read()}")
    first = lab.shell(1, 'printf 42 > "$P"', products=lab.product("out/1"))
    lab.run(
        [{**first, "then": lab.python(1, then=lab.command(5, "true"))}, lab.command(2, "true")], workers=2
    )
    ends = lab.of_kind("end")
    chain = [end for end in ends if end["u"] != 2]
    assert [(end["s"], end["u"], end["o"]) for end in chain] == [(1, 1, "ok"), (2, 1, "ok"), (1, 5, "ok")]
    assert chain[1]["result"] == {"text": "42"}
    assert len({end["w"] for end in chain}) == 1


def test_the_end_of_a_failure_speaks_for_its_followers_too(lab):
    lab.run([lab.command(1, "false", then=lab.command(2, "true", then=lab.command(3, "true")))])
    assert [event["e"] for event in lab.events()] == ["claim", "start", "end", "batch", "sync", "leave"]
    assert lab.ends()[1]["o"] == "error"


def test_a_chain_is_not_held_up_by_the_grouping(lab):
    chain = lab.shell(1, ':> "$P"', products=lab.product("c"))
    chain = lab.shell(2, ':> "$P"', products=lab.product("b"), then=chain)
    chain = lab.shell(3, ':> "$P"', products=lab.product("a"), then=chain)
    lab.run([chain])
    starts = [event["at"] for event in lab.events() if event["e"] == "start"]
    assert starts[-1] - starts[0] < 0.7


def test_thousands_of_tiny_functions_are_all_told_of_once(lab):
    lab.function("def run(task):\n    return {'unit': task.key[0]}")
    lab.run([lab.python(unit) for unit in range(3000)], workers=2)
    ends = lab.of_kind("end")
    assert sorted(end["u"] for end in ends) == list(range(3000))
    assert all(end["result"] == {"unit": end["u"]} for end in ends)
    assert len(lab.of_kind("start")) == 3000
    started = set()
    for event in lab.events():
        if event["e"] == "start":
            started.add(event["u"])
        assert event["e"] != "end" or event["u"] in started


def test_beats_tell_memory_and_free_disk(lab):
    lab.spec["beat_s"] = 0.1
    lab.run([lab.command(1, "sleep", "1.2")])
    beat = lab.of_kind("beat")[0]
    assert beat["rss"] > 1_000_000
    assert beat["free"] > 0


class SlowFeed(Feed):
    """A feed whose reader sleeps after a look at `closed`, until `meanwhile` has happened."""

    def over(self):
        answer = super().over()
        self.meanwhile()
        return answer


def test_a_batch_that_comes_after_the_feed_was_closed_never_counts(lab):
    feed = SlowFeed(str(lab.job), offset=0, growing=True)

    def close_and_add():
        lab.close()
        lab.batch([lab.command(1, "true")])
        feed.meanwhile = lambda: None

    feed.meanwhile = close_and_add
    assert feed.next_batch() is None
    assert feed.next_batch() is None
    assert feed.over()


def test_a_job_that_is_removed_is_left(lab):
    lab.batch([lab.command(1, "true")])
    process = lab.start()
    lab.wait_for(lab.ends)  # it has all its files open
    for path in lab.job.iterdir():
        path.unlink()
    assert process.wait(10) == 0


def test_an_element_leaves_a_damaged_task_file_and_blames_no_disk(lab):
    with (lab.job / "tasks.jsonl").open("a") as file:
        file.write("no header\n")
    lab.start().wait(20)
    assert lab.of_kind("halt") == []
    (leave,) = lab.of_kind("leave")
    assert "tasks.jsonl is damaged: it is no batch header" in leave["why"]


def test_an_element_runs_no_task_of_a_batch_with_other_bytes_than_were_written(lab):
    text = batch_text(1, 1, [lab.command(1, "touch", "one"), lab.command(2, "touch", "two")])
    (lab.job / "tasks.jsonl").write_bytes(text.replace(b'"two"', b'"twp"'))
    lab.start().wait(20)
    assert not (lab.root / "one").exists()
    assert "holds other tasks than were written" in lab.of_kind("leave")[0]["why"]


def test_a_damaged_spec_is_refused_before_anything_is_claimed(lab):
    lab.write_spec()
    whole = seal((lab.job / "spec.json").read_bytes())
    lab.write_spec = lambda: (lab.job / "spec.json").write_bytes(whole.replace(b'"winter"', b'"wintes"'))
    done = lab.run([lab.command(1, "true")])
    assert done.returncode == 64
    assert "it is damaged" in done.stderr
    assert lab.events() == []
