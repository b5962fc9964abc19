"""A definition becomes one frozen campaign."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import (
    After,
    Allowance,
    Campaign,
    FileSource,
    FunctionSource,
    Resources,
    Rule,
    TableSource,
)
from penstock.config import load
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]


def test_a_stage_has_all_that_was_written(define: Define):
    campaign = define("""
[params]
window = 1024
unused = 1
[stage.prepare]
each = "file"
command = ["prepare", "{path}", "{product}"]
products = "prepared/{file}_{run}.wav"
[stage.spectrogram]
each = "file"
command = ["spectra", "--window={param.window}", "{inputs.prepare}", "-o", "{product.psd}"]
products = { psd = "spectra/{file}_{run}.npz", picture = { path = "spectra/{file}_{run}.png", from = "*.png" } }
optional = ["picture"]
after = "prepare"
where = "run > 5"
params = { overlap = 0.5 }
batch = "20min"
batch_wait = 30
workers = 4
resources = { memory = "2GB", walltime = "10min", cpus = 2 }
retry = { error = 0, timeout = { times = 3, delays = ["1min", 300], scale = 2 } }
rules = [{ exit = 3, verdict = "veto", why = "no signal" }]
ok_codes = [0, 2]
success = { log = "all done" }
scratch = true
environment = { OMP_NUM_THREADS = "1" }
version = "2"
""")
    stage = campaign.stage("spectrogram")
    assert (stage.level, stage.workers, stage.batch, stage.batch_wait_s) == (3, 4, 1200.0, 30.0)
    assert stage.resources == Resources(2, 2 * 10**9, 600.0)
    assert stage.retry == {"error": Allowance(0), "timeout": Allowance(3, (60.0, 300.0), 2.0)}
    assert stage.rules == (Rule("veto", 3, None, "no signal", name="1"),)
    assert stage.params == {"window": 1024, "overlap": 0.5}
    assert stage.after == (After("prepare"),)
    assert [(p.name, p.optional, p.taken_from) for p in stage.products] == [
        ("psd", False, None),
        ("picture", True, "*.png"),
    ]
    assert (stage.ok_codes, stage.success_log, stage.scratch, stage.version) == (
        (0, 2),
        "all done",
        True,
        "2",
    )
    assert stage.where is not None
    assert stage.where.evaluate({"run": 6}) is True


def test_a_folder_may_be_given_as_text(define: Define):
    campaign = define('[stage.a]\neach = "file"\ncommand = ["true"]\n')
    assert load(str(campaign.root)) == campaign


def test_units_know_their_levels_types_and_formats(define: Define):
    campaign = define('[stage.a]\neach = "run"\ncommand = ["true"]\n')
    assert campaign.levels == ("night", "run", "file")
    assert {level: campaign.types[level] for level in campaign.levels} == {
        "night": "datetime",
        "run": "int",
        "file": "str",
    }
    assert campaign.formats == {"night": "%Y-%m-%d", "run": "05d"}


def test_a_product_names_a_time_in_the_format_of_its_level(define: Define):
    stage = define('[stage.a]\neach = "run"\ncommand = ["true"]\nproducts = "out/{night}_{run}.h5"\n').stage(
        "a"
    )
    assert stage.products[0].path.format({"night": "2020-01-17T00:00:00Z", "run": 7}) == "out/2020-01-17_7.h5"


def test_stages_come_after_their_upstreams(define: Define):
    text = """
[stage.c]
each = "campaign"
command = ["true"]
after = ["b", "a"]
[stage.b]
each = "night"
command = ["true"]
after = "a"
[stage.a]
each = "run"
command = ["true"]
"""
    assert [stage.name for stage in define(text).stages] == ["a", "b", "c"]


def test_an_expander_comes_before_what_runs_on_its_children(tmp_path: Path):
    (tmp_path / "penstock.toml").write_text("""
