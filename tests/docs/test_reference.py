"""What is in the code is in the reference, with words."""

import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from penstock_reference import (
    api,
    commands,
    definition,
    events,
    faults,
    ledger,
    sentences,
    states,
    write_pages,
)
from penstock_reference.mistakes import MISTAKES, Mistake, provoke

from penstock.cli.root import COMMANDS
from penstock.conductor import Conductor
from penstock.config import load
from penstock.decide import RETRIES, STATES, Outcome

RUNNER = Path(str(files("penstock.runner")))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reference")
    write_pages(folder)
    return {page.stem: page.read_text("utf-8") for page in folder.iterdir()}


def wordless(path: str, command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield what of a command nobody has described."""
    if not command.help:
        yield path
    for parameter in commands.visible_parameters(command, context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Argument):
            name = parameter.make_metavar(context).strip("[].")
            if name not in (commands.spoken_for(command).help or "") and not (record and record[1]):
                yield f"{path} {name}"
        elif not record or not record[1]:
            yield f"{path} {parameter.name}"


def test_every_command_and_option_is_described(pages: dict[str, str]) -> None:
    found = list(commands.every_command())
    assert {f"penstock {name}" for name in COMMANDS} <= {path for path, _, _ in found}
    assert [text for one in found for text in wordless(*one)] == []
    assert [path for path, _, _ in found if f"## {path}\n" not in pages["commands"]] == []


def test_every_option_is_in_the_table_of_its_command(pages: dict[str, str]) -> None:
    for path, command, context in commands.every_command():
        section = pages["commands"].split(f"## {path}\n")[1].split("\n## ")[0]
        shown = commands.visible_parameters(command, context)
        missing = [o for p in shown if isinstance(p, click.Option) for o in p.opts if o not in section]
        assert (path, missing) == (path, [])


def test_a_command_without_words_is_noticed() -> None:
    command = click.Command(
        "x", help="Take a FILE.", params=[click.Option(["--deep"]), click.Argument(["file"], metavar="FILE")]
    )
    assert list(wordless("penstock x", command, click.Context(command))) == ["penstock x deep"]


def test_every_key_is_described(pages: dict[str, str]) -> None:
    keys = [pair for model in definition.SECTIONS.values() for pair in definition.keys_of(model)]
    assert [name for name, field in keys if not field.description] == []
    assert [name for name, _ in keys if f"| `{name}` |" not in pages["definition"]] == []


def test_every_table_of_a_definition_has_a_section() -> None:
    from penstock.config import schema

    named = {model.__name__ for model in definition.SECTIONS.values()} | {"SourceTable"}
    assert set(schema()["$defs"]) <= named


def test_every_state_and_outcome_has_a_meaning(pages: dict[str, str]) -> None:
    assert list(states.STATE_MEANINGS) == list(STATES)
    assert list(states.OUTCOME_MEANINGS) == list(get_args(Outcome))
    assert pages["states"].count("| `timeout` |") == 2, "once as an outcome, once in the table of retries"
    assert set(RETRIES) == set(states.OUTCOME_MEANINGS) - {"ok"}


def test_every_error_has_words_a_remedy_and_a_known_exit_code(pages: dict[str, str]) -> None:
    found = list(faults.error_classes())
    assert {error.__name__ for error in found} == set(faults.REMEDIES)
    assert {error.exit_code for error in found} <= set(faults.EXIT_CODES)
    tree = pages["errors"].split("## The tree")[1].split("```")[1]
    assert [error.__name__ for error in found if error.__name__ not in tree or not error.__doc__] == []


def test_every_mistake_is_told_with_its_place(pages: dict[str, str]) -> None:
    sentences = re.findall(r"^penstock: (.*)$", pages["errors"], re.MULTILINE)
    assert len(sentences) == len(MISTAKES)
    assert [text for text in sentences if not text.startswith("/data/winter")] == []


def test_a_mistake_that_is_none_any_more_is_noticed() -> None:
    with pytest.raises(LookupError, match="none any more"):
        provoke(Mistake("c", "r", 'name = "winter"', 'name = "summer"'))


def test_every_sentence_that_the_code_can_say_is_there(pages: dict[str, str]) -> None:
    sites = list(sentences.every_site())
    assert len(sites) > 600
    silent = [site for site in sites if not site.sentences and not site.passes_on]
    assert silent == [], "write the sentence where the error is made, or give it by name"
    page = pages["errors"].replace("\\|", "|")
    missing = {(s.file, s.line) for s in sites for text in s.sentences if sentences.as_code(text) not in page}
    assert missing == set()
    passed_on = sum(site.passes_on for site in sites if not site.sentences)
    assert passed_on < len(sites) / 20, "they say what others said, which is there"


def test_each_sentence_that_was_provoked_is_found_in_the_list(pages: dict[str, str]) -> None:
    said = re.findall(r"^penstock: (?:\S+: )?(.*)$", pages["errors"], re.MULTILINE)
    known = {text for site in sentences.every_site() for text in site.sentences if len(text.split()) > 4}
    patterns = [re.compile(".*".join(map(re.escape, text.split("…")))) for text in known]
    assert len(said) > 10
    assert [text for text in said if not any(pattern.search(text) for pattern in patterns)] == []


def test_a_sentence_is_found_where_it_is_given_by_name() -> None:
    sites = [site for site in sentences.every_site() if site.file == "config/places.py"]
    assert any("has no key" in text for site in sites for text in site.sentences), "of a model's mistake"
    (nothing,) = (
        s for s in sentences.every_site() if s.file == "ledger/hosts/location.py" and s.error == "NothingYet"
    )
    assert nothing.sentences == ("nothing has been run in … yet: start with `penstock run`",)


ALIASES = ("LineFault", "Rule")  # types by another name, with a word above them


def test_every_public_name_is_documented(pages: dict[str, str]) -> None:
    named = [
        (module, name) for _, names in api.sections().values() for module, group in names for name in group
    ]
    for module in ("penstock", "penstock.testing"):
        assert set(import_module(module).__all__) <= {name for where, name in named if where == module}
    assert [n for m, n in named if n not in ALIASES and not getattr(import_module(m), n).__doc__] == []
    assert [f"{m}.{n}" for m, n in named if f":: {m}.{n}\n" not in pages["python"]] == []


def test_every_kind_of_event_is_described() -> None:
    source = "\n".join(path.read_text() for path in RUNNER.glob("*.py"))
    written = set(re.findall(r"""\.(?:line|emit)\(\s*"(\w+)\"""", source)) | {"double"}
    assert written == set(events.KINDS)


