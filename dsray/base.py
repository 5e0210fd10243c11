"""What every other file stands on: `Config`, plug-in unions and the two kinds of error."""

from __future__ import annotations

import difflib
import importlib
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class DsrayError(Exception):
    """Base of the errors that are reported as one sentence, without a traceback."""

    exit_code = 1


class RequestError(DsrayError):
    """The request was wrong: which field, what was wrong, what would be right. Exit status 2."""

    exit_code = 2


class RunFailure(DsrayError):
    """A correct request failed while running; what was finished is kept. Exit status 1."""

    exit_code = 1


class Config(BaseModel):
    """A frozen section of an experiment file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, ser_json_inf_nan="constants")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        for key in data if isinstance(data, dict) else ():
            if key not in cls.model_fields:
                hint = nearest(str(key), list(cls.model_fields))
                raise PydanticCustomError("unknown_key", "unknown key {key}; {hint}", {"key": str(key), "hint": hint})
        return data

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes` applied."""
        return type(self).model_validate({**self.model_dump(), **changes})


class Plugin(Config):
    """Base of every config that is chosen by `kind`; a subclass is one file and one name in a `one_of`."""

    kind: str


class one_of:  # noqa: N801 - reads as a word inside Annotated
    """Annotation for a field that holds one plug-in: `Annotated[AttackConfig, one_of(PgdConfig, ...)]`.

    The field accepts `{kind: NAME, ...}` for a member, `{kind: "package.module:Class", ...}` for a subclass of the
    annotated base in the user's own package, and the bare string `NAME` when every other key has a default.
    """

    def __init__(self, *members: type[Plugin], shorthand: tuple[dict[str, Any], ...] = ()):
        """shorthand: JSON Schemas of what else is accepted, because a validator before this one reads it."""
        self.members: dict[str, type[Plugin]] = {m.model_fields["kind"].default: m for m in members}
        self.shorthand = shorthand

    def __get_pydantic_core_schema__(self, source: type[Plugin], handler: GetCoreSchemaHandler) -> CoreSchema:
        def pick(value: Any) -> Plugin:
            if isinstance(value, source):
                return value
            if isinstance(value, str):
                value = {"kind": value}
            if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
                raise PydanticCustomError("kind", "needs a 'kind', one of {kinds}", {"kinds": ", ".join(self.members)})
            return self.find(value["kind"], source).model_validate(value)

        dump = core_schema.plain_serializer_function_ser_schema(lambda v: v.model_dump(mode="json"))
        return core_schema.no_info_plain_validator_function(pick, serialization=dump)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        own = {
            "type": "object",
            "description": "a plug-in of your own, package.module:Class",
            "properties": {"kind": {"type": "string", "pattern": "^[\\w.]+:\\w+$"}},
            "required": ["kind"],
        }
        # members may contain each other, so they are named here and written out once by `json_schema`
        members = [{_MEMBER: m} for m in self.members.values()]
        bare = [k for k, m in self.members.items() if not any(f.is_required() for f in m.model_fields.values())]
        return {"anyOf": [*self.shorthand, *members, *([{"enum": bare}] if bare else []), own]}

    def find(self, kind: str, base: type[Plugin]) -> type[Plugin]:
        """The config class that `kind` names."""
        if kind in self.members:
            return self.members[kind]
        if ":" in kind:
            return _import_plugin(kind, base)
        raise PydanticCustomError(
            "kind", "{hint}", {"hint": f"unknown kind '{kind}'; {nearest(kind, list(self.members))}"}
        )


FRACTION = r"^\s*(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)\s*$"


def fraction(value: Any) -> Any:
    """`8/255`, as the field writes radii, becomes a number; anything else stays as it is."""
    if isinstance(value, str) and (found := re.match(FRACTION, value)):
        above, below = float(found[1]), float(found[2])
        return above / below if below else math.inf
    return value


def own_plugins(node: Any) -> Iterator[Plugin]:
    """The plug-ins of a user's own in a config, at any depth."""
    if isinstance(node, Plugin) and not type(node).__module__.startswith("dsray."):
        yield node
    if isinstance(node, BaseModel):
        node = [getattr(node, name) for name in type(node).model_fields]
    for item in node if isinstance(node, list | tuple) else ():
        yield from own_plugins(item)


_untrusted: ContextVar[str | None] = ContextVar("_untrusted", default=None)


@contextmanager
def untrusted(what: str) -> Iterator[None]:
    """Within, no plug-in of anybody's own is imported: reading a kind `package.module:Class` is a RequestError.

    It stands where the import would happen, so that it holds however and wherever the kind is written.
    what: where the settings come from, `record: runs/A`; the error begins with it.
    """
    token = _untrusted.set(what)
    try:
        yield
    finally:
        _untrusted.reset(token)


_MEMBER = "x-member"


def json_schema(root: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of `root` with every plug-in that its `one_of` fields accept under `$defs`."""
    defs: dict[str, Any] = {}

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if _MEMBER in node:
            return {"$ref": f"#/$defs/{add(node[_MEMBER])}"}
        return {key: resolve(value) for key, value in node.items() if key != "$defs"}

    def add(member: type[BaseModel]) -> str:
        name = member.__name__
        if name not in defs:
            defs[name] = {}
            whole = member.model_json_schema()
            defs[name] = resolve(whole)
            if "kind" in (properties := defs[name].get("properties", {})):
                properties["kind"].pop("default", None)
                defs[name].setdefault("required", []).append("kind")
            take(whole)
        return name

    def take(whole: dict[str, Any]) -> None:
        for name, schema in whole.get("$defs", {}).items():
            if name not in defs:
                defs[name] = resolve(schema)

    whole = root.model_json_schema()
    top = resolve(whole)
    take(whole)
    return {**top, "$defs": dict(sorted(defs.items()))}


def _import_plugin(kind: str, base: type[Plugin]) -> type[Plugin]:
    if what := _untrusted.get():
        raise RequestError(f"{what} runs code of its own ({kind}); add --trust to allow it")
    module, _, name = kind.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # the user's module may fail in any way
        why = f"{type(error).__name__}: {error}"
        raise PydanticCustomError(
            "kind",
            "{hint}",
            {"hint": f"cannot import '{kind}' ({why}); give package.module:Class on the Python path"},
        ) from None
    if not (isinstance(found, type) and issubclass(found, base)):
        raise PydanticCustomError("kind", "{hint}", {"hint": f"'{kind}' is not a subclass of {base.__name__}"})
    return found


def nearest(word: str, valid: list[str]) -> str:
    """The end of an error sentence: the closest valid name, or all of them."""
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.55)
    return f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(valid)}"


def explain(error: ValidationError, root: str) -> str:
    """One sentence for the first fault in `error`: dotted path, value, and what would be right."""
    faults = error.errors()
    first = next((f for f in faults if f["type"] == "unknown_key"), faults[0])
    loc = [str(part) for part in first["loc"]]
    if first["type"] == "unknown_key":
        return f"{'.'.join([*loc, first['ctx']['key']])}: unknown key; {first['ctx']['hint']}"
    path = ".".join(loc) or root
    if first["type"] == "missing":
        return f"{path}: is required"
    message = first["msg"].removeprefix("Value error, ")
    value = first["input"]
    said = "; got " in message or isinstance(value, dict | list | tuple | BaseModel)
    shown = "" if said else f"; got {value!r}"
    if re.match(r"[a-z_]\w*(\.\w+)*: ", message):  # a check across fields that names the one at fault itself
        return f"{'.'.join([*loc, message])}{shown}"
    return f"{path}: {message[:1].lower()}{message[1:]}{shown}"
