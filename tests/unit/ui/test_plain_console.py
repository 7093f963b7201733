"""What is printed is text: no markup, no escape sequence, in letters that the terminal has."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

import posture_daemon
from posture_daemon.cli import context
from posture_daemon.service.plain_text import ERRORS, in_one_line, set_up_streams, visible
from posture_daemon.ui.console import LEAST_COLUMNS, PlainConsole, settle_size, styled

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2066\r\nforged \x00\x7f\u2028\udcff"
SENT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no terminal may get from a text."""


def console(width: int = 300) -> PlainConsole:
    """One that writes into memory, without colours."""
    return PlainConsole(file=io.StringIO(), width=width, color_system=None)


def printed(one: PlainConsole) -> str:
    """What it has written."""
    assert isinstance(one.file, io.StringIO)
    return one.file.getvalue()


@pytest.mark.parametrize(
    "text", ["[bold]x[/bold]", "[/]", "bad [/b]", "http://[::1]/", ":smile:", "old [", "\\[x]", "[link=x]a"]
)
def test_brackets_are_printed_as_they_are(text: str) -> None:
    """In a line, a cell, a title, a heading of a column, a rule and a coloured part."""
    one = console()
    one.print(text, soft_wrap=True)
    table = Table(text, title=text)
    table.add_row(text)
    table.add_row(styled(("coloured ", "red"), text))
    one.print(table)
    one.rule(text)
    assert printed(one).count(text) == 6


def test_no_text_tells_the_terminal_anything() -> None:
    """Wherever it stands, and however it got there."""
    one = console()
    one.print(HOSTILE, soft_wrap=True)
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE, style="red")
    one.print(table)
    one.print(styled((HOSTILE, "green")), Text(HOSTILE))
    with one.status(HOSTILE):
        pass
    assert SENT.search(printed(one)) is None
    assert "\\x1b[2J" in printed(one)


def test_a_text_cannot_forge_a_line() -> None:
    """Of a sentence, a table, a log or an error."""
    one = console()
    one.print("a\nforged", soft_wrap=True)
    one.print(styled("a\r\nforged"), soft_wrap=True)
    assert printed(one).splitlines() == ["a\\nforged", "a\\r\\nforged"]
    assert in_one_line("a\nforged\x85b\u2028c") == "a | forged | b | c"


def test_colours_are_still_sent_where_a_terminal_has_them() -> None:
    """Only text is cleaned, not what we say about it."""
    one = PlainConsole(file=io.StringIO(), width=80, force_terminal=True, color_system="standard", legacy_windows=False)
    one.print(styled(("warning", "yellow"), ": [red]x"))
    assert printed(one) == "\x1b[33mwarning\x1b[0m: [red]x\n"


@pytest.mark.parametrize("text", ["Krümmung", "猫背", "خمیده\u200cام", "a\u00a0b", "🧍\u200d♂️", "…–×→"])
def test_letters_of_any_script_are_left_alone(text: str) -> None:
    """Joiners too, with which some scripts are spelled."""
    assert visible(text) == text


@pytest.mark.parametrize(
    ("encoding", "said"), [("ascii", "Kr\\xfcmmung"), ("latin-1", "Krümmung"), ("utf-8", "Krümmung")]
)
def test_a_terminal_gets_what_it_has(encoding: str, said: str) -> None:
    """Look-alikes for our own signs, numbers for other letters, and frames of what it has."""
    set_up_streams()
    written = io.BytesIO()
    one = PlainConsole(file=io.TextIOWrapper(written, encoding=encoding, errors=ERRORS), width=60)
    table = Table("class")
    table.add_row("Krümmung")
    one.print(table)
    one.print("1 – 2 × 3 → … 猫", soft_wrap=True)
    one.file.flush()
    text = written.getvalue().decode(encoding)
    assert said in text
    assert ("━" in text) is (encoding == "utf-8")
    plain = "1 – 2 × 3 -> ... \\u732b" if encoding == "latin-1" else "1 - 2 x 3 -> ... \\u732b"
    expected = {"utf-8": "1 – 2 × 3 → … 猫", "latin-1": plain.replace("–", "-"), "ascii": plain}
    assert expected[encoding] in text


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_json_stays_json_and_loses_nothing(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """Whatever the names hold, and whatever the terminal has."""
    written = io.BytesIO()
    one = PlainConsole(file=io.TextIOWrapper(written, encoding=encoding), width=20)
    monkeypatch.setattr(context, "console", one)
    data = {"[bold]é": [HOSTILE, "猫背 " * 30, 1.5, None, "\U0001f600"]}
    context.say_json(data)
    one.file.flush()
    text = written.getvalue().decode(encoding)
    assert json.loads(text) == data
    assert SENT.search(text) is None


def test_all_output_goes_through_the_one_console() -> None:
    """No other console, markup or `print` in the product; who needs colours says so by `styled` parts."""
    root = Path(posture_daemon.__file__).parent
    odd = re.compile(r"rich\.markup|[^n]Console\(|typer\.(echo|secho|prompt)\(|\[/\]|from_markup|print_json")
    allowed = {"ui/console.py", "cli/context.py"}
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path in sorted(root.rglob("*.py"))
        if str(path.relative_to(root)) not in allowed
        for line in path.read_text(encoding="utf-8").splitlines()
        if odd.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("said", "left"),
    [("0", None), ("000", None), ("-1", None), ("²", None), ("٣", None), ("123456", None), ("1", "20"), ("120", "120")],
)
def test_a_size_that_nothing_fits_in_is_not_believed(said: str, left: str | None) -> None:
    """Nor one that is no number, which `rich` takes for one."""
    environment = {"COLUMNS": said}
    settle_size(environment)
    assert environment.get("COLUMNS") == left


def test_a_terminal_of_one_column_gets_words() -> None:
    """Of whatever says so: the terminal itself, which can be made narrower at any time."""
    console = PlainConsole(width=1, height=0)
    assert console.size == (LEAST_COLUMNS, 1)
    console.size = (50, 10)
    assert console.width == 50
