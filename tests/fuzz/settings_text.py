"""`posture-daemon.toml`, and variables of the environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from posture_daemon.settings.fields import ENV_PREFIX, FIELDS, variable_name
from posture_daemon.settings.load import load_settings, rows
from tests.fuzz.mutation import NUMBERS, TEXTS, as_bytes, as_text, mutated
from tests.fuzz.target import Parts

VARIABLES = b"#!variables\n"
"""Begins an input whose lines are `NAME=VALUE`."""

SEEDS = tuple(
    text.encode()
    for text in (
        '[camera]\naddress = "fake:desk?seed=3"\nfps = 10\n[queue]\nunsure_below = 0.95\nmax_frames = 300\n',
        '[ui]\nhost = "0.0.0.0"\nport = 0\n',
        'data_dir = "data"\n[training]\nmin_new_labels = 20\n[schedule]\ncheck_every_s = 10\n',
        "[limits]\nstart_celsius = 60\npause_celsius = 70\n",
        '[ui]\nlink = "http://127.0.0.1:8760/"\nenabled = false\n[keep]\nmodels = 3\n[promotion]\nmin_probability = 0.6\n',
    )
)
VALUES = (
    *NUMBERS,
    *(f'"{text}"' for text in TEXTS),
    "true",
    "[]",
    "[1]",
    "{}",
    "{a = 1}",
    "1979-05-27T07:32:00Z",
    "'''a\nb'''",
    "[[x]]",
)
SECTIONS = sorted({key.partition(".")[0] for key in FIELDS if "." in key})
TOKENS = tuple(
    as_bytes(text)
    for text in (
        *VALUES,
        *(f"[{name}]\n" for name in SECTIONS),
        *(key.rpartition(".")[2] for key in FIELDS),
        "\n",
        " = ",
        "#",
        "\r\n",
        "[a.b]",
    )
)


def make(rng: Random) -> bytes:
    """A file with damage, a file of any settings with any values, or variables."""
    way = rng.random()
    if way < 0.4:
        return mutated(rng, rng.choice(SEEDS), TOKENS)
    if way < 0.402:
        return b"[camera]\nfps = " + rng.choice((b"[", b"{a=", b"9")) * rng.choice((900, 20_000))
    keys = [rng.choice(list(FIELDS)) for _ in range(1 + rng.randrange(4))]
    if way < 0.7:
        lines = [f"{key} = {rng.choice(VALUES)}\n" for key in keys]
        return as_bytes("".join(lines))
    pool = (*NUMBERS, *TEXTS)
    lines = [f"{variable_name(key)}={rng.choice(pool)}" for key in keys]
    if rng.random() < 0.2:
        lines.append(f"{ENV_PREFIX}{rng.choice(TEXTS)}={rng.choice(pool)}")
    return VARIABLES + as_bytes("\n".join(lines))


@contextmanager
def variables(data: bytes) -> Iterator[None]:
    """The environment that an input of variables names, as far as an environment can hold it."""
    before = dict(os.environ)
    for line in data.removeprefix(VARIABLES).split(b"\n"):
        name, _, value = line.partition(b"=")
        if name and b"\0" not in line and b"=" not in name:
            os.environ[as_text(name)] = as_text(value)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def parts(folder: Path) -> Parts:
    """With what `config` shows of them."""
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        del os.environ[name]
    os.environ["STATE_DIRECTORY"] = str(folder / "state")
    file = folder / "settings.toml"

    def read(data: bytes) -> None:
        if data.startswith(VARIABLES):
            with variables(data):
                rows(load_settings())
            return
        file.write_bytes(data)
        for row in rows(load_settings(file)):
            assert isinstance(row.value, str)

    return Parts(make, read)
