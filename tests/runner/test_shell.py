"""Scripts that are one program: the shell becomes it, and nobody sees a difference."""

import os
import re
import shutil
import signal
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.runner.shell import IS_DASH, SHELL, is_one_program, spare_child

needs_dash = pytest.mark.skipif(not IS_DASH, reason="/bin/sh is not dash here")

ONE = [
    'touch "$P_product"',
    "  sox in.wav -n stat\n",
    "/opt/bin/fit --level=3 a,b",
    "./tool 'it says ; | & $(no)' \"and $HOME\"",
    "sort < in.txt > out.txt 2>&1",
    "sort <in.txt >>out.txt 2> /dev/null",
]
MORE = [
    "touch a; touch b",
    "touch a\ntouch b",
    "touch a &",
    "touch a && touch b",
    "sort a | uniq",
    "X=1 touch a",
    "cd /tmp",
    "exec touch a",
    ". ./settings",
    "! touch a",
    "if true",
    "touch $(date)",
    "touch `date`",
    'touch "$(date)"',
    'touch "`date`"',
    "touch a # note",
    "touch a \\\n b",
    "'touch' a",
    "$P_program a",
    '"$P_program" a',
    "touch 'a",
    "touch <<EOF\nEOF",
    "(touch a)",
    "{ touch a; }",
    "touch ~/a",
    "touch() { rm a; }",
    "",
    " ",
]


@pytest.mark.parametrize("script", ONE)
def test_one_program_with_its_words_is_seen_as_such(script):
    assert is_one_program(script)


@pytest.mark.parametrize("script", MORE)
def test_whatever_may_be_more_is_left_to_the_shell(script):
    assert not is_one_program(script)


@needs_dash
def test_all_that_the_shell_itself_understands_is_left_to_it():
    dash = os.path.realpath(SHELL)
    with open(dash, "rb") as file:
        words = {word.decode() for word in re.findall(rb"[!-~]+", file.read())}
    asked = [word for word in sorted(words) if re.fullmatch(r"[a-z.:!\[\]{}]{1,12}", word)]
    said = subprocess.run(
        [SHELL, "-c", 'for w; do type "$w"; done', SHELL, *asked], capture_output=True, text=True
    ).stdout
    own = [line.split()[0] for line in said.splitlines() if line.endswith(("builtin", "keyword"))]
    assert len(own) > 50
    assert [word for word in own if is_one_program(f"{word} a")] == []


def outcome(script, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    environment = {"PATH": "/usr/bin:/bin", "P_a": "x y;'\"$(z)", "P_b": "*"}
    ran = subprocess.run(
        [SHELL, "-c", script], cwd=folder, env=environment, capture_output=True, stdin=subprocess.DEVNULL
    )
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    said = ran.stdout + ran.stderr
    return ran.returncode, said.replace(b": exec: ", b": "), files  # the one difference, of what is not found


PROGRAMS = [
    "ls",
    "/bin/ls",
    "printenv",
    "env",
    "basename",
    "expr",
    "nosuch",
    "/nosuch",
    "cd",
    "echo",
    "test",
    "if",
    "X=1",
]
PIECES = [
    " ", " ", " ", "\t", "\n", "a", "3", "-a", "a=b", "'", '"', "'a b'", '"$P_a"', '"$P_b"', "$P_b", "'$P_a'", "\\", "/",
    ">", ">>", "<", "2>&1", "1", ";", "&", "|", "&&", "#", "$", "`", "(", ")", "*", "~", "{", "}", "=",
]  # fmt: skip
SCRIPTS = st.builds(
    lambda program, rest: "".join([program, " ", *rest]),
    st.sampled_from(PROGRAMS),
    st.lists(st.sampled_from(PIECES), max_size=7),
)


@needs_dash
@settings(max_examples=300, deadline=None)
@given(SCRIPTS.filter(is_one_program))
def test_a_script_that_is_one_program_does_the_same_without_a_child(tmp_path_factory, script):
    folder = tmp_path_factory.getbasetemp() / "scripts"
    spared = spare_child([SHELL, "-c", script])[2]
    assert spared.startswith("exec ")
    assert outcome(script, folder) == outcome(spared, folder)


@pytest.mark.parametrize(
    "argv", [["/bin/sh", "-c", "touch a", "name"], ["/bin/sh", "touch a"], ["touch", "-c", "a"]]
)
def test_other_command_lines_stay_as_they_are(argv):
    assert spare_child(argv) == argv


@needs_dash
def test_a_script_of_one_program_has_no_shell_above_it(lab):
    words = lab.log(lab.end(lab.shell(1, "cat /proc/self/stat"))).split()
    assert words[1] == "(cat)"
    assert words[0] == words[4]  # it leads its own group, as the first process of its task does


def test_a_program_killed_by_a_signal_is_told_apart_by_the_code_that_a_shell_gives_it(lab):
    lab.stage(
        "known", rules=[{"exit": 128 + signal.SIGABRT, "log": None, "verdict": "veto", "why": "no signal"}]
    )
    assert lab.end(lab.command(1, "sh", "-c", "kill -ABRT $$", stage="known"))["verdict"] == "veto"


def test_a_signal_may_mean_success(lab):
    lab.stage("ends-so", ok_codes=[128 + signal.SIGPIPE])
    assert lab.end(lab.command(1, "sh", "-c", "kill -PIPE $$", stage="ends-so"))["o"] == "ok"
