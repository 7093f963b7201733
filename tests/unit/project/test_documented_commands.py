"""Every command that README and docs print is one of this program, with options that it has; `make` targets too."""

import re

import pytest
import typer

from posture_daemon.cli import app
from tests.documented import NOT_RUN, PROJECT, Documented, documented, make_targets

COMMANDS = list({(found.page, found.words): found for found in documented()}.values())


def parse(words: tuple[str, ...], is_mention: bool) -> None:
    """Parse a command line without running it. Raises the parser's errors."""
    command = typer.main.get_command(app)
    context, rest = None, list(words)
    name = "posture-daemon"
    while True:
        try:
            context = command.make_context(name, rest, parent=context)
        except Exception as error:
            if type(error).__name__ == "Exit" or (
                is_mention and type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError")
            ):
                return
            raise
        with context:
            if not hasattr(command, "resolve_command") or not (
                rest := [*getattr(context, "_protected_args", ()), *context.args]
            ):
                return
            name, command, rest = command.resolve_command(context, rest)


@pytest.mark.parametrize("found", COMMANDS, ids=lambda found: f"{found.page}: {' '.join(found.words)}")
def test_every_documented_command_is_understood(found: Documented) -> None:
    """A misspelt command or option in the docs would be refused when somebody copies it."""
    parse(found.words, found.is_mention)


def test_the_parser_refuses_what_is_misspelt() -> None:
    """So that the test above can fail."""
    for words in (("statsu",), ("run", "--kamera", "0"), ("models", "improt", "x"), ("compare",), ("status", "more")):
        with pytest.raises(Exception, match=r"No such|Missing|unexpected"):
            parse(words, is_mention=False)


def test_commands_are_found_in_every_kind_of_place() -> None:
    """Blocks and running text, through sudo and docker; and many of them."""
    found = {(one.page, one.words) for one in documented()}
    assert ("README.md", ("setup",)) in found
    assert ("tour.md", ("compare", "DATASET", "--out", "report/")) in found
    assert ("docker.md", ("label",)) in found
    assert ("region.md", ("region", "set", "0.2,0.1,0.6,0.8")) in found
    assert ("SECURITY.md", ("--version",)) in found
    assert len(found) > 80


def test_no_exception_is_left_over() -> None:
    """Each pattern of commands that are not run stands for one that the docs print."""
    lines = {" ".join(one.words) for one in documented()}
    assert not [what for what in NOT_RUN if not any(re.fullmatch(what, line) for line in lines)]


def test_every_documented_make_target_exists() -> None:
    """`make …` of the docs is in the Makefile."""
    there = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {target for _, target in make_targets()} <= there
