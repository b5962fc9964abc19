"""Publishing that is killed before each change of a file, and by several at once: the next one ends with the same bytes."""

import os
import shutil
import signal
from pathlib import Path

from tests.kills import kill_at
from tests.publishing.conftest import NIGHTS, Sky, tree
from tests.transports.test_kills import OTHERS, code_of, start

from penstock.testing.campaigns import MadeCampaign


def killed(sky: Sky, step: int) -> int:
    """Publish, and kill that at a step; return the exit code."""

    def work() -> None:
        kill_at(step, OTHERS)
        sky.publish()

    return code_of(start(work))


def changed(sky: Sky) -> None:
    """Let a file be replaced, one be removed, and one come."""
    sky.made.write(f"raw/{NIGHTS[0]}/a.txt", "changed")
    sky.made.write(f"raw/{NIGHTS[0]}/c.txt", "new")
    assert sky.run(stale=True) == 0
    sky.define(', { stage = "parts", to = "parts/{night}-{run}" }', "")


def test_a_kill_at_any_step_is_made_good_by_the_next(done: Sky, tmp_path: Path) -> None:
    done.publish()
    before = tmp_path / "before"
    shutil.copytree(done.public, before)
    changed(done)
    done.publish()
    whole, place = tree(done.public), tmp_path / "web"
    done.define('to = "public"', f'to = "{place}"')
    step, code = 0, -1
    while code:
        step += 1
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(before, place)
        (place / "dl1/notes.txt").write_text("of somebody")
        code = killed(done, step)
        assert code in (0, -signal.SIGKILL)
        done.publish()
        found = tree(place)
        assert found.pop("dl1/notes.txt") == b"of somebody"
        assert found.pop("dl1/index.html") != whole["dl1/index.html"]
        assert found == {name: data for name, data in whole.items() if name != "dl1/index.html"}
    assert step > 20


def test_what_a_kill_left_of_another_version_is_known_as_ours(done: Sky) -> None:
    done.publish()
    whole, saved, step = tree(done.public), done.root.with_name("saved"), 0
    shutil.copytree(done.public, saved)
    done.made.write(f"raw/{NIGHTS[0]}/a.txt", "a second version")
    assert done.run(stale=True) == 0
    while (done.public / f"dl1/{NIGHTS[0]}/a.txt").read_bytes() != b"a second version":
        step += 1
        shutil.rmtree(done.public)
        shutil.copytree(saved, done.public)
        assert killed(done, step) == -signal.SIGKILL
    done.made.write(f"raw/{NIGHTS[0]}/a.txt", f"{NIGHTS[0]}a")
    assert done.run(stale=True) == 0
    done.publish()
    assert tree(done.public) == whole


def test_groups_that_are_published_at_once_need_no_lock(done: Sky) -> None:
    done.publish()
    whole = tree(done.public)
    for _ in range(5):
        shutil.rmtree(done.public)
        children = [start(lambda night=night: done.publish(unit=f'["{night}"]')) for night in NIGHTS * 2]
        assert [code_of(child) for child in children] == [0] * 4
        assert tree(done.public) == whole


def test_a_copy_of_the_campaign_elsewhere_is_another_one_by_its_name_alone(done: Sky, tmp_path: Path) -> None:
    shutil.copytree(done.root, tmp_path / "copy", symlinks=True)
    copy = Sky(MadeCampaign(tmp_path / "copy"))
    for one in (done, copy):
        one.define('to = "public"', f'to = "{tmp_path}/web"')
    done.publish()
    assert [one.sent for one in copy.publish()] == [[], []]
    assert os.listdir(tmp_path / "web/.published") == ["sky"]
