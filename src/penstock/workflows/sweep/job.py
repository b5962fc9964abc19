#!/usr/bin/env python3
"""Run one point of a sweep in the folder where it is started: its inputs in, the program, its results out.

It is copied beside a campaign and runs on the far side: Python 3.6, the standard library.

    job.py INPUTS RESULTS REST EXECUTABLE DIGEST [LAUNCHER ...]

What is to be fetched goes to RESULTS, and all else that the program makes to REST, which may be the same folder.
"""

import csv
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from itertools import islice
from typing import Any, Dict, Iterator, List, Optional, TextIO, Tuple, cast

NO_PRODUCT = 65  # EX_DATAERR of sysexits.h: the program ended well, and left not what it should
PATIENCE_S = 5  # for a program that is to end; the runner kills us soon after


def main(inputs: str, results: str, rest: str, executable: str, digest: str, *launcher: str) -> int:
    """Run the point whose inputs are in one folder, put what it makes into others; return the exit code."""
    job, rules = read_spec(inputs, digest)
    home = os.path.dirname(os.path.abspath(__file__))
    prepare(inputs, job, home)
    begun = "{}.{}".format(os.path.basename(os.path.normpath(inputs)), digest[:12])
    saved = os.path.join(home, "restart", begun)
    arguments = job["restart"]["args"] if job["restart"] and take_up(saved) else job["arguments"]
    own = os.path.join(home, executable)
    command = [*launcher, own if os.path.isfile(own) else executable]
    code, interrupted = run([*command, *arguments])
    tell(job["log"])
    if job["restart"] and interrupted:
        save(job["restart"]["files"], saved)
    else:
        forget(saved)
    if code or interrupted:
        return 128 - code if code < 0 else code or 128 + signal.SIGTERM
    made, missing = find(job["products"])
    if missing:
        sys.stderr.write("the program ended with 0 and made no {}\n".format(", ".join(missing)))
        return NO_PRODUCT
    values = {name: {"value": extract(rule), "rule": rule} for name, rule in rules.items()}
    asked_for = set(find(job["fetch"])[0] if "fetch" in job else made)
    keep([name for name in made if name in asked_for], results)
    keep([name for name in made if name not in asked_for], rest)
    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, "values.json"), "w", encoding="utf-8") as file:
        json.dump(values, file)
    return 0


def prepare(inputs: str, job: Dict[str, Any], home: str) -> None:
    """Make the folders that the program wants, link what must stand beside, copy the inputs."""
    for folder in job["folders"]:
        os.makedirs(folder, exist_ok=True)
    for name in job["beside"]:
        os.symlink(os.path.join(home, name), os.path.basename(os.path.normpath(name)))
    for name, digest in job["inputs"].items():
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(read(inputs, name, digest))


def run(command: List[str]) -> Tuple[int, bool]:
    """Run a program to its end; return its exit code, and whether we were asked to end meanwhile, as it was."""
    asked: List[int] = []
    running: List["subprocess.Popen[bytes]"] = []

    def end(number: int, _frame: Any) -> None:
        asked.append(number)
        signal.alarm(PATIENCE_S)

    def kill(_number: int, _frame: Any) -> None:
        for program in running:
            program.kill()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGALRM, kill)
    try:
        running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
    except OSError as error:
        sys.exit("the program {} cannot be started: {}".format(command[0], error.strerror))
    code = running[0].wait()
    signal.alarm(0)
    return code, bool(asked)


def take_up(saved: str) -> bool:
    """Copy what an interrupted attempt left into this folder; whether there is something."""
    if not os.path.isdir(saved):
        return False
    for folder, _, names in os.walk(saved):
        place = os.path.relpath(folder, saved)
        os.makedirs(place, exist_ok=True)
        for name in names:
            shutil.copy2(os.path.join(folder, name), os.path.join(place, name))
    return True


