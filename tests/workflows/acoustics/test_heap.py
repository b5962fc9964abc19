import subprocess
import sys

import pytest

CODE = """
import resource, sys
from penstock.workflows.acoustics.heap import keep_freed

def pages_asked_for():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(3 << 20) for _ in range(10)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if sys.argv[1] == "kept":
    keep_freed()
pages_asked_for()
print(pages_asked_for())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_freed_blocks_are_there_for_the_next():
    asked = {
        how: int(subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, check=True).stdout)
        for how in ("kept", "default")
    }
    assert asked["kept"] < asked["default"] / 5
