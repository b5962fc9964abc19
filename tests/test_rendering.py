"""From a task to argv, environment and shell text: hostile names stay one word, whatever is in them."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.campaign import After, Campaign, Product, Resources, Stage
from penstock.errors import DefinitionError
from penstock.rendering import (
    ARGV_MOST,
    LISTED_FROM,
    Line,
    Renderer,
    batch_text,
    job_spec,
    relative_to_root,
    shell_script,
    stage_spec,
)
from penstock.units import Pattern, Template

ROOT = Path("/lab/winter")
HOSTILE = [
    "a b",
    "$(id)",
    "`id`",
    "'",
    '"',
    "\\",
    "\n",
    "\n\n",
    ";",
    "-rf",
    "--",
    "*",
    "~",
    "#",
    "é漢🎈",
    "${HOME}",
    "%2F",
]
words = st.sampled_from(HOSTILE) | st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=40
)


def command(*words: str, shell: bool = False, **more: Any) -> Stage:
    return Stage("go", 1, command=tuple(Template.parse(word) for word in words), shell=shell, **more)


def render(stage: Stage, values: Mapping[str, Any], inputs: Mapping[str, Any] | None = None) -> Line:
    campaign = Campaign("winter", ROOT, ("file",), (), (stage,), {})
    lists: list[Sequence[str]] = []

    def list_file(paths: Sequence[str]) -> str:
        lists.append(paths)
        return f"inputs-{len(lists)}.txt"

    return Renderer(stage, campaign, list_file=list_file).line(7, "label", ["k"], values, inputs or {})


def said_by_sh(data: Mapping[str, Any]) -> list[str]:
    """Run a rendered shell task for real; return the words that its `printf '%s\\0'` writes."""
    env = {"PATH": os.defpath, **{name: resolved(item) for name, item in data["env"].items()}}
    done = subprocess.run(data["argv"], env=env, capture_output=True, check=True, cwd="/")
    return done.stdout.decode().split("\0")[:-1]


def resolved(item: Any) -> str:
    if isinstance(item, str):
        return item
    return "".join(map(resolved, item)) if isinstance(item, list) else f"<{item['ref']}>"


# --- argv -----------------------------------------------------------------------------------------


@given(words, words)
@example("-rf", "$(touch /tmp/never)")
def test_a_placeholder_is_one_argument_whatever_is_in_it(value: str, param: str) -> None:
    stage = command("prog", "{name}", "--label={name}:{param.p}", "{param.p}", params={"p": param})
    assert render(stage, {"name": value}).data["argv"] == ["prog", value, f"--label={value}:{param}", param]


@given(words)
def test_a_path_never_looks_like_an_option(path: str) -> None:
    argv = render(command("prog", "{path}", "--in={path}"), {"path": path}).data["argv"]
    shown = path if path.startswith("/") else f"./{path}"
    assert argv == ["prog", shown, f"--in={shown}"]


def test_in_a_scratch_folder_a_path_is_absolute() -> None:
    argv = render(command("prog", "{path}", scratch=True), {"path": "-in/a.wav"}).data["argv"]
    assert argv == ["prog", "/lab/winter/-in/a.wav"]


def test_inputs_that_are_copied_are_references_to_their_copies() -> None:
    words = ("cat", "{path}", "--in={inputs.dl1}", "{inputs.dl1.plot}", "@{inputs_file.dl1}")
    stage = command(*words, scratch=True, copy_inputs=True)
    data = render(stage, {"path": "-a b"}, {"dl1": [("plot", "x")], "dl2": [("plot", "y")]}).data
    copy = {"ref": "input.x"}
    list_file = ["@", {"ref": "inputs_file.dl1"}]
    assert data["argv"] == ["cat", {"ref": "input.-a b"}, ["--in=", copy], copy, list_file]
    assert data["inputs"] == {"dl1": ["x"]}


def test_too_many_inputs_to_copy_are_refused_as_well() -> None:
    made = {"dl1": [("product", "x" * 100 + str(n)) for n in range(ARGV_MOST // 100)]}
    with pytest.raises(DefinitionError, match="inputs_file"):
        render(command("cat", "{inputs.dl1}", scratch=True, copy_inputs=True), {}, made)


def test_many_paths_are_many_arguments() -> None:
    line = render(command("cat", "{paths}"), {"paths": ["-a", "b c", "/d"]})
    assert line.data["argv"] == ["cat", "./-a", "./b c", "/d"]


def test_the_products_of_an_upstream_are_arguments_all_or_by_name() -> None:
    made = {"dl1": [("data", "a.h5"), ("plot", "a.png"), ("data", "b.h5")]}
    line = render(command("cat", "{inputs.dl1.data}", "{inputs.dl1}"), {}, made)
    assert line.data["argv"] == ["cat", "./a.h5", "./b.h5", "./a.h5", "./a.png", "./b.h5"]


def test_an_upstream_without_products_is_no_argument() -> None:
    assert render(command("cat", "{inputs.dl1}"), {}).data["argv"] == ["cat"]


def test_several_values_within_one_word_are_refused() -> None:
    made = {"dl1": [("product", "a"), ("product", "b")]}
    with pytest.raises(DefinitionError, match="stands for 2 values within one word"):
        render(command("cat", "--in={inputs.dl1}"), {}, made)
    assert render(command("cat", "--in={inputs.dl1}"), {}, {"dl1": [("product", "a")]}).data["argv"] == [
        "cat",
        "--in=./a",
    ]


def test_more_than_an_argument_list_holds_is_refused_with_the_remedy() -> None:
    made = {"dl1": [("product", "x" * 100 + str(n)) for n in range(ARGV_MOST // 100)]}
    with pytest.raises(DefinitionError, match="inputs_file"):
        render(command("cat", "{inputs.dl1}"), {}, made)


def test_a_list_file_holds_what_would_be_too_many_arguments() -> None:
    made = {"dl1": [("product", f"{n}.h5") for n in range(LISTED_FROM + 1)]}
    data = render(command("merge", "@{inputs_file.dl1}"), {}, made).data
    assert data["argv"] == ["merge", ["@", {"ref": "inputs_file.dl1"}]]
    assert data["inputs"] == {"dl1": {"list": "inputs-1.txt", "count": LISTED_FROM + 1}}


def test_what_only_the_runner_knows_stays_a_reference() -> None:
    products = (Product("psd", Pattern.parse("s/{file}.npz")), Product("plot", Pattern.parse("s/{file}.png")))
    stage = command("go", "{product}", "-o={product.plot}!", "{scratch}", "{outdir}", products=products)
    data = render(stage, {"file": "a"}).data
    assert data["argv"][1:] == [
        {"ref": "product.psd"},
        ["-o=", {"ref": "product.plot"}, "!"],
        {"ref": "scratch"},
        {"ref": "outdir"},
    ]
    assert {name: made["path"] for name, made in data["products"].items()} == {
        "psd": "s/a.npz",
        "plot": "s/a.png",
    }


def test_the_cores_of_a_unit_are_known_to_its_command() -> None:
    assert render(command("go", "-j{cpus}", resources=Resources(cpus=3)), {}).data["argv"] == ["go", "-j3"]


@given(words)
def test_no_name_leaves_the_folder_of_its_product(name: str) -> None:
    stage = command("go", products=(Product("product", Pattern.parse("out/{file}.npz")),))
    try:
        line = render(stage, {"file": name})
    except DefinitionError:
        assert name in (".", "..")
        return
    assert Path(os.path.normpath(line.products[0][1])).parent == Path("out")


# --- shell ----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(words, words, words)
@example("-rf", "$(touch /tmp/never)", "'; exit 3 #")
def test_every_placeholder_of_a_shell_command_is_one_word_to_the_shell(
    name: str, path: str, param: str
) -> None:
    stage = command("printf '%s\\0' x{name} {path} {param.p}", shell=True, params={"p": param})
    shown = path if path.startswith("/") else f"./{path}"
    assert said_by_sh(render(stage, {"name": name, "path": path}).data) == [f"x{name}", shown, param]


def test_the_script_is_the_same_for_every_unit() -> None:
    stage = command("sort {path} > {product}", shell=True, products=(Product("product", Pattern.parse("o")),))
    assert shell_script(stage)[0] == 'sort "$P_path" > "$P_product"'
    one, other = (render(stage, {"path": path}).data for path in ("a", "$(id)"))
    assert one["argv"] == other["argv"] == ["/bin/sh", "-c", 'sort "$P_path" > "$P_product"']
    assert other["env"] == {"P_path": "./$(id)", "P_product": {"ref": "product.product"}}


def test_two_placeholders_with_one_shell_name_do_not_mix() -> None:
    stage = command("printf '%s\\0' {a.b} {a_b} {n:03d} {n}", shell=True, params={})
    data = render(stage, {"a.b": "dotted", "a_b": "plain", "n": 7}).data
    assert said_by_sh(data) == ["dotted", "plain", "007", "7"]


def test_braces_that_are_doubled_are_the_shell_s_own() -> None:
    stage = command("v={name}; printf '%s\\0' \"${{v}}s\"", shell=True)
    assert said_by_sh(render(stage, {"name": "a b"}).data) == ["a bs"]


# --- Python stages, batches, spec -----------------------------------------------------------------


def test_a_python_task_travels_with_its_fields_and_inputs() -> None:
    stage = Stage("go", 1, python="lab:go", after=(After("dl1"),))
    made = {"dl1": [("data", "a.h5"), ("plot", "a.png")]}
    data = render(stage, {"file": "x", "gain": 2.5}, made).data
    assert data["fields"] == {"file": "x", "gain": 2.5}
    assert data["inputs"] == {"dl1": ["a.h5", "a.png"], "dl1.data": ["a.h5"], "dl1.plot": ["a.png"]}


@given(st.lists(st.fixed_dictionaries({"u": st.integers(), "k": words}), min_size=1, max_size=5))
def test_a_batch_is_a_header_and_as_many_lines_as_it_says(lines: list[dict[str, Any]]) -> None:
    text = batch_text(3, 2, lines)
    head, _, body = text.partition(b"\n")
    size = {"batch": 3, "workers": 2, "tasks": len(lines), "bytes": len(body)}
    assert json.loads(head).items() >= size.items()
    assert [json.loads(line) for line in body.split(b"\n")[:-1]] == lines


def test_the_spec_says_of_a_stage_what_the_runner_needs() -> None:
    stage = command("go", resources=Resources(2, 10**9, 60.0), expands=2)
    campaign = Campaign(
        "winter", ROOT, ("file", "roi"), (), (stage,), {}, types={"at": "datetime", "n": "int"}
    )
    spec = stage_spec(stage, 4, campaign, time_scale=2.0)
    assert (spec["id"], spec["limit_s"], spec["memory_bytes"], spec["expands"]) == (4, 120.0, 10**9, "roi")
    assert spec["types"] == {"at": "datetime"}
    written = json.loads(job_spec("pabc", campaign, {"go": spec}, elements=1))
    assert (written["format"], written["token"], written["root"]) == (1, "pabc", str(ROOT))


def test_the_spec_says_of_a_function_what_the_definition_knew_when_it_was_frozen(tmp_path: Path) -> None:
    (tmp_path / "json.py").touch()
    stage = Stage(
        "go", 1, python="lab.fits:fit", setup="json:loads", code={"lab/fits.py": "d1", "lab.py": "d2"}
    )
    spec = stage_spec(stage, 1, Campaign("winter", tmp_path, ("file",), (), (stage,), {}))
    assert spec["python"] == {"function": "lab.fits:fit", "file": "lab/fits.py"}
    assert spec["setup"] == "json:loads"
    assert stage_spec(command("go"), 1, Campaign("x", ROOT, ("file",), (), (), {}))["python"] is None


def test_a_path_within_the_campaign_is_named_from_there() -> None:
    assert relative_to_root(ROOT / "a/b", ROOT) == "a/b"
    assert relative_to_root(Path("/elsewhere/b"), ROOT) == "/elsewhere/b"
