"""`penstock sweep new`: a sweep written by answering questions, kept on disk after each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import get_terminal_size

import click

from penstock.errors import DefinitionError
from penstock.workflows.sweep import steps
from penstock.workflows.sweep.belongings import copy_files, files_of_program
from penstock.workflows.sweep.draft import DRAFT, Draft, describe, find_draft, save_draft, settle_draft
from penstock.workflows.sweep.plan import Plan, describe_plan, plan_sweep
from penstock.workflows.sweep.program import FOLDER, READY, Program, find_program, programs_in
from penstock.workflows.sweep.programfile import read_program
from penstock.workflows.sweep.prompt import Left, ask, choose, confirm, in_columns
from penstock.workflows.sweep.sweep import FILE, read_sweep
from penstock.workflows.sweep.variable import Variable

STEPS: dict[str, tuple[str, Callable[[Draft, Program], None]]] = {
    "m": ("the mode: how what varies is combined", steps.change_mode),
    "t": ("variables that vary together, in a grid", steps.change_together),
    "c": ("conditions that a point must meet", steps.change_conditions),
    "d": ("variables worked out from others", steps.change_derived),
    "r": ("repeats with other seeds", steps.change_repeats),
}
SHOW, DONE, LEAVE = "p", "w", "q"


@dataclass(slots=True)
class Dialogue:
    """The sweep of a folder, as far as it is written."""

    folder: Path
    draft: Draft
    program: Program

    def save(self) -> None:
        """Keep what there is."""
        save_draft(self.folder, self.draft)

    def plan(self) -> Plan:
        """Plan what there is. Raises DefinitionError."""
        self.save()
        return plan_sweep(read_sweep(self.folder / DRAFT))


def write_sweep(folder: Path) -> bool:
    """Let a person write the sweep of a folder, from its draft or its `sweep.toml` if it has one; whether it was written.

    Raises DefinitionError.
    """
    try:
        dialogue = begin(folder)
    except Left:
        return False
    while True:
        click.echo("\n".join(describe_state(dialogue)))
        try:
            answer = ask("\nA number or a letter", lambda text: known_answer(text, dialogue.program))
        except Left:
            answer = LEAVE
        if answer == LEAVE:
            click.echo(f"kept in {folder / DRAFT}; go on with: penstock sweep new {folder}")
            return False
        if answer == DONE:
            if settle(dialogue):
                return True
        else:
            take_step(dialogue, answer)


def begin(folder: Path) -> Dialogue:
    """Go on with the sweep of a folder, or begin one by choosing its program. Raises Left, DefinitionError."""
    draft = find_draft(folder)
    if draft is None:
        name = choose_program(folder)
        draft = Draft({"program": name})
    else:
        click.echo(f"going on with the sweep in {folder}")
    program = read_program(find_program(str(draft.head.get("program", "")), folder))
    dialogue = Dialogue(folder, draft, program)
    dialogue.save()
    return dialogue


def choose_program(folder: Path) -> str:
    """Ask which program to run; one of this folder is copied to that of the sweep. Raises Left, DefinitionError."""
    here, own = programs_in(Path(FOLDER)), programs_in(folder / FOLDER)
    known = programs_in(READY) | here | own
    told = {str(number): describe_program(path) for number, path in enumerate(known.values(), 1)}
    numbers = dict(zip(known, told, strict=True))
    click.echo(f"Programs (your own are {FOLDER}/NAME.toml, here or in {folder}):")
    number = choose("Number or name of the program", told, also=numbers)
    name = list(known)[int(number) - 1]
    if name in here and name not in own:
        copy_files(files_of_program(read_program(known[name]), Path()), Path(), folder)
        click.echo(f"copied {name} and what it needs to {folder}")
    return name


def describe_program(path: Path) -> str:
    """Write what a program is in a line, also of one whose file has a fault."""
    try:
        program = read_program(path)
    except DefinitionError as error:
        return f"{path.stem}: cannot be used: {error}"
    return f"{path.stem}: {program.help or program.executable}, {len(program.variables)} variables"


def known_answer(text: str, program: Program) -> Variable | str:
    """Return the variable or the letter that an answer at the table means. Raises ValueError.

    A variable that is called like a letter is chosen by its number.
    """
    if text in (*STEPS, SHOW, DONE, LEAVE):
        return text
    variables = list(program.variables.values())
    if text in program.variables:
        return program.variables[text]
    if text.isdecimal() and 1 <= int(text) <= len(variables):
        return variables[int(text) - 1]
    raise ValueError(
        f"{text!r} is neither a variable's number, 1 to {len(variables)}, nor one of the letters"
    )


def take_step(dialogue: Dialogue, answer: Variable | str) -> None:
    """Do what an answer asks for; a step that is left changes nothing."""
    before = read_copy(dialogue.draft)
    try:
        if answer == SHOW:
            click.echo("\n".join(["", *describe_plan(dialogue.plan())]))
            return
        if isinstance(answer, Variable):
            steps.change_variable(dialogue.draft, answer)
        else:
            STEPS[answer][1](dialogue.draft, dialogue.program)
    except Left:
        dialogue.draft = before
        click.echo("nothing changed")
    except DefinitionError as error:
        click.echo(f"  {error.message}")
    dialogue.save()


def read_copy(draft: Draft) -> Draft:
    """Copy a draft so that a step may change it."""
    return Draft(dict(draft.head), dict(draft.vary), dict(draft.fixed), dict(draft.derive))


def settle(dialogue: Dialogue) -> bool:
    """Show the points and write the file if the person agrees; whether it was written."""
    try:
        plan = dialogue.plan()
        click.echo("\n".join(["", *describe_plan(plan)]))
        if not confirm(f"Write {dialogue.folder / FILE}"):
            return False
    except DefinitionError as error:
        click.echo(f"  {error.message}")
        return False
    except Left:
        return False
    click.echo(f"wrote {settle_draft(dialogue.folder)}")
    return True


def describe_state(dialogue: Dialogue) -> Iterator[str]:
    """Yield what a person sees between steps: the variables, the rest of the sweep, how many points there are."""
    draft, program = dialogue.draft, dialogue.program
    yield f"\nA sweep of {program.name} in {dialogue.folder}\n"
    rows = [("", "variable", "type", "here", "unit", "may be")]
    for number, variable in enumerate(program.variables.values(), 1):
        here = describe_here(draft, variable.name, variable.default.text if variable.default else "")
        allowed = variable.describe_allowed()
        rows.append((str(number), variable.name, variable.type, here, variable.unit, allowed))
    width = get_terminal_size().columns
    yield from (shorten(line, width) for line in in_columns(rows, right=[0]))
    yield ""
    yield from steps.describe_head(draft)
    yield describe_count(dialogue)
    letters = {key: told for key, (told, _) in STEPS.items()}
    letters |= {SHOW: "show the points", DONE: "done: write the file", LEAVE: "leave; what there is, is kept"}
    yield "\nChange a variable by its number, or:"
    yield from (f"  {key}  {told}" for key, told in letters.items())


def shorten(line: str, width: int) -> str:
    """Cut a line that a terminal would break: what is lost of it is shown where the variable is changed."""
    return line if len(line) <= width else f"{line[: width - 1]}…"


def describe_here(draft: Draft, name: str, default: str) -> str:
    """Write what a variable is in this sweep."""
    if name in draft.vary:
        return f"varies: {describe(draft.vary[name])}"
    if name in draft.derive:
        return f"= {draft.derive[name]}"
    return f"is {describe(draft.fixed[name])}" if name in draft.fixed else default


def describe_count(dialogue: Dialogue) -> str:
    """Write how many points there are, or what is still missing."""
    if not dialogue.draft.vary and "table" not in dialogue.draft.head:
        return "nothing varies yet"
    try:
        return next(describe_plan(dialogue.plan()))
    except DefinitionError as error:
        return f"not yet: {error.message}"
