"""Plug-ins: configs that are chosen by `kind`, in dsray or in a package of the user's own."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from dsray.base.config import Config
from dsray.base.errors import RequestError, nearest


class Plugin(Config):
    """Base of every config that is chosen by `kind`; a subclass is one file and one name in a `one_of`."""

    kind: str


Adapter = Callable[[str, Any], type[Plugin]]
"""(kind, what it names) -> the config that stands for it; raises PydanticCustomError where none does."""


class one_of:  # noqa: N801 - reads as a word inside Annotated
    """Annotation for a field that holds one plug-in: `Annotated[AttackConfig, one_of(PgdConfig, ...)]`.

    The field accepts `{kind: NAME, ...}` for a member, `{kind: "package.module:Class", ...}` for a subclass of the
    annotated base in the user's own package, and the bare string `NAME` when every other key has a default.
    """

    def __init__(
        self,
        *members: type[Plugin],
        shorthand: tuple[dict[str, Any], ...] = (),
        default: str | None = None,
        adapter: Adapter | None = None,
        former: Mapping[str, str] | None = None,
    ):
        """shorthand: JSON Schemas of what else is accepted, because a validator before this one reads it.

        default: the kind of a mapping that names none. adapter: for what a kind of the user's own names, where that
        is no config. former: the kinds that earlier versions wrote, each with its name today.
        """
        self.members: dict[str, type[Plugin]] = {m.model_fields["kind"].default: m for m in members}
        self.shorthand, self.default, self.adapter = shorthand, default, adapter
        self.former = dict(former or {})

    def __get_pydantic_core_schema__(self, source: type[Plugin], handler: GetCoreSchemaHandler) -> CoreSchema:
        def pick(value: Any) -> Plugin:
            if isinstance(value, source):
                return value
            if isinstance(value, str):
                value = {"kind": value}
            if isinstance(value, dict) and self.default is not None:
                value = {"kind": self.default, **value}
            if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
                raise PydanticCustomError("kind", "needs a 'kind', one of {kinds}", {"kinds": ", ".join(self.members)})
            value = {**value, "kind": self.former.get(value["kind"], value["kind"])}
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
        members = [{MEMBER: m, KINDLESS: k == self.default} for k, m in self.members.items()]
        bare = [k for k, m in self.members.items() if not any(f.is_required() for f in m.model_fields.values())]
        return {"anyOf": [*self.shorthand, *members, *([{"enum": bare}] if bare else []), own]}

    def find(self, kind: str, base: type[Plugin]) -> type[Plugin]:
        """The config class that `kind` names."""
        if kind in self.members:
            return self.members[kind]
        if ":" in kind:
            return _import_plugin(kind, base, self.adapter)
        raise PydanticCustomError(
            "kind", "{hint}", {"hint": f"unknown kind '{kind}'; {nearest(kind, list(self.members))}"}
        )


def own_plugins(node: Any) -> Iterator[Plugin]:
    """The plug-ins of a user's own in a config, at any depth; among them those that an adapter stands for."""
    if isinstance(node, Plugin) and (":" in node.kind or not type(node).__module__.startswith("dsray.")):
        yield node
    if isinstance(node, BaseModel):
        node = [getattr(node, name) for name in type(node).model_fields]
    if isinstance(node, dict):
        node = list(node.values())
    for item in node if isinstance(node, list | tuple) else ():
        yield from own_plugins(item)


Trust = bool | frozenset[str]
"""Whose code may be run: anybody's, nobody's, or that of the named packages."""

_guard: ContextVar[tuple[str, Trust]] = ContextVar("_guard", default=("", True))


@contextmanager
def guarded(what: str, trust: Trust) -> Iterator[None]:
    """Within, no plug-in is imported that is not trusted: reading a kind `package.module:Class` is a RequestError then.

    It stands where the import would happen, so that it holds however and wherever the kind is written.
    what: where the settings come from, `record: runs/A`; the error begins with it.
    """
    token = _guard.set((what, trust))
    try:
        yield
    finally:
        _guard.reset(token)


def packages_of(node: Any) -> frozenset[str]:
    """The packages whose plug-ins a config names, for what was made by it and names them again."""
    return frozenset(package(plugin.kind) for plugin in own_plugins(node) if ":" in plugin.kind)


def package(kind: str) -> str:
    """The top package of a kind `package.module:Class`."""
    return re.split("[.:]", kind)[0]


MEMBER, KINDLESS, UNNAMED = "x-member", "x-kindless", "x-unnamed"
"""Stand in a JSON Schema for a plug-in, one that may leave its kind out, and one whose kind another key says;
`json_schema` writes them out."""


def json_schema(root: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of `root` with every plug-in that its `one_of` fields accept under `$defs`."""
    defs: dict[str, Any] = {}

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if UNNAMED in node:
            return unnamed(node[MEMBER])
        if MEMBER in node:
            return {"$ref": f"#/$defs/{add(node[MEMBER], node[KINDLESS])}"}
        return {key: resolve(value) for key, value in node.items() if key != "$defs"}

    def add(member: type[BaseModel], kindless: bool) -> str:
        name = member.__name__
        if name not in defs:
            defs[name] = {}
            whole = member.model_json_schema()
            defs[name] = resolve(whole)
            if "kind" in (properties := defs[name].get("properties", {})):
                properties["kind"].pop("default", None)
                if not kindless:
                    defs[name].setdefault("required", []).append("kind")
            take(whole)
        return name

    def unnamed(member: type[BaseModel]) -> Any:
        whole = resolve(member.model_json_schema())
        whole.get("properties", {}).pop("kind", None)
        return whole

    def take(whole: dict[str, Any]) -> None:
        for name, schema in whole.get("$defs", {}).items():
            if name not in defs:
                defs[name] = resolve(schema)

    whole = root.model_json_schema()
    top = resolve(whole)
    take(whole)
    return {**top, "$defs": dict(sorted(defs.items()))}


def imported(kind: str) -> Any:
    """What `package.module:Class` names; a RequestError where the settings come from elsewhere and are not trusted."""
    what, trust = _guard.get()
    if trust is False:
        raise RequestError(f"{what} runs code of its own ({kind}); add --trust to allow it")
    if trust is not True and package(kind) not in trust:
        raise RequestError(f"{what} runs code that its experiment does not name ({kind}); restore it")
    module, _, name = kind.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # the user's module may fail in any way
        why = f"{type(error).__name__}: {error}"
        raise PydanticCustomError(
            "kind",
            "{hint}",
            {"hint": f"cannot import '{kind}' ({why}); give package.module:Class on the Python path"},
        ) from None


def _import_plugin(kind: str, base: type[Plugin], adapter: Adapter | None) -> type[Plugin]:
    found = imported(kind)
    if isinstance(found, type) and issubclass(found, base):
        return found
    if adapter is None:
        raise PydanticCustomError("kind", "{hint}", {"hint": f"'{kind}' is not a subclass of {base.__name__}"})
    return adapter(kind, found)
