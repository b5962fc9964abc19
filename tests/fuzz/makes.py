"""Campaigns out of a seed: definitions, data, histories and damage that people, instruments and disks come up with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

TEXTS = (
    "", " ", ".", "..", "a", "b", "A b", "-5", "-", "--all", "campaign", "/", "x/y", "ü", "海", "_" * 30, "n" * 300, "*", "[a]",
    "%2F", "%", "{a}", "'", '"', "$HOME", "`x`", "a\tb", "\x1b[31m", "\u202e", "0", "007", "1_1", "٣", "nan", "inf", "1e3",
    "-0", "9" * 30, "9" * 4400, "1.5", "true", "2020-01-17", "9999-12-31", "0001-01-01T00:00:00+05:00", "None", "a,b", "=1",
)  # fmt: skip
EXPRESSIONS = (
    "g > 1", "g == 'a'", "g is None", "g in 'abc'", "len(g) > 1", "int(g) > 0", "float(g) < 1e9", "upper(g)", "g[0]",
    "g[99]", "g * 3", "g * 99999", "1 / g", "g % 2", "-g", "not g", "g and g", "strip(g)", "replace(g, 'a', 'b')",
    "'\\ud800' + g", "float('1e308') * 10", "[g, g]", "g if g else 0", "round(g, 2)", "g > 1 > 'a'",
)  # fmt: skip
WRONG = ("g = 'a'", "nope > 1", "g.real", "'", "", "(" * 90, "min()")
SPECS = ("", ":d", ":05d", ":.2f", ":>4", ":%Y-%m-%d", ":%H", ":0999d", ":x", ":", ":%Y%j")
CONDITIONS = (
    "count n", "count g", "count 2", "quiet 1s", "quiet 99999999999999d", "not_before 08:00 next day", "file {u}.done",
    "file {g}.done", "file {u:03d}", "count", "at noon",
)  # fmt: skip
TYPES = ("int", "float", "str", "bool", "datetime")
AMOUNTS = (
    "1",
    "0",
    "-1",
    "1e400",
    "inf",
    "nan",
    '"2GB"',
    '"90s"',
    '"1:00:00"',
    '""',
    "true",
    "9" * 30,
    '"9999999999d"',
    "[]",
)


class Maker:
    """Makes one campaign of a seed in a folder."""

    def __init__(self, seed: int, root: Path) -> None:
        self.chance, self.root = random.Random(seed), root
        self.levels = ["u"] if self.chance.random() < 0.5 else ["r", "u"]
        self.kind = self.chance.choice(["files", "files", "table", "python"])

    def pick(self, these: Sequence[str]) -> str:
        return self.chance.choice(these)

    def some(self, share: float) -> bool:
        return self.chance.random() < share

    def expression(self) -> str:
        return f" {self.pick(WRONG if self.some(0.06) else EXPRESSIONS)} "

    def condition(self) -> str:
        return self.pick(CONDITIONS[-4:] if self.some(0.1) else CONDITIONS[:-4])

    def argument(self, placeholder: str) -> str:
        return f', "{placeholder}"' if self.some(0.4) else ""

    # the definition

    def definition(self) -> str:
        levels = ", ".join(f'"{level}"' for level in self.levels)
        parts = [
            f'[campaign]\nname = "fuzz"\nlevels = [{levels}]',
            self.units(),
            *self.stages(),
            "[site.local]\ncores = 2",
        ]
        text = "\n".join(parts) + "\n"
        return self.misspelt(text) if self.some(0.04) else text

    def misspelt(self, text: str) -> str:
        at = self.chance.randrange(len(text))
        return (
            text[:at]
            + self.pick(["", "x", '"', "\n", "[", "=", "é", "\0", "{"])
            + text[at + self.chance.randrange(3) :]
        )

    def units(self) -> str:
        lines = ["[units]"]
        if self.kind == "files":
            spec = self.pick(SPECS) if self.some(0.15) else ""
            folder = "in/{r}/" if len(self.levels) > 1 else "in/"
            lines.append(f'files = "{folder}{{u{spec}}}_{{g}}.dat"')
            lines.append(f"settle = {self.pick(AMOUNTS) if self.some(0.03) else chr(34) + '0s' + chr(34)}")
            lines += ['many = ["g"]'] * self.some(0.15)
            lines += ['partial = "{path}.part"'] * self.some(0.2)
            lines += ['companions = ["in/{u}.ok"]'] * self.some(0.1)
        elif self.kind == "table":
            lines.append('table = "t.csv"')
        else:
            lines.append('python = "own_units:find"')
        if self.some(0.4) and self.kind != "files":
            lines.append(f'types = {{ {self.pick(["u", "g", "n", "zz"])} = "{self.pick(TYPES)}" }}')
        if self.some(0.3):
            lines.append(f"derive = {{ h = '''{self.expression()}''' }}")
        if self.some(0.3):
            lines.append(f'complete = {{ {self.pick(self.levels)} = "{self.condition()}" }}')
        if len(self.levels) > 1 and self.kind == "files" and self.some(0.5):
            lines += ["[units.r]", 'table = "r.csv"'] + [
                f'types = {{ n = "{self.pick(TYPES)}" }}'
            ] * self.some(0.5)
        return "\n".join(lines)

    def stages(self) -> list[str]:
        names: list[str] = []
        made: list[str] = []
        for name in ["one", "two", "three"][: self.chance.randint(1, 3)]:
            made.append(self.stage(name, names))
            names.append(name)
        return made

    def stage(self, name: str, before: list[str]) -> str:
        each = self.pick([*self.levels, self.levels[-1], "campaign"])
        fields = (
            [*self.levels, "g", "n", "h"]
            if each == "u" or self.some(0.05)
            else self.levels[:1]
            if each == "r"
            else ["fan"]
        )
        placeholder = f"{{{self.pick(fields)}{self.pick(SPECS) if self.some(0.1) else ''}}}"
        own = {"campaign": "all", "r": "{r}", "u": "{u}"}[each] if self.some(0.95) else placeholder
        if each == "u" and len(self.levels) > 1:
            own = "{r}/" + own
        lines = [
            f"[stage.{name}]",
            f'each = "{each}"',
            f'products = "out/{name}/{own}{"_" + placeholder if self.some(0.2) and own[0] == "{" else ""}.txt"',
        ]
        lines.append(
            f'command = ["touch", "{{product}}"{self.argument(placeholder) if each != "campaign" else ""}]'
        )
        if before and self.some(0.8):
            upstream = self.pick(before)
            keyed = (
                f'{{ stage = "{upstream}", key = "{placeholder}" }}' if self.some(0.15) else f'"{upstream}"'
            )
            lines.append(f"after = [{keyed}]")
        lines += [f"where = '''{self.expression()}'''"] * self.some(0.25)
        lines += ['members = "done"'] * self.some(0.3) + ['empty = "run"'] * self.some(0.2)
        lines += [f"batch = {self.pick(AMOUNTS)}"] * self.some(0.03) + [
            f"resources = {{ memory = {self.pick(AMOUNTS)} }}"
        ] * self.some(0.03)
        return "\n".join(lines)

    # the data

    def data(self) -> dict[str, bytes]:
        files = {"own_units.py": self.function().encode()}
        files["t.csv"] = self.table(["u", "g", "n", *self.levels[:-1]])
        files["r.csv"] = self.table(["r", "n"])
        for _ in range(self.chance.randint(0, 8)):
            folder = f"in/{self.part()}/" if len(self.levels) > 1 else "in/"
            ending = self.pick([".dat", ".dat", ".dat", ".dat.part", "", ".txt"])
            files[f"{folder}{self.part()}_{self.part()}{ending}"] = b"x" * self.chance.randint(0, 3)
        return files

    def part(self) -> str:
        text = self.pick(TEXTS) if self.some(0.4) else self.pick("abc123")
        return text.replace("/", "-").replace("\0", "")[:60] or "e"

    def cell(self) -> str:
        return self.pick(TEXTS) if self.some(0.4) else self.pick("abc123")

    def table(self, columns: list[str]) -> bytes:
        if self.some(0.1):
            columns = [*columns, self.pick([*columns, "", "path", "fan"])]
        separator = self.pick([",", ",", ",", ";", "\t"])
        rows = [separator.join(columns)]
        for _ in range(self.chance.randint(0, 6)):
            rows.append(
                separator.join(
                    self.cell()
                    for _ in range(len(columns) + (self.chance.randint(-1, 1) if self.some(0.1) else 0))
                )
            )
        text = self.pick(["\n", "\n", "\r\n"]).join(rows).encode()
        return self.damaged(text) if self.some(0.1) else b"\xef\xbb\xbf" * self.some(0.1) + text

    def function(self) -> str:
        values = [
            "1",
            "'a'",
            "None",
            "float('nan')",
            "10**400",
            "'a\\udc80'",
            "''",
            "[1]",
            "b'x'",
            "True",
            "1.5",
            "'x' * 999",
            "object()",
        ]
        rows = [
            f"{{'r': {self.pick(values)}, 'u': {self.pick(values)}, 'g': {self.pick(values)}}}"
            for _ in range(self.chance.randint(0, 5))
        ]
        rows += [self.pick(["3", "{}", "1 / 0", "None"])] * self.some(0.2)
        return "def find():\n    yield from ()\n" + "".join(f"    yield {row}\n" for row in rows)

    def damaged(self, data: bytes) -> bytes:
        """Return what a disk, or an editor, made of some bytes."""
        at = self.chance.randrange(len(data) + 1)
        how = self.chance.randrange(4)
        if how == 0 or not data:
            return data[:at]
        if how == 1:
            return data[:at] + self.chance.randbytes(4) + data[at:]
        return (
            data[:at] + bytes([data[at % len(data)] ^ 1 << self.chance.randrange(8)]) + data[at + 1 :]
            if how == 2
            else b""
        )