[campaign]
name = "spt"
levels = ["source", "roi"]
[units]
files = "data/{source}.txt"
[stage.infer]
each = "roi"
command = ["infer", "{anything}"]
[stage.tessellate]
each = "source"
python = "a.b:f"
expands = "roi"
""")
    campaign = load(tmp_path)
    assert [stage.name for stage in campaign.stages] == ["tessellate", "infer"]
    assert campaign.stage("tessellate").expands == 2


def test_sources_stand_at_the_finest_level_they_name(tmp_path: Path):
    (tmp_path / "runs.csv").write_text("night,run,kind\n2020-01-17,1,DATA\n")
    (tmp_path / "penstock.toml").write_text("""
[campaign]
name = "x"
levels = ["night", "run", "subrun"]
[units]
files = "r0/{night:%Y%m%d}/{run:05d}.{subrun:04d}_{stream}.h5"
many = "stream"
derive = { parity = "'even' if subrun % 2 == 0 else 'odd'" }
complete = { night = "not_before 08:00 next day", run = "file {night}.done", campaign = "quiet 30 min", subrun = "count size" }
[units.run]
table = "runs.csv"
[units.night]
python = "nights:find"
[stage.a]
each = "subrun"
where = "kind == 'DATA' and parity == 'even'"
python = "nights:f"
""")
    night, run, subrun = load(tmp_path).sources
    assert isinstance(night, FunctionSource)
    assert isinstance(run, TableSource)
    assert isinstance(subrun, FileSource)
    assert [source.level for source in (night, run, subrun)] == [1, 2, 3]
    assert run.types == {"night": "datetime", "run": "int"}
    assert subrun.many == ("stream",)
    assert run.path == tmp_path / "runs.csv"


def test_a_level_may_be_derived(tmp_path: Path):
    (tmp_path / "penstock.toml").write_text("""
[campaign]
name = "x"
levels = ["instrument", "experiment"]
[units]
files = "{experiment}.h5"
derive = { instrument = "upper(experiment[:3])" }
[stage.a]
each = "instrument"
command = ["true"]
""")
    assert load(tmp_path).sources[0].level == 2


def test_a_follower_waits_for_its_leader_alone_and_takes_its_condition(define: Define):
    campaign = define("""
[stage.a]
each = "file"
where = "run > 3"
command = ["true"]
[stage.b]
each = "file"
with = "a"
command = ["true"]
""")
    follower = campaign.stage("b")
    assert (follower.follows, follower.after) == ("a", (After("a"),))
    assert follower.where == campaign.stage("a").where


def test_the_local_site_is_always_there(define: Define):
    campaign = define(
        '[stage.a]\neach = "run"\ncommand = ["true"]\n[site.far]\nscheduler = "pbs"\nhost = "far"\nmax_jobs = 50\n'
    )
    assert campaign.sites["local"].scheduler == "local"
    assert (campaign.sites["far"].max_jobs, campaign.sites["far"].host) == (50, "far")


def test_a_file_can_be_named_in_place_of_its_folder(define: Define, tmp_path: Path):
    define('[stage.a]\neach = "run"\ncommand = ["true"]\n')
    assert load(tmp_path / "penstock.toml").root == tmp_path


def test_a_folder_without_definition_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(
        DefinitionError,
        match=r"neither penstock\.toml nor campaign\.py; create a campaign with `penstock init`",
    ):
        load(tmp_path)


def test_a_missing_file_says_so(tmp_path: Path):
    with pytest.raises(DefinitionError, match=r"nowhere\.toml does not exist"):
        load(tmp_path / "nowhere.toml")


def test_shell_text_is_one_template(define: Define):
    stage = define(
        '[stage.a]\neach = "file"\nshell = true\ncommand = "sox {path} -n stat 2> /dev/null"\n'
    ).stage("a")
    assert [template.names for template in stage.command] == [("path",)]


def test_dates_in_parameters_become_text(define: Define):
    stage = define(
        '[stage.a]\neach = "run"\npython = "a:b"\nparams = { since = 2020-01-17, at = 2020-01-17T10:00:00Z }\n'
    ).stage("a")
    assert stage.params == {"since": "2020-01-17", "at": "2020-01-17T10:00:00Z"}


def test_no_units_are_needed_for_a_stage_of_the_campaign(define: Define):
    head = '[campaign]\nname = "x"\nlevels = ["file"]\n'
    assert define('[stage.a]\neach = "campaign"\ncommand = ["true"]\n', head=head).stages[0].level == 0


@pytest.mark.parametrize(
    "text",
    ["cat {path} 'a b' > {product}", "echo \"x\" {path}", "echo it\\\\'s {path}", "cat {path} # don't\ncat {path}",
     "# it's {path}\nls {path}",
     "cat <<EOF\nit's\nEOF\ncat {path}", "cat <<< {path}", "echo a#'b' {path}", "sed 's/#/x/' {path}"],
)  # fmt: skip
def test_placeholders_outside_quotes_are_fine_in_shell_text(define: Define, text: str):
    stage = define(
        f'[stage.a]\neach = "file"\nshell = true\nproducts = "o/{{file}}_{{run}}"\ncommand = """\n{text}"""\n'
    ).stage("a")
    assert "path" in stage.command[0].names


def test_a_product_path_may_have_parameters(define: Define):
    text = '[params]\nfs = 48000\n[stage.a]\neach = "run"\ncommand = ["true"]\nparams = { w = "a/b{" }\n'
    stage = define(text + 'products = "{param.fs:06d}/{param.w}/{night}_{run}.h5"\n').stage("a")
    assert (
        stage.products[0].path.format({"night": "2020-01-17T00:00:00Z", "run": 7})
        == "048000/a%2Fb{/2020-01-17_7.h5"
    )


def test_one_product_of_an_upstream_can_be_named(define: Define):
    text = """
