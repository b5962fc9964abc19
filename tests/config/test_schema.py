"""The published JSON Schema says what the models say."""

import json
import tomllib

import jsonschema
import pytest

from penstock.config import schema
from penstock.config.editors import published


def test_the_published_schema_is_up_to_date():
    assert json.loads(published()) == schema(), "run tools/schema.py"


def test_every_key_has_a_description():
    nameless = [
        f"{table['title']}.{name}"
        for table in [schema(), *schema()["$defs"].values()]
        for name, key in table.get("properties", {}).items()
        if "description" not in key
    ]
    assert not nameless


def test_keys_are_named_as_people_write_them():
    keys = schema()["$defs"]["StageTable"]["properties"]
    assert {"with", "each", "after"} <= {*keys}
    assert "follows" not in keys


def test_unknown_keys_are_marked_by_editors():
    assert schema()["additionalProperties"] is False
    assert schema()["$defs"]["StageTable"]["additionalProperties"] is False


GOOD = """
[campaign]
name = "x"
levels = ["run", "file"]
[units]
files = "a/{run}/{file}.wav"
settle = "1min"
many = "stream"
[units.run]
table = "runs.csv"
[stage.a]
each = "file"
command = ["true"]
products = "a/{file}"
after = "b"
batch = "20min"
retry = { error = 3, timeout = { times = 1, delays = ["1min", 5] } }
resources = { memory = "2GB", walltime = 60 }
[stage.b]
each = "file"
python = "a:b"
products = { x = "a/{file}", y = { path = "b/{file}", from = "*.h5" } }
after = ["c", { stage = "d", optional = true }]
batch = 3
"""


def test_a_good_definition_pleases_an_editor():
    jsonschema.validate(tomllib.loads(GOOD), schema())


@pytest.mark.parametrize(
    ("old", "new"), [("batch =", "bach ="), ('"true"', "3"), ("times = 1", 'times = "a"')]
)
def test_a_wrong_definition_does_not(old: str, new: str):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(GOOD.replace(old, new)), schema())
