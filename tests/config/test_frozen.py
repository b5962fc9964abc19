"""The frozen copy is plain data that tells all of a campaign."""

import json
from collections.abc import Callable
from dataclasses import fields

from penstock.campaign import Campaign, Stage
from penstock.config import to_json

Define = Callable[..., Campaign]

TEXT = """
[stage.a]
each = "run"
command = ["prog", "{night}", "{product}"]
products = "out/{run:05d}_{night}.h5"
where = "run > 3"
resources = { memory = "2GB" }
[stage.b]
each = "campaign"
python = "x:y"
after = ["a"]
"""


def test_a_copy_is_json_and_stays_itself(define: Define):
    copy = to_json(define(TEXT))
    assert json.loads(json.dumps(copy)) == copy


def test_equal_definitions_have_equal_copies(define: Define):
    assert to_json(define(TEXT)) == to_json(define(TEXT))


def test_a_copy_has_every_key_of_every_stage(define: Define):
    a, b = to_json(define(TEXT))["stages"]
    assert {field.name for field in fields(Stage)} | {"each"} == {*a} == {*b}
    assert (a["each"], b["each"]) == ("run", "campaign")
    assert a["command"] == ["prog", "{night:%Y-%m-%d}", "{product}"]
    assert a["where"] == "run > 3"
    assert a["products"][0]["path"] == "out/{run:05d}_{night:%Y-%m-%d}.h5"
    assert a["resources"]["memory_bytes"] == 2 * 10**9
    assert b["after"] == [{"stage": "a", "key": [], "optional": False}]


def test_a_copy_has_what_keys_need_to_be_shown(define: Define):
    copy = to_json(define(TEXT))
    assert copy["levels"] == ["night", "run", "file"]
    assert copy["formats"] == {"night": "%Y-%m-%d", "run": "05d"}
    assert copy["types"]["run"] == "int"
    assert copy["sources"][0]["kind"] == "files"
