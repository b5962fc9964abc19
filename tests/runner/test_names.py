"""Hostile names reach programs, products and logs unharmed."""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EVIL = [
    "a b",
    "'",
    '"',
    "$(touch evil)",
    "`id`",
    "a\nb",
    "-rf",
    "--",
    ";ls",
    "*",
    "é漢🎵",
    "\\",
    "~",
    "%s{x}",
    "x" * 255,
    "\u202e",
]
CHARACTERS = st.characters(min_codepoint=1, blacklist_categories=("Cs",), blacklist_characters="/")
NAMES = st.text(CHARACTERS, min_size=1, max_size=80).filter(
    lambda name: name not in (".", "..", ".penstock") and len(name.encode()) <= 255
)


def run_names(lab, names):
    source = "def run(task):\n    task.product().write_text(task.fields['name'])\n    print(ascii(task.fields['name']))"
    if "python" not in lab.stages:
        lab.function(source)
    tasks = []
    for unit, name in enumerate(names):
        shell = 'printf "%s" "$N" > "$P"; printf "%s\\n" "$1"'
        env = {"N": name, "P": {"ref": "product"}}
        argv = ["/bin/sh", "-c", shell, "sh", name]
        tasks.append(lab.command(unit, *argv, env=env, products=lab.product(f"c/{name}")))
        tasks.append(lab.python(1000 + unit, fields={"name": name}, products=lab.product(f"p/{name}/{name}")))
    lab.run(tasks, workers=2)


def check_names(lab, names):
    ends = lab.ends()
    for unit, name in enumerate(names):
        assert (ends[unit]["o"], ends[1000 + unit]["o"]) == ("ok", "ok"), ends[unit]
        assert lab.log(ends[unit]) == name + "\n"
        assert lab.log(ends[1000 + unit]) == ascii(name) + "\n"
        assert (lab.root / f"c/{name}").read_bytes() == name.encode()
        assert (lab.root / f"p/{name}/{name}").read_bytes() == name.encode()
    assert sorted(os.listdir(lab.root / "c")) == sorted(names)
    assert lab.leftovers() == []


def test_known_evil_names(lab):
    run_names(lab, EVIL)
    check_names(lab, EVIL)
    assert sorted(os.listdir(lab.root)) == ["c", "p"]


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.lists(NAMES, min_size=20, max_size=20, unique=True))
def test_any_name(new_lab, names):
    made = new_lab()
    run_names(made, names)
    check_names(made, names)


def test_a_name_that_is_not_utf_8_is_kept(lab):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    end = lab.end(
        lab.shell(
            1, 'printf "%s" "$N" > "$P"', env={"N": name, "P": {"ref": "product"}}, products=lab.product(name)
        )
    )
    assert end["o"] == "ok"
    assert os.listdir(os.fsencode(lab.root)) == [b"caf\xe9"]
    assert (lab.root / name).read_bytes() == b"caf\xe9"


def test_a_locale_without_unicode_changes_nothing(lab):
    name = "é漢"
    end = lab.end(
        lab.shell(1, ': > "$P"; echo "${LC_ALL-unset}"', products=lab.product(name)),
        env={"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    )
    assert end["o"] == "ok"
    assert lab.log(end) == "POSIX\n"
    assert os.listdir(lab.root) == [name]


def test_a_null_character_is_an_error_of_the_task(lab):
    end = lab.end(lab.command(1, "echo", "a\0b"))
    assert end["o"] == "error"
    assert "null" in end["why"]