[stage.a]
each = "file"
command = ["true"]
products = { x = "a/{file}_{run}_{night}", y = "b/{file}_{run}_{night}" }
[stage.b]
each = "file"
command = ["cat", "--in={inputs.a.x}", "{inputs.a}"]
after = "a"
"""
    assert define(text).stage("b").command[1].names == ("inputs.a.x",)


@pytest.mark.parametrize("types", ["", 'types = { calib_night = "datetime" }'])
def test_a_field_names_an_upstream_when_it_has_the_type_of_its_level(
    define: Define, tmp_path: Path, types: str
):
    (tmp_path / "runs.csv").write_text("night,run,calib_night\n")
    text = f"""
[units.run]
table = "runs.csv"
{types}
[stage.calibrate]
each = "night"
command = ["true"]
[stage.a]
each = "run"
command = ["true"]
after = [{{ stage = "calibrate", key = ["{{calib_night}}"] }}]
"""
    if types:
        assert define(text).stage("a").after[0].key[0].names == ("calib_night",)
    else:
        with pytest.raises(DefinitionError, match="which is str, for the level 'night', which is datetime"):
            define(text)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [("int(stem)", "int"), ("stem[:3]", "str"), ("begin[:10]", "str"), ("begin", "datetime"), ("number // 2", "int"),
     ("'a' if number > 3 else 'b'", "str"), ("number > 3", "bool"), ("len(stem) + 1", "int"), ("stem + 1", None)],
)  # fmt: skip
def test_a_derived_field_has_the_type_that_its_expression_tells(
    define: Define, expression: str, kind: str | None
):
    head = f"""
[campaign]
name = "x"
levels = ["file"]
[units]
files = "{{number:d}}_{{begin:%Y%m%d}}_{{file}}.wav"
derive = {{ extra = "{expression}" }}
"""
    assert define("", head=head).types.get("extra") == kind


def test_a_stage_runs_where_it_says_else_where_the_campaign_says_and_a_follower_with_its_leader(
    define: Define,
):
    campaign = define(
        '[site.far]\nscheduler = "slurm"\npartition = "long"\n'
        '[stage.a]\neach = "run"\ncommand = ["true"]\nsite = "far"\n'
        '[stage.b]\neach = "run"\nwith = "a"\ncommand = ["true"]\n'
        '[stage.c]\neach = "run"\ncommand = ["true"]\n',
        "campaign.site=local",
    )
    assert [campaign.site_of(stage).name for stage in campaign.stages] == ["far", "far", "local"]
    assert campaign.sites["far"].queue == "long"
