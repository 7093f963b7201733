"""Writes `docs/commands.md` from the command line itself: `python -m tests.commands_page > docs/commands.md`.

What typer's own generator writes is cut after a few words and full of HTML. Types are read from the functions behind the
commands, so that the page is the same with every version of typer.
"""

import inspect
import sys
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import typer

from posture_daemon.cli import NAME, app

INTRODUCTION = """\
# Commands

<!-- Written by `make docs` from posture_daemon/cli/; a test fails when it is not current. -->

{about}

Every command explains itself with `--help`. These options stand before the command, as in
`posture-daemon --data-dir FOLDER status`:

{options}

Every command can be told to stop, by SIGTERM, by Ctrl-C, or by SIGHUP when its terminal goes away (unless `nohup`
started it). An order that is obeyed is no failure: it says so and ends with 0, and gives the terminal back as it was.
A transaction is done whole or not at all; `run`, `teach`, `label` and `train` see to their own end, and an import
finishes its block. Only Ctrl-C at a question is an answer, a no, and ends with 1, so that what follows `setup &&`
does not begin. A second signal within two seconds is the same order."""

WORDS = {Path: "PATH", int: "NUMBER", float: "NUMBER", str: "TEXT"}


def walk(command: Any, path: str = NAME) -> Iterator[tuple[str, Any]]:
    """Every command of the program with its full name."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, f"{path} {name}")


COMMANDS: dict[str, Any] = dict(walk(typer.main.get_command(app)))


def commands_markdown() -> str:
    """The whole page."""
    program = COMMANDS[NAME]
    parts = [INTRODUCTION.format(about=program.help, options=_parameters(program))]
    leaves = {name: command for name, command in COMMANDS.items() if not hasattr(command, "commands")}
    parts.append(_table("command", "what it does", [(_link(name), _first(one)) for name, one in leaves.items()]))
    for name, command in list(COMMANDS.items())[1:]:
        parts.append(_section(name, command))
    return "\n".join(parts)


def _link(name: str) -> str:
    return f"[`{name.removeprefix(NAME + ' ')}`](#{name.replace(' ', '-')})"


def _first(command: Any) -> str:
    return " ".join(inspect.cleandoc(command.help).split("\n\n")[0].split())


def _section(name: str, command: Any) -> str:
    """One command, or the heading of a group of them."""
    lines = [f"{'#' * len(name.split())} `{name}`", "", inspect.cleandoc(command.help), ""]
    if hasattr(command, "commands"):
        return "\n".join(lines)
    arguments = [_argument(one) for one in command.params if one.param_type_name == "argument"]
    options = ["[OPTIONS]"] if len(arguments) < len(command.params) else []
    lines += ["```console", " ".join(["$", name, *options, *arguments]), "```", ""]
    return "\n".join([*lines, _parameters(command)] if command.params else lines)


def _parameters(command: Any) -> str:
    """The table of arguments and options, in the order of the program."""
    rows = []
    for one in sorted(command.params, key=lambda one: one.param_type_name):
        declared = inspect.signature(command.callback, eval_str=True).parameters[one.name]
        kind, info = _declared(declared.annotation)
        name = _argument(one) if one.param_type_name == "argument" else _option(one, kind)
        rows.append((f"`{name}`", " ".join([one.help, *_remarks(one, kind, info, declared.default)])))
    return _table(" or ".join(sorted({one.param_type_name for one in command.params})), "meaning", rows)


def _declared(annotation: Any) -> tuple[Any, Any]:
    """The type of a parameter, without `None`, and what typer was told of it."""
    kind, info = get_args(annotation)
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    return kind, info


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).strip("[]").upper()
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any, kind: Any) -> str:
    names = ", ".join(parameter.opts) + "".join(f" / {name}" for name in parameter.secondary_opts)
    kind = get_args(kind)[0] if get_origin(kind) is list else kind
    if kind is bool:
        return names
    choices = "|".join(one.value for one in kind) if issubclass(kind, Enum) else WORDS.get(kind)
    return f"{names} {parameter.metavar or choices}"


def _remarks(parameter: Any, kind: Any, info: Any, default: Any) -> Iterator[str]:
    """What is allowed, the default, and whether it must be given."""
    if parameter.param_type_name == "argument" and issubclass(kind, Enum):
        yield f"One of {', '.join(f'`{one.value}`' for one in kind)}."
    low, high = getattr(info, "min", None), getattr(info, "max", None)
    if high is not None:
        yield f"From {low:g} to {high:g}."
    elif low is not None:
        yield f"At least {low:g}."
    if parameter.param_type_name == "option" and parameter.required:
        yield "Required."
    elif kind is not bool and info.show_default and default not in (None, inspect.Parameter.empty):
        default = default.value if isinstance(default, Enum) else default
        yield f"Default: `{f'{default:g}' if isinstance(default, float) else default}`."


def _table(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {one.replace('|', chr(92) + '|')} | {two.replace('|', chr(92) + '|')} |" for one, two in rows]
    return "\n".join([f"| {left} | {right} |", "|---|---|", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(commands_markdown())
