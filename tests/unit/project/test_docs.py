"""The documentation says what the program does: every command, option and setting, and no broken links."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from posture_daemon import __version__
from tests.commands_page import COMMANDS, commands_markdown
from tests.settings_page import settings_markdown

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = [*sorted(REPOSITORY.glob("*.md")), REPOSITORY / "data/README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    """`docs/commands.md` has a section for each command that names each of its options."""
    page = (REPOSITORY / "docs/commands.md").read_text(encoding="utf-8")
    if name == "posture-daemon":
        section = page.split("\n## ")[0]
    else:
        found = re.search(rf"^#+ `{re.escape(name)}`$(.*?)(?=^#|\Z)", page, re.M | re.S)
        assert found, f"docs/commands.md lacks {name}: run make docs"
        section = found[1]
    for parameter in COMMANDS[name].params:
        for option in parameter.opts if parameter.param_type_name == "option" else []:
            assert option in section, f"docs/commands.md lacks {option} of {name}: run make docs"


@pytest.mark.parametrize(("page", "written"), [("settings", settings_markdown), ("commands", commands_markdown)])
def test_a_written_page_is_current(page: str, written: Callable[[], str]) -> None:
    """It is what the code would write now: whole sentences, in Markdown and not in HTML."""
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert text == written(), "run make docs"
    assert "..." not in text
    assert not re.search(r"&#?\w+;", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_is_there(page: Path) -> None:
    """Relative links lead somewhere."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """`room/file.py` and `tests/…` are names of today: whole, or from a room of the package on."""
    for name in re.findall(
        r"`((?:[\w.-]+/)*[\w-]+\.py|(?:tests|posture_daemon)/[\w/.-]+)`", page.read_text(encoding="utf-8")
    ):
        assert any((REPOSITORY / folder / name).exists() for folder in (".", "posture_daemon")), f"{page.name}: {name}"


@pytest.mark.parametrize(("page", "least"), [("README.md", 0), ("docs/tour.md", 25)])
def test_every_command_for_a_newcomer_exists(page: str, least: int) -> None:
    """What a reader types from the README and the tour is a command with these options."""
    lines = re.findall(r"^(?:sudo )?\.venv/bin/posture-daemon (.*?)(?:\s+#.*)?$", (REPOSITORY / page).read_text(), re.M)
    assert len(lines) > least
    for line in lines:
        words = [word for word in re.sub(r"--data-dir \S+", "", line).split() if re.fullmatch(r"[a-z-]+", word)]
        command = [word for word in words if not word.startswith("-")]
        name = next(n for k in (2, 1) if (n := " ".join(["posture-daemon", *command[:k]])) in COMMANDS)
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_readme_is_a_screen_and_a_half() -> None:
    """At most 600 words, and prose that is not cut in a narrow window."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 600
    assert not [line for line in text.splitlines() if len(line) > 100 and not line.startswith("|")]


def test_every_page_is_in_the_index() -> None:
    """No page is left that owner, installer and engineer are not led to, and each takes one line there."""
    index = (REPOSITORY / "docs/index.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(([\w-]+\.md)\)", index)
    assert {*listed, "index.md"} == {page.name for page in (REPOSITORY / "docs").glob("*.md")}
    assert len(listed) == len(set(listed))


def test_the_newest_section_of_the_changelog_is_this_version() -> None:
    """The version is told in three places: package, `pyproject.toml` and changelog, there with a date."""
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", changelog, re.M)
    assert sections[0] == __version__
    assert f'version = "{__version__}"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_the_public_workflow_has_the_stages_of_ours() -> None:
    """What `.ci/run` makes, the workflow makes as well."""
    ours, public = (
        set(re.findall(r"make ([a-z-]+)", (REPOSITORY / name).read_text(encoding="utf-8")))
        for name in (".ci/run", ".github/workflows/ci.yml")
    )
    assert ours <= public


@pytest.mark.parametrize("page", ["owner.md", "troubleshooting.md", "jetson.md"])
def test_every_command_in_the_pages_for_owners_exists(page: str) -> None:
    """What somebody in trouble types from a page is a command with these options."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    typed = re.findall(r"(?:sudo |bin/|`)posture-daemon ((?:--)?[a-z][^`#|\n]*)", text)
    assert len(typed) > 3
    for line in typed:
        words = line.split("--data-dir")[0].split()
        name = next(
            (n for k in (2, 1) if (n := " ".join(["posture-daemon", *words[:k]])) in COMMANDS), "posture-daemon"
        )
        assert name != "posture-daemon" or words[0].startswith("-"), line
        known = {
            option for n in {name, "posture-daemon"} for parameter in COMMANDS[n].params for option in parameter.opts
        }
        assert {word for word in words if word.startswith("--")} <= known, line
