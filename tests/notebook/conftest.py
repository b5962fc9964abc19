from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.notebook.kernel import Notebook

from penstock.record.stopping import stop
from penstock.unattended.detached import find_holder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Notebook]]:
    """Start a kernel in the folder of the test; whatever works there in the end is stopped."""
    begun: list[Notebook] = []

    def begin() -> Notebook:
        begun.append(Notebook(tmp_path))
        return begun[-1]

    yield begin
    for notebook in begun:
        notebook.end()
    (tmp_path / "go").touch()  # what tests hold
    if working := find_holder(tmp_path):
        stop(tmp_path, working, 30)


@pytest.fixture
def notebook(start: Callable[[], Notebook]) -> Notebook:
    return start()


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """One kernel for the tests of a module, which each define what they need."""
    notebook = Notebook(tmp_path_factory.mktemp("cells"))
    notebook.run("from penstock.notebook.gathering import gather")
    yield notebook
    notebook.end()
