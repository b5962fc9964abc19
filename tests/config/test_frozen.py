"""The frozen copy is plain data that tells all of a campaign."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from penstock.campaign import Campaign, Stage
from penstock.config import from_json, to_json

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
    assert b["after"] == [{"stage": "a", "key": [], "optional": False, "products": []}]


def test_a_copy_has_every_key_of_the_campaign(define: Define):
    assert {field.name for field in fields(Campaign)} <= {*to_json(define(TEXT))}


def test_a_copy_has_what_keys_need_to_be_shown(define: Define):
    copy = to_json(define(TEXT))
    assert copy["levels"] == ["night", "run", "file"]
    assert copy["formats"] == {"night": "%Y-%m-%d", "run": "05d"}
    assert copy["types"]["run"] == "int"
    assert copy["sources"][0]["kind"] == "files"


HEADS = {
    "files": """
[campaign]
name = "winter"
levels = ["night", "run"]
site = "far"
[units]
files = "in/{night:%Y-%m-%d}/{run:05d}_{stream}_{chunk}.fits"
many = ["stream", "chunk"]
settle = "1min"
companions = ["in/{night}/{run}.done"]
exclude = ["*.tmp"]
derive = { half = "run % 2", big = "float(run)" }
types = { big = "float" }
complete = { night = "quiet 30min" }
[units.night]
table = "nights.csv"
derive = { year = "night[:4]" }
""",
    "python": """
[campaign]
name = "winter"
levels = ["night", "run"]
site = "far"
[units]
python = "lab:runs"
types = { run = "int" }
""",
}

RICH = """
[params]
window = 1024
[stage.split]
each = "night"
python = "lab:split"
setup = "lab:start"
expands = "run"
[stage.fit]
each = "run"
command = ["fit", "--window={param.window}", "{product.fit}"]
params = { weights = [1, 2.5], names = { a = "b" }, none = [] }
products = { fit = "out/{night}/{run}.fit", log = { path = "logs/{night}/{run}/", from = "l_*" } }
optional = "log"
after = [{ stage = "split", optional = true }]
where = "run > 3"
batch = "20min"
workers = 2
resources = { cpus = 4, memory = "2GB", walltime = "10min" }
retry = { error = { times = 2, delays = ["1s", "1min"], scale = 1.5 }, timeout = 3 }
rules = [{ exit = 3, verdict = "veto", why = "no signal" }, { log = "again", verdict = "transient" }]
ok_codes = [0, 4]
success = { log = "finished" }
scratch = true
copy_inputs = true
templates = { "fit.cfg" = "fit.cfg" }
environment = { OMP_NUM_THREADS = "1" }
version = "2"
site = "local"
[stage.look]
each = "run"
shell = true
command = "less {inputs_file.fit} > {product}"
products = "out/{night}/{run}.txt"
with = "fit"
[stage.merge]
each = "campaign"
command = ["cat", "{inputs_file.look}"]
after = ["look"]
members = "done"
empty = "run"
late = "ask"
batch = 7
site = "far"
[site.far]
scheduler = "local"
workdir = "/scratch/me"
setup = ["module load fit"]
cores = 3
group = "lab"
commands = "/opt/slurm/bin"
lines = ["#SBATCH --exclusive"]
max_walltime = "12h"
environment = { A = "b" }
"""


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_campaign_is_made_again_out_of_its_copy(define: Define, tmp_path: Path, head: str):
    (tmp_path / "fit.cfg").write_text("{param.window}")
    (tmp_path / "nights.csv").write_text("night,moon\\n")
    stages = RICH if head == HEADS["python"] else RICH.replace('expands = "run"', "")
    campaign = define(stages, "params.window=512", head=head)
    again = from_json(json.loads(json.dumps(to_json(campaign))))
    assert again == campaign
    assert again.origin == campaign.origin
    assert to_json(again) == to_json(campaign)