def save(patterns: List[str], saved: str) -> None:
    """Keep the files with which the next attempt can go on, all of them or none."""
    made, _ = find(patterns)
    if not made:
        return
    aside = "{}.{}".format(saved, os.getpid())
    for name in made:
        place = os.path.join(aside, name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        (shutil.copytree if os.path.isdir(name) else shutil.copy2)(name, place)
    shutil.rmtree(saved, ignore_errors=True)
    os.rename(aside, saved)


def forget(saved: str) -> None:
    """Remove what was kept of an interrupted attempt, and what a killed one had begun to keep."""
    for folder in [saved, *glob.glob(glob.escape(saved) + ".*")]:
        shutil.rmtree(folder, ignore_errors=True)


def read_spec(inputs: str, digest: str) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Read what a point is made of, and how results are taken out of what it makes."""
    with open(os.path.join(inputs, "job.jsonl"), "rb") as file:
        made_of, rules = file.read().split(b"\n")[:2]
    refuse_other(inputs, "job.jsonl", made_of, digest)
    return json.loads(made_of.decode()), json.loads(rules.decode())


def read(folder: str, name: str, digest: str) -> bytes:
    """Read a file of the inputs, which must be what its point was given."""
    with open(os.path.join(folder, name), "rb") as file:
        content = file.read()
    refuse_other(folder, name, content, digest)
    return content


def refuse_other(folder: str, name: str, content: bytes, digest: str) -> None:
    """End with a sentence if a content is not what the sweep wrote."""
    if hashlib.sha256(content).hexdigest() != digest:
        sys.exit("{} in {} is not what the sweep wrote; run `penstock sweep extend`".format(name, folder))


def tell(log: Optional[str]) -> None:
    """Print what the program wrote into a log of its own, so that it comes home however the program ended."""
    try:
        with open(log or os.devnull, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    except OSError as error:
        sys.stderr.write("the log {} cannot be read: {}\n".format(log, error.strerror))
    sys.stdout.flush()


def find(patterns: List[str]) -> Tuple[List[str], List[str]]:
    """Return the files that match, and the patterns that none does."""
    matches = {pattern: sorted(glob.glob(pattern)) for pattern in patterns}
    made = [name for names in matches.values() for name in names]
    return made, [pattern for pattern, names in matches.items() if not names]


def keep(made: List[str], results: str) -> None:
    """Move what the program made into a folder, under the same names."""
    for name in made:
        place = os.path.join(results, name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.lexists(place):
            shutil.move(name, place)


def extract(rule: Dict[str, Any]) -> Optional[str]:
    """Return a result as the text that stands in its file; None if it is not there."""
    try:
        with open(rule["file"], encoding="utf-8", errors="replace", newline="") as file:
            if "regex" in rule:
                return last_match(rule["regex"], file.read())
            if "json" in rule:
                return pointed(json.load(file, parse_float=str, parse_int=str), rule["json"])
            return cell(file, rule)
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return None


def last_match(pattern: str, text: str) -> Optional[str]:
    """Return the first group of the last match, or all of it if the pattern has none."""
    found = deque(re.finditer(pattern, text, re.MULTILINE), 1)
    return found[0].group(1 if found[0].re.groups else 0) if found else None


def pointed(value: Any, pointer: str) -> str:
    """Return what a JSON pointer points at, as text."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        value = value[int(token) if isinstance(value, list) else token]
    return value if isinstance(value, str) else json.dumps(value)


def cell(file: TextIO, rule: Dict[str, Any]) -> Optional[str]:
    """Return a cell of a table, or the mean of its column; columns and rows count from 1, negative rows from the end."""
    lines = (line for line in file if line.strip() and not line.lstrip().startswith("#"))
    rows = split(lines, rule.get("delimiter"))
    column = cast("int", rule["column"]) - 1
    cells = (row[column].strip() for row in rows)
    if rule.get("take") == "mean":
        return mean(cells)
    row = cast("int", rule.get("row", -1))
    return next(islice(cells, row - 1, None)) if row > 0 else deque(cells, -row)[row]


def split(lines: Iterator[str], delimiter: Optional[str]) -> Iterator[List[str]]:
    """Cut lines into cells, at blanks unless there is a delimiter."""
    if delimiter:
        return csv.reader(lines, delimiter=delimiter)
    return (line.split() for line in lines)


def mean(cells: Iterator[str]) -> Optional[str]:
    """Return the mean of cells, written so that it reads back the same; None if there are none."""
    count, total = 0, 0.0
    for text in cells:
        count, total = count + 1, total + float(text)
    return repr(total / count) if count else None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
