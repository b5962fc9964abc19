import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.errors import DefinitionError
from penstock.workflows import acoustics
from penstock.workflows.acoustics import plugin


@pytest.fixture
def audio(tmp_path, write_wav, noise):
    for i in range(2):
        write_wav(f"audio/rec_260117_0400{10 * i:02d}.wav", noise)
    return tmp_path / "audio"


def invoke(command, *words):
    return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)


def test_init_shows_the_quality_and_says_what_comes_next(tmp_path, audio):
    shown = invoke(plugin.init, tmp_path / "w", "--audio", audio, "--nfft", 512, "--sensitivity", -170)
    assert shown.exit_code == 0
    assert "2 recordings" in shown.output
    assert "penstock run" in shown.output
    written = (tmp_path / "w" / "penstock.toml").read_text()
    assert "nfft = 512" in written
    assert "sensitivity = -170.0" in written


def test_build_describes_a_dataset_without_a_campaign(tmp_path, audio):
    shown = invoke(plugin.group, "build", tmp_path / "about", "--audio", audio, "--samples", "--json")
    assert json.loads(shown.output)["recordings"] == 2
    names = sorted(path.name for path in (tmp_path / "about").iterdir())
    assert names == ["dataset.json", "files.csv", "qc.csv", "qc.html"]


def test_build_with_samples_hears_what_headers_do_not_tell(tmp_path, audio, write_wav, noise):
    write_wav("audio/rec_260117_040020.wav", noise * 0)
    by = {
        how: invoke(plugin.group, "build", tmp_path / how, "--audio", audio, how)
        for how in ("--headers", "--samples")
    }
    assert "all samples are 0" not in by["--headers"].output
    assert "all samples are 0" in by["--samples"].output


def test_every_option_is_explained():
    for command in (plugin.init, *plugin.group.commands.values()):
        for option in command.params:
            assert option.param_type_name == "argument" or option.help, option.name


def test_loading_the_commands_loads_no_numbers():
    code = "import sys, penstock.workflows.acoustics.plugin; print(sorted({'numpy', 'scipy', 'h5py'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_no_stage_has_the_name_of_a_module_which_would_take_its_place_once_imported():
    folder = Path(acoustics.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} & set(acoustics.__all__) == set()
    assert all(callable(getattr(acoustics, name)) for name in acoustics.__all__)


def test_init_makes_stages_and_products_that_are_asked_for(tmp_path, audio):
    words = ("--chain", "--resample", 4000, "--tiles", 3, "--also", "npz", "--format", "zarr")
    words = (*words, "--db-range", -100, -40)
    assert invoke(plugin.init, tmp_path / "w", "--audio", audio, *words).exit_code == 0
    written = tomllib.loads((tmp_path / "w" / "penstock.toml").read_text())
    assert list(written["stage"]) == [
        *("resample", "statistics", "spectrogram", "ltas", "soundscape", "aplose", "quality", "report")
    ]
    assert set(written["stage"]["spectrogram"]["products"]) == {"spectrum", "picture", "tiles", "npz"}
    assert written["stage"]["spectrogram"]["products"]["spectrum"] == "spectra/{file}.zarr/"
    assert written["stage"]["ltas"]["products"]["average"] == "ltas.zarr/"
    assert (written["params"]["tile_levels"], written["params"]["resample"]) == (3, 4000)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tiles", "many"), "neither a number of levels nor on-demand"),
        (("--tiles", 3), "give it as --db-range LOW HIGH"),
        (("--tiles", 3, "--db-range", 40, 100, "--scale", "log"), "APLOSE has no frequency scale 'log'"),
    ],
)
def test_options_that_do_not_go_together_are_one_sentence(tmp_path, audio, words, said):
    shown = CliRunner().invoke(
        plugin.init, [str(word) for word in (tmp_path / "w", "--audio", audio, *words)]
    )
    assert said in shown.output + str(shown.exception)
    assert not (tmp_path / "w").exists()


def test_tiles_on_demand_store_none_and_describe_them(tmp_path, audio):
    invoke(plugin.init, tmp_path / "w", "--audio", audio, "--tiles", "on-demand", "--db-range", 0, 9)
    written = tomllib.loads((tmp_path / "w" / "penstock.toml").read_text())
    assert set(written["stage"]["spectrogram"]["products"]) == {"spectrum", "picture"}
    assert "aplose" in written["stage"]


def test_daily_files_are_of_minutes_and_have_a_stage(tmp_path, audio):
    assert invoke(plugin.init, tmp_path / "w", "--audio", audio, "--daily").exit_code == 0
    written = tomllib.loads((tmp_path / "w/penstock.toml").read_text())
    assert written["stage"]["daily"]["products"] == "daily/"
    assert (written["params"]["bin"], written["params"]["bands"]) == (60.0, ["decidecade", "millidecade"])
    with pytest.raises(DefinitionError, match="leave --bin out"):
        invoke(plugin.init, tmp_path / "v", "--audio", audio, "--daily", "--bin", 10)


def test_negative_numbers_belong_to_their_options(tmp_path, audio):
    words = (
        "acoustics",
        str(tmp_path / "w"),
        "--audio",
        str(audio),
        "--sensitivity",
        "-170",
        "--db-range",
        "-90",
        "-30",
    )
    ran = subprocess.run(
        [sys.executable, "-m", "penstock", "init", *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    params = tomllib.loads((tmp_path / "w/penstock.toml").read_text())["params"]
    assert (params["sensitivity"], params["db_range"]) == (-170.0, [-90.0, -30.0])
