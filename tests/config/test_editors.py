"""An editor finds the schema by the first line of a definition, and never that of another penstock."""

import os
import stat

import pytest

from penstock.config.editors import FILE, LINE, begin_definition, published, renew_schema

TABLES = '[campaign]\nname = "x"\n'


@pytest.fixture
def definition(tmp_path):
    file = tmp_path / "penstock.toml"
    file.write_text(begin_definition(tmp_path) + TABLES)
    return file


def test_the_schema_of_another_penstock_is_replaced(definition):
    schema = definition.parent / FILE
    schema.write_text("{}")
    renew_schema(definition)
    assert schema.read_bytes() == published()
    before = schema.stat().st_ino
    renew_schema(definition)
    assert schema.stat().st_ino == before, "it was that of this one already"


def test_where_the_record_is_not_yet_the_schema_is_written_into_a_private_folder(tmp_path):
    file = tmp_path / "penstock.toml"
    file.write_text(f"# from a repository\n\n{LINE}{TABLES}")
    renew_schema(file)
    assert (tmp_path / FILE).read_bytes() == published()
    assert stat.S_IMODE((tmp_path / FILE).parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("text", [TABLES, "", f"{TABLES}{LINE}", f"#:schema other.json\n{TABLES}"])
def test_a_definition_that_does_not_name_it_gets_none(tmp_path, text):
    file = tmp_path / "penstock.toml"
    file.write_text(text)
    renew_schema(file)
    assert [*tmp_path.iterdir()] == [file]


def test_a_definition_in_python_or_of_a_notebook_gets_none(tmp_path):
    renew_schema(None)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder to another user")
@pytest.mark.parametrize("begun", [True, False])
def test_who_looks_at_anothers_campaign_changes_nothing_in_it(definition, begun):
    folder, schema = definition.parent, definition.parent / FILE
    schema.unlink()
    if not begun:
        schema.parent.rmdir()
    for path in (folder, *folder.iterdir()):
        os.chown(path, 1234, -1)
    renew_schema(definition)
    assert not schema.exists()
    assert schema.parent.exists() == begun


def test_a_full_or_read_only_place_stops_nothing(definition):
    schema = definition.parent / FILE
    schema.unlink()
    schema.mkdir()
    renew_schema(definition)
    assert schema.is_dir()
