"""`penstock graph` draws the definition."""


def test_the_graph_is_printed_or_written(penstock, winter, tmp_path):
    assert penstock("graph", "-C", winter).output.startswith("flowchart LR\n")
    file = tmp_path / "stages.svg"
    assert penstock("graph", "-C", winter, "--output", file).output == ""
    assert file.read_text() == penstock("graph", "-C", winter, "--format", "svg").output
