import resource
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


def resident(code):
    """Give the pages that a process holds in the end, having kept what it freed."""
    head = "from penstock.workflows.acoustics.heap import give_back, keep_freed\nkeep_freed()\n"
    work = "blocks = [bytearray(3 << 20) for _ in range(10)]\ndel blocks\n"
    tell = "print(open('/proc/self/statm').read().split()[1])"
    command = [sys.executable, "-c", head + work + code + tell]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_what_was_kept_is_given_back_before_other_work():
    assert (resident("") - resident("give_back()\n")) * resource.getpagesize() > 20 << 20
