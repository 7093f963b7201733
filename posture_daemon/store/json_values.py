"""Values to JSON and back, in one way for the database, for files that processes leave each other, and for `--json`."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from posture_daemon.store.json_files import parse_json

Value = TypeVar("Value")


def as_json(value: Any) -> Any:
    """Plain values: a dataclass as an object, an enum as its value, a path as its text, a tuple as a list.

    A class that is written otherwise than field by field says how in a method `shape_json`, which is given the fields.
    """
    if is_dataclass(value):
        found = {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
        shape = getattr(value, "shape_json", None)
        return found if shape is None else shape(found)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {as_json(key): as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, (list, tuple)) else value


def from_json(kind: type[Value], data: object) -> Value:
    """The dataclass that `as_json` wrote; keys that it does not know are passed over. Raises `ValueError`, one sentence."""
    try:
        return _read(kind, data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}") from error


class JsonText:
    """For a dataclass that one process leaves another in a file."""

    def to_json(self) -> str:
        """For the file."""
        return json.dumps(as_json(self))

    @classmethod
    def from_json(cls: type[Value], text: str) -> Value:
        """Read the file. Raises `ValueError`."""
        return from_json(cls, parse_json(text))


def known_from_json(kind: type[Value], data: object) -> Value:
    """As `from_json`, for what another version may have written: a field that cannot be read keeps its default."""
    said = data if isinstance(data, Mapping) else {}
    try:
        return _read(kind, said)
    except ValidationError as error:
        wrong = {each["loc"][0] for each in error.errors()}
        return _read(kind, {name: one for name, one in said.items() if name not in wrong})


def _read(kind: type[Value], data: object) -> Value:
    value: Value = _adapter(cast(Any, kind)).validate_python(data)  # mypy takes no dataclass type for hashable
    return value


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """To build one takes milliseconds."""
    return TypeAdapter(kind)
