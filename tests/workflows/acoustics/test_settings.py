import pytest

from penstock.errors import DefinitionError
from penstock.workflows.acoustics.settings import Settings, read_settings


def test_parameters_of_other_stages_are_left_alone():
    assert Settings.read({"species": "whale", "nfft": 512}).nfft == 512


def test_a_misspelt_parameter_is_named_with_the_right_one():
    with pytest.raises(ValueError, match="did you mean 'overlap'"):
        Settings.read({"overlp": 0.5})


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"nfft": 1}, "nfft is 1"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"bin": 0}, "bin is 0"),
        ({"step_db": 0}, "step_db is 0"),
        ({"channel": 0}, "the first channel is 1"),
        ({"scaling": "amplitude"}, "density, spectrum"),
        ({"window": "hanning"}, r"window is 'hanning'; it must be one that scipy\.signal\.get_window knows"),
        ({"sensitivity": -170.0, "end_to_end": 170.0}, "both given"),
    ],
)
def test_a_wrong_value_is_one_sentence(params, said):
    with pytest.raises(DefinitionError, match=said):
        read_settings(params)


@pytest.mark.parametrize(("overlap", "hop"), [(0, 1024), (0.5, 512), (0.75, 256), (0.9999, 1)])
def test_the_hop_follows_from_the_overlap(overlap, hop):
    assert Settings(overlap=overlap).hop == hop