CAMPAIGN = """
campaign = { name = "events", levels = ["file", "part"] }
units = { files = "{file}.txt", settle = "0s" }
[stage.split]
each = "file"
python = "steps:split"
expands = "part"
[stage.score]
each = "part"
command = ["sh", "-c", "exit $0", "{part}"]
rules = [{ exit = 1, verdict = "permanent", why = "odd" }]
"""
STEPS = "def split(task):\n    task.expand(part=0)\n    task.expand(part=1)\n    return {'parts': 2}\n"


def test_every_member_of_an_event_is_described(tmp_path: Path) -> None:
    for name, text in {"penstock.toml": CAMPAIGN, "steps.py": STEPS, "a.txt": ""}.items():
        (tmp_path / name).write_text(text)
    with Conductor(load(tmp_path), command="run") as conductor:
        assert conductor.run().code == 1
    seen: dict[str, set[str]] = {}
    for event in written_events(tmp_path):
        seen.setdefault(event["e"], set()).update(event.keys() - events.COMMON)
    assert {"claim", "start", "end", "batch", "leave"} <= set(seen)
    assert [kind for kind, members in seen.items() if members - set(events.KINDS[kind][1])] == []
    assert seen["end"] == set(events.KINDS["end"][1]), "this campaign shows each of them"


def written_events(root: Path) -> Iterator[dict[str, Any]]:
    for packed in root.glob(".penstock/jobs/*.zip"):
        with zipfile.ZipFile(packed) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"(.*/)?\d+\.\d+\.jsonl", name):
                    yield from map(json.loads, archive.read(name).decode().splitlines())


def test_every_table_and_column_of_the_ledger_is_in_the_reference(pages: dict[str, str]) -> None:
    db = sqlite3.connect(":memory:")
    db.executescript(files("penstock.ledger").joinpath("schema.sql").read_text("utf-8"))
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    real = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name in tables}
    assert {made.name: [c.name for c in made.columns] for made in ledger.read_tables()} == real
    assert [made.name for made in ledger.read_tables() if not ledger.meaning_of(made)] == []
    assert [name for name in tables if f"## {name}\n" not in pages["ledger"]] == []


LATER = {"host", "shared_files", "group", "fetch", "disk", "paths"}  # on the page about far ones


def test_every_key_of_a_cluster_is_used_on_the_page_about_clusters() -> None:
    from penstock.config.models import SiteTable

    page = (Path(__file__).parents[2] / "docs/howto/clusters.md").read_text("utf-8")
    table = page.split("# everything/penstock.toml")[1].split("```")[0]
    used = set(re.findall(r"^(\w+) +=", table.split("[site.cluster]")[1], re.MULTILINE))
    assert used == set(SiteTable.model_fields) - LATER - {
        "cores",
        "memory",
        "gpus",
        "partition",
        "partitions",
    }
