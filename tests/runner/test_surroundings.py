"""One task's doings do not change the next one's in the same worker."""

import signal

import pytest

SPOIL = """
import os, resource, signal, sys
seen = []
def look():
    return {
        'pid': os.getpid(), 'variable': os.environ.get('LEAK'), 'path': os.environ.get('PATH') is not None,
        'umask': oct(set_umask()), 'cwd': os.getcwd(), 'alarm': signal.getsignal(signal.SIGALRM) == signal.SIG_DFL,
        'blocked': len(signal.pthread_sigmask(signal.SIG_BLOCK, ())), 'timer': signal.getitimer(signal.ITIMER_REAL)[0],
        'folders': len(sys.path), 'limit': resource.getrlimit(resource.RLIMIT_NOFILE), 'depth': sys.getrecursionlimit(),
    }
def set_umask():
    before = os.umask(0o077)
    os.umask(before)
    return before
def run(task):
    found = look()
    if task.key[0] == 1:
        spoil()
    print('said', task.key[0])
    return found
def spoil():
"""


@pytest.mark.parametrize(
    "spoil",
    [
        "os.environ['LEAK'] = 'x'",
        "os.environ.clear()",
        "os.environ = {'LEAK': 'x'}",
        "os.environb[b'LEAK'] = b'x'",
        "os.umask(0)",
        "os.chdir('/')",
        "signal.signal(signal.SIGALRM, lambda *_: None)",
        "signal.signal(signal.SIGALRM, lambda *_: 1 / 0); signal.setitimer(signal.ITIMER_REAL, 0.01)",
        "signal.alarm(1)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
        "sys.path.insert(0, '/tmp')",
        "sys.path = []",
        "sys.setrecursionlimit(200)",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
    ],
)
def test_what_a_task_changed_is_put_back(lab, spoil):
    lab.function(SPOIL + "    " + spoil)
    lab.run([lab.python(unit) for unit in (0, 1, 2)])
    before, _, after = (lab.ends()[unit]["result"] for unit in (0, 1, 2))
    assert after == before


@pytest.mark.parametrize(
    "spoil",
    [
        "sys.stdout.close()",
        "sys.stdout = None; sys.stderr = None",
        "sys.stderr.close(); sys.stdout = open('/dev/full', 'w')",
        "sys.stdout.detach()",
        "os.close(1); os.close(2)",
        "os.dup2(os.open('elsewhere', os.O_CREAT | os.O_WRONLY), 1)",
    ],
)
def test_a_task_speaks_into_its_log_whatever_another_did_to_its_streams(lab, spoil):
    lab.function(SPOIL + "    " + spoil)
    lab.run([lab.python(unit) for unit in (0, 1, 2)])
    assert lab.log(lab.ends()[2]) == "said 2\n"
    assert lab.ends()[2]["result"]["pid"] == lab.ends()[0]["result"]["pid"]


def test_a_function_that_closes_its_streams_and_fails_shows_its_traceback(lab):
    lab.function(
        "import sys\ndef run(task):\n    sys.stderr.close()\n    sys.stdout = None\n    raise KeyError('lens')"
    )
    end = lab.end(lab.python(1))
    assert end["why"] == "KeyError: 'lens'"
    assert "in run" in lab.log(end)


def test_a_hard_limit_that_a_task_lowered_renews_the_worker(lab):
    hard = "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))"
    lab.function(SPOIL.replace("RLIMIT_NOFILE)", "RLIMIT_NOFILE)[0] > 50") + "    " + hard)
    lab.run([lab.python(unit) for unit in (0, 1, 2)])
    ends = lab.ends()
    assert [ends[unit]["result"]["limit"] for unit in (0, 1, 2)] == [True] * 3
    assert {end["o"] for end in ends.values()} == {"ok"}


def test_what_importing_and_setting_up_did_is_there_for_all_tasks(lab):
    source = """
import os, signal, sys
os.environ['IMPORTED'] = '1'
os.environ.pop('UNWANTED', None)
sys.path.append('/added')
def begin():
    os.environ['SET_UP'] = '2'
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
def run(task):
    names = 'IMPORTED', 'SET_UP', 'UNWANTED', 'OWN'
    return [[os.environ.get(name) for name in names], '/added' in sys.path, signal.getsignal(signal.SIGUSR1)]
"""
    lab.spec["environment"] = {"UNWANTED": "x"}
    lab.function(source, setup="python_module:begin")
    lab.function("import os\ndef run(task):\n    return os.environ.get('SET_UP')", name="other")
    lab.run(
        [
            lab.python(1, env={"OWN": "a"}),
            lab.python(2, stage="other"),
            lab.python(3),
            lab.python(4, env={"OWN": "b"}),
        ]
    )
    ends = lab.ends()
    for unit, own in ((1, "a"), (3, None), (4, "b")):
        assert ends[unit]["result"] == [["1", "2", None, own], True, signal.SIG_IGN]
    assert ends[2]["result"] == "2"


HOSTILE = """
import sys
class Named(type):
    @property
    def __name__(cls):
        raise RuntimeError('no name')
class NoText(Exception):
    def __str__(self):
        raise RuntimeError('no text')
    __repr__ = __str__
class OddText(Exception):
    def __str__(self):
        return 5
class Nameless(Exception, metaclass=Named):
    pass
class Base(BaseException):
    pass
class Chained(Exception):
    @property
    def __cause__(self):
        raise SystemExit(9)
class Value:
    def __repr__(self):
        raise SystemExit('no repr')
    def item(self):
        raise Base('no item')
def deep(n):
    made = []
    for _ in range(n):
        made = [made]
    return made
def run(task):
    if task.key[0] == 2:
        return 'well'
"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise NoText()", "NoText: its text cannot be made (RuntimeError)"),
        ("raise OddText()", "OddText: its text cannot be made (TypeError)"),
        ("raise Nameless('x')", "Nameless: x"),
        ("raise Base('x')", "Base: x"),
        ("raise KeyboardInterrupt()", "KeyboardInterrupt"),
        ("raise GeneratorExit('y')", "GeneratorExit: y"),
        ("sys.exit(NoText())", "SystemExit: its text cannot be made (RuntimeError)"),
        ("raise Chained('x')", "Chained: x"),
        ("raise ValueError('a\\nb\\x00', Value())", "ValueError: its text cannot be made (SystemExit)"),
        ("raise type('Two\\nlines', (Exception,), {})('x')", "Two lines: x"),
        ("run(task)", "RecursionError: "),
        ("return Value()", "Base: no item"),
        ("return deep(100_000)", "the function's result is not JSON: RecursionError: "),
        ("task.children = 5", "the function expands into something that is not JSON: TypeError: "),
        ("task.fail(Value())", "its text cannot be made (SystemExit)"),
    ],
)
def test_an_error_that_does_not_let_itself_be_told_has_its_class_s_name(lab, body, why):
    lab.function(HOSTILE + "    " + body)
    lab.run([lab.python(1), lab.python(2)])
    ends = lab.ends()
    assert ends[1]["o"] == "error"
    assert ends[1]["why"].startswith(why)
    assert ends[2]["result"] == "well"
