"""Names of a model from outside as names of classes: by the same rule as those that the owner types, with a way on."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from posture_daemon.errors import LabelError
from posture_daemon.labelling.class_names import MAX_NAME_LENGTH, find, flaw_of, shown, tidy


def adopt(names: Sequence[str], renames: Sequence[str], known: Sequence[str], file: Path) -> tuple[str, ...]:
    """What the rows of a model are called here: as in the file, except for `renames` such as `OLD=NEW`.

    A class that is `known` in another case or form of letters keeps its name. Raises `LabelError` for a name that no class can
    have, and for two rows of one class; the sentence says which option names it.
    """
    given = dict(_renamed(one, names) for one in renames)
    adopted: list[str] = []
    troubles: dict[int, str] = {}
    for row, name in enumerate(names):
        wanted = given.get(row, name)
        here = find(wanted, known)
        flaw = flaw_of(wanted) if here is None else None
        kept = "" if flaw else here or tidy(wanted)
        if flaw:
            troubles[row] = flaw
        twin = find(kept, adopted) if kept else None
        if twin is not None:
            troubles[row] = f"Two outputs of {file} are the class {shown(twin)} ({adopted.index(twin)} and {row})"
        adopted.append(kept)
    if troubles:
        command = _way_on(
            file, names, [one for one in renames if _renamed(one, names)[0] not in troubles], list(troubles)
        )
        raise LabelError(f"{next(iter(troubles.values()))}; say what it is called here with: {command}")
    return tuple(adopted)


def _renamed(given: str, names: Sequence[str]) -> tuple[int, str]:
    """The row and the new name of an `OLD=NEW`, whose OLD is a name of the file or the number of its output."""
    for cut in (number for number in reversed(range(len(given))) if given[number] == "="):  # a name may hold one, too
        old, new = given[:cut], given[cut + 1 :]
        found = [row for row, name in enumerate(names) if tidy(name) == tidy(old)]
        if not found and old.isascii() and old.isdecimal() and int(old) < len(names):
            found = [int(old)]
        if len(found) == 1:
            return found[0], new
        if found:
            raise LabelError(
                f"{len(found)} outputs are called {shown(old)}; name one by its number: --rename {found[-1]}={new}."
            )
    known = ", ".join(map(shown, names[:20]))
    raise LabelError(f"--rename takes OLD=NEW, and {shown(given)} begins with no class of the file; it has: {known}.")


def _way_on(file: Path, names: Sequence[str], kept: Sequence[str], rows: Sequence[int]) -> str:
    """The command that calls these rows otherwise, beside the renamings that are `kept`."""
    asked = [f"{_old(names, row)}=NEW{'' if len(rows) == 1 else number}" for number, row in enumerate(rows, 1)]
    options = [part for one in (*kept, *asked) for part in ("--rename", one)]
    again = shlex.join(["posture-daemon", "models", "import", str(file), *options])
    return f"{again} (--as-base takes only what it sees, without its classes)."


def _old(names: Sequence[str], row: int) -> str:
    """The name of a row where it is clear and can be typed, else its number."""
    name = names[row]
    clear = (
        [tidy(one) for one in names].count(tidy(name)) == 1
        and name.isprintable()
        and 0 < len(name) <= 2 * MAX_NAME_LENGTH
    )
    return name if clear else str(row)
