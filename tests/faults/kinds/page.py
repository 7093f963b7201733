"""Faults of the label page's settings; its requests are refused with a status, see `tests/integration/test_page_limits.py`."""

from tests.faults.fault import Group

# Two lines a fault, not eight.
# fmt: off

page = Group("The label page")

page.plain("A host of the page that no name can be", "--config ~/bad.toml label",
    "jetson..lan", "ui.host takes an address of this computer", {"bad.toml": "[ui]\nhost = 'jetson..lan'\n"})
page.plain("A link of the page with half a bracket", "--config ~/bad.toml config show",
    "bad.toml: ui.link is 'http://***'", "or nothing",
    {"bad.toml": "[ui]\nlink = 'http://[::1/'\n"})
page.plain("A link of the page with a user in it", "--config ~/bad.toml config show",
    "ui.link", "or nothing", {"bad.toml": "[ui]\nlink = 'http://me@jetson/'\n"})
