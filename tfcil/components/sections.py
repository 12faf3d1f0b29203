"""Typed sections of params.yaml: a wrong value is reported in one clear line."""

import re
from types import UnionType
from typing import Annotated, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError

from tfcil.errors import UserError, brief, nearest, shown

PositiveInt = Annotated[StrictInt, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A section of params.yaml: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def of(cls, values, source: str, under: str = ""):
        """Checks a dictionary of keys and values.

        Args:
            values: the dictionary.
            source: the file or function that an error message begins with; may be empty.
            under: path of this section in the file, which error messages put before its keys.

        Raises:
            UserError: one line that names each wrong key, what is allowed and what was received.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            lines = "; ".join(_describe(error.errors(), cls, under))
            raise UserError(f"{source}: {lines}" if source else lines) from None


def _describe(problems: list[dict], root: type[Section], under: str) -> list[str]:
    """Turns pydantic's problems into a clear line per key."""
    by_path: dict[tuple, list[dict]] = {}
    for problem in problems:
        # pydantic adds the branch of a union ("int", "list[str]") to the path of the key.
        parts = [str(part) for part in problem["loc"]]
        # An unknown key stays, even if it is called "int".
        unknown = [parts.pop()] if problem["type"] == "extra_forbidden" else []
        path = (*(part for part in parts if not _UNION_BRANCH.match(part)), *unknown)
        by_path.setdefault(path, []).append(problem)
    return [_line(path, problems, root, under) for path, problems in by_path.items()]


_UNION_BRANCH = re.compile(r"(int|str|float|\[key\])$|(constrained-|list\[|literal\[)")


def _line(path: tuple, problems: list[dict], root: type[Section], under: str) -> str:
    first, key = problems[0], ".".join(filter(None, (under, *map(shown, path))))
    received = f"Received: {key}={brief(first['input'])}"
    if first["type"] == "value_error":
        reason = str(first["ctx"]["error"])
        return f"{key}: {reason}" if key else reason
    if first["type"] == "missing":
        return f"{key}: this key is required"
    if first["type"] == "extra_forbidden":
        *section, name = path
        return f"{key}: no such key{nearest(name, _keys_of(root, section))}. {received}"
    expected = ", or ".join(dict.fromkeys(_expected(problem) for problem in problems))
    return f"{key}: {expected}. {received}"


def _expected(problem: dict) -> str:
    if problem["type"] == "literal_error":
        expected = problem["ctx"]["expected"]
        return f"expected {expected}{nearest(problem['input'], expected.split(chr(39)))}"
    if problem["type"] == "model_type":
        return "expected a section of keys and values"
    message = problem["msg"][0].lower() + problem["msg"][1:]
    return message.replace("dictionary", "section of keys and values")


def _keys_of(section: type[Section], path: list[str]) -> list[str]:
    """The keys of the section at `path` below another one."""
    for part in path:
        if get_origin(section) is dict:
            section = get_args(section)[1]
        else:
            section = section.model_fields[part].annotation
            if isinstance(section, UnionType):  # a section that may be null
                section = get_args(section)[0]
    return list(section.model_fields)
