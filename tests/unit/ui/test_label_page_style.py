"""The label page can be read by everybody: the contrast of its colours is computed from the style sheet."""

import re
from itertools import product
from pathlib import Path

import pytest

from posture_daemon import ui
from posture_daemon.domain import Role

WEB = Path(ui.__file__).parent / "web"
CSS = "".join((WEB / "static" / name).read_text(encoding="utf-8") for name in ("page.css", "label.css"))
TEXT_AA, CONTROLS_AA = 4.5, 3.0
"""Least contrast of WCAG 2.2 level AA: of text, and of what shows where a control is or has the focus."""

ON_PAPER = [*product(("ink", "soft", "accent"), ("paper", "card"))]
TEXTS = [
    *ON_PAPER,
    *product(("ink", "soft", *(role.value for role in Role)), ("card", "tint")),
    ("warn", "warn-paper"),
    ("on-accent", "accent"),
    ("bad", "card"),
    ("soft", "stage"),
    ("good", "stage"),
]
CONTROLS = [
    ("edge", "card"),
    ("edge", "paper"),
    ("accent", "paper"),
    ("accent", "card"),
    ("accent", "line"),
    ("warn", "stage"),
]


def colours(scheme: str) -> dict[str, str]:
    """The variables of a colour scheme; the dark one changes some of the light ones."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.S)
    assert len(blocks) == 2
    return {
        name: value
        for block in blocks[: 1 if scheme == "light" else 2]
        for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)
    }


def luminance(colour: str) -> float:
    """WCAG's relative luminance of #rrggbb, 0-1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours, 1-21."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    """Black on white has 21, and a grey that is known to pass by a hair 4.54."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("shown", "background", "least"),
    [*((*pair, TEXT_AA) for pair in TEXTS), *((*pair, CONTROLS_AA) for pair in CONTROLS)],
)
def test_text_can_be_read_and_controls_and_focus_seen(scheme: str, shown: str, background: str, least: float) -> None:
    """Every text on every background that it stands on; borders of buttons, the ring around what has the focus, the bar."""
    found = colours(scheme)
    assert contrast(found[shown], found[background]) >= least


def test_colours_are_variables() -> None:
    """So that these tests see all of them; pictures are shown on black, with white on dark for their number."""
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.S)
    assert set(re.findall(r"#[0-9a-f]{6}\b", rules)) == {"#0b0f10", "#ffffff"}
    assert contrast("#101415", "#ffffff") > TEXT_AA


def test_a_role_is_a_word_and_a_mark_too() -> None:
    """Colour alone means nothing to some."""
    view = (WEB / "static" / "view.js").read_text(encoding="utf-8")
    marks = dict(re.findall(r'(\w+): "(.)"', re.search(r"MARKS = \{(.*?)\}", view)[1]))  # type: ignore[index]
    assert set(marks) == {role.value for role in Role}
    assert len(set(marks.values())) == len(marks)


def test_nothing_comes_from_elsewhere() -> None:
    """No address of another machine in what the browser gets; SVG's name space is a name."""
    for path in [*WEB.glob("static/*"), *WEB.glob("templates/*")]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), path
        assert not re.search(r"\son\w+=|style=|<style|innerHTML|\beval\(", text), path
