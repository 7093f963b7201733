"""The plan of the house is true: the table of rooms, and the words by which a newcomer searches."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGE = REPOSITORY / "posture_daemon"
NO_CODE = {"assets", "__pycache__"}


def floors() -> dict[str, int]:
    """The floor of each room in the import contract, counted from the ground."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    layers = re.search(r'containers = \["posture_daemon"\].*?^layers = \[(.*?)^\]', text, re.M | re.S)
    assert layers, "pyproject.toml lacks the contract of the rooms"
    listed = re.findall(r'"(.*?)"', layers[1])
    return {room: len(listed) - i for i, floor in enumerate(listed) for room in floor.split(" | ")}


def rooms() -> set[str]:
    """What there is of the package: folders with code, and modules in its root."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - NO_CODE
    return folders | {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}


def test_the_table_of_rooms_is_the_import_contract() -> None:
    """Each room, and what it may import: the floors below its own. Rooms to come stand in brackets, as in the contract."""
    page = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `?([(\w)]+)`? \| .+ \| (floors? [\d–]+|nothing of ours) \|$", page, re.M))
    below = {1: "nothing of ours", 2: "floor 1"}
    expected = {
        room: below.get(floor, f"floors 1–{floor - 1}") for room, floor in floors().items() if room != "(__main__)"
    }
    assert table == expected
    assert {room for room in table if not room.startswith("(")} == rooms()


def test_the_picture_of_the_rooms_shows_each_on_its_floor() -> None:
    """The drawing on top of the page names every room of the contract, on the floor that it has there."""
    picture = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8").split("```")[1]
    drawn = {
        room: int(number)
        for number, line in re.findall(r"^ *(\d+) │(.*)$", picture, re.M)
        for room in re.findall(r"\(?[a-z_]+\)?", re.split("│  [│▼]", line)[0])
    }
    assert drawn == {room: floor for room, floor in floors().items() if room != "(__main__)"}


@pytest.mark.parametrize(
    "word",
    [
        *("deduplicate", "novelty", "uncertainty", "sampling", "query strategy", "label errors", "cross-validation"),
        *("augmentation", "rollback", "sd_notify", "thermal"),
    ],
)
def test_a_word_of_the_field_finds_its_file(word: str) -> None:
    """Somebody who types the usual word finds the file by its name or by its first line."""
    places = (
        f"{path.stem}\n{path.read_text(encoding='utf-8').partition(chr(10))[0]}" for path in PACKAGE.rglob("*.py")
    )
    assert any(word.replace("_", " ") in place.lower().replace("_", " ") for place in places), word
