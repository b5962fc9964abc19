"""The files of a campaign's own that a command names as they are: its program, its scripts, what configures it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.campaign import Stage
from penstock.config.code import Code, content_of
from penstock.units import Pattern, Template

UNKNOWN = "\0"  # in place of what a placeholder will be
SCRIPTS = frozenset({".awk", ".bash", ".jl", ".js", ".m", ".pl", ".py", ".r", ".rb", ".sed", ".sh", ".zsh"})
WRITTEN = frozenset({".lock", ".log", ".pid", ".tmp"})  # by the command, whoever named it


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command, what stands before it, and whether it is an argument by itself or part of a text."""

    text: str
    before: str = ""
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Commands:
    """Finds the files that commands name; those of the patterns `apart`, products and data, are not code."""

    code: Code
    apart: Sequence[Pattern]

    def of_stage(self, stage: Stage) -> dict[str, str]:
        """Digest the files that a stage's command reaches, by file."""
        found, todo = dict[str, str](), [*words_of(stage)]
        while todo:
            word = todo.pop()
            found |= self.modules_of(word)
            for path in self.paths_of(word):
                if path not in found:
                    found |= self.code.of_file(self.code.root / path) | self.imports_of(path)
                    todo += self.words_in(path)
        return found

    def modules_of(self, word: Word) -> dict[str, str]:
        """Digest what `python -m MODULE` or `python -c TEXT` runs of the campaign's own."""
        if UNKNOWN in word.text or word.before not in ("-m", "-c"):
            return {}
        if word.before == "-m":
            return self.code.of_functions([(word.text, ""), (f"{word.text}.__main__", "")])
        return self.code.of_script(word.text.encode(errors="surrogateescape"), self.code.root)

    def imports_of(self, path: str) -> dict[str, str]:
        """Digest what a Python script imports."""
        if not path.endswith(".py"):
            return {}
        file = self.code.root / path
        return self.code.of_script(content_of(file), file.parent)

    def words_in(self, path: str) -> Iterator[Word]:
        """Yield the words of a shell script, which may name further scripts."""
        if path.endswith((".sh", ".bash", ".zsh")):
            yield from words_within(content_of(self.code.root / path).decode(errors="surrogateescape"))

    def paths_of(self, word: Word) -> Iterator[str]:
        """Yield the file of the campaign that a word names, be it behind a `=`."""
        for text in {word.text, word.text.partition("=")[2]}:
            if text and UNKNOWN not in text and not text.startswith("-"):
                path = os.path.relpath(os.path.normpath(self.code.root / text), self.code.root)
                if self.counts(path, word):
                    yield path

    def counts(self, path: str, word: Word) -> bool:
        """Whether a path is a file of the campaign, and one that its command reads: in the midst of a text only scripts are."""
        parts, file = Path(path).parts, self.code.root / path
        if ".." in parts or ".penstock" in parts or file.suffix in WRITTEN:
            return False
        self.code.looked.add(file)
        if not os.path.isfile(file) or any(apart.match(path) is not None for apart in self.apart):
            return False
        return word.alone or file.suffix.lower() in SCRIPTS or os.access(file, os.X_OK)


def words_of(stage: Stage) -> Iterator[Word]:
    """Yield the words of a stage's command."""
    texts = [text_of(template) for template in stage.command]
    if stage.shell:
        yield from words_within(" ".join(texts))
        return
    for before, text in zip(("", *texts), texts, strict=False):
        yield Word(text, before, alone=True)
        yield from words_within(text)


def text_of(template: Template) -> str:
    """Return the text of a template, without what only a task knows."""
    return "".join(part if isinstance(part, str) else UNKNOWN for part in template.parts)


def words_within(text: str) -> Iterator[Word]:
    """Yield the words of shell text, and those of texts in it, if it is more than a word."""
    words = shell_words(text)
    if words == [text]:
        return
    for before, word in zip(("", *words), words, strict=False):
        if not before.startswith((">", "&>")):
            yield Word(word, before)
            yield from words_within(word)


def shell_words(text: str) -> list[str]:
    """Cut shell text into words and operators."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return [*lexer]
    except ValueError:
        return text.split()
