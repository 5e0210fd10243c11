"""A plain `nn.Module` of the user's own behind the protocol of all models: one exit, no routing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, final

import torch
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dsray.base import RequestError
from dsray.base.errors import nearest
from dsray.base.kinds import imported
from dsray.base.likelihood import Likelihood
from dsray.base.protocols import Output
from dsray.base.routed import Exportable, Piece, Routed
from dsray.data.schema import Schema
from dsray.inputs import TensorSpec
from dsray.models.base import ModelConfig

SIZES = ("outputs", "classes")
"""What a constructor may call how many numbers a model answers with, of which each class has one."""


@final
class PlainConfig(ModelConfig):
    """A module of your own, built as `Net(**settings)`; with `outputs` or `classes`, as many, where its constructor takes that.

    Its `forward` takes each input as a keyword by name (a part `visit/number` as `visit_number`), zeros in rows that lack
    it, and gives logits (batch, outputs), for classes a number for each. Where it has a parameter `present`, that is
    input -> (batch,) bool, whether a row has it. A method `pretrained()` is called once, where a new training begins.
    """

    kind: str = Field(pattern=r"^[\w.]+:\w+$", description="package.module:Class")
    settings: dict[str, Any] = Field({}, description="keywords of the module's constructor")

    @model_validator(mode="after")
    def _settings_fit(self) -> PlainConfig:
        taken = _parameters(imported(self.kind))
        name = self.name
        if taken is None:
            return self
        for size in SIZES:
            if size in self.settings:
                raise ValueError(f"settings.{size}: is the number of {size} in the data and is not set; leave it out")
        if unknown := [key for key in self.settings if not _takes(taken, key)]:
            own = [key for key in taken if key not in SIZES and taken[key].kind is not inspect.Parameter.VAR_KEYWORD]
            hint = nearest(unknown[0], own) if own else "it takes none"
            raise ValueError(f"settings.{unknown[0]}: is no setting of {name}; {hint}")
        lacking = [key for key in _needed(taken) if key not in self.settings and key not in SIZES]
        if lacking:
            raise ValueError(f"settings: {name} needs '{lacking[0]}'; give it a value")
        return self

    @property
    def name(self) -> str:
        """Name of the module's class."""
        return self.kind.rpartition(":")[2]

    def build(self, schema: Schema) -> PlainModel:
        net = imported(self.kind)
        taken, target = _parameters(net) or {}, schema.target
        module = net(**self.settings, **{name: target.outputs for name in SIZES if name in taken})
        return PlainModel(module, self.name, schema.tensors, schema.names, target.likelihood())

    def pretrained(self, model: Routed) -> None:
        load = getattr(model.get_submodule("module"), "pretrained", None)
        if callable(load):
            load()


def adapter(kind: str, found: Any) -> type[PlainConfig]:
    """The config for a module; a fault where it is none."""
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        said = f"'{kind}' is neither a ModelConfig nor a torch.nn.Module"
        raise PydanticCustomError("kind", "{hint}", {"hint": said})
    return PlainConfig


@final
class PlainModel(Routed):
    """Answers by `module`, the same in training and evaluation; no row leaves early and nothing is skipped."""

    def __init__(
        self,
        module: nn.Module,
        name: str,
        tensors: Mapping[str, TensorSpec],
        names: tuple[str, ...],
        likelihood: Likelihood,
    ):
        """name: of the module's class, for what is said of it. names: of the inputs, of which each has some of the `tensors`."""
        super().__init__()
        if unsized := [key for key, value in module.named_parameters() if is_lazy(value)]:
            raise RequestError(
                f"model: '{unsized[0]}' of {name} gets its size from the first rows only; build it with one (Linear, not "
                "LazyLinear)"
            )
        self.module = module
        self.name, self.tensors, self.names, self.likelihood = name, dict(tensors), names, likelihood
        self.keywords = {tensor: re.sub(r"\W", "_", tensor) for tensor in tensors}
        if len(set(self.keywords.values())) < len(self.keywords):
            raise RequestError(
                f"model: {name} is given {', '.join(self.keywords)} as keywords, two of which are one; rename an input"
            )
        taken = inspect.signature(module.forward).parameters
        for keyword in self.keywords.values():
            if not _takes(taken, keyword):
                raise RequestError(
                    f"model: forward of {name} takes no '{keyword}'; it must take every input as a keyword: "
                    f"{', '.join(self.keywords.values())}"
                )
        self.tells_present = "present" in taken and "present" not in self.keywords.values()
        known = {*self.keywords.values(), "present"}
        if lacking := [key for key in _needed(taken) if key not in known]:
            raise RequestError(
                f"model: forward of {name} needs '{lacking[0]}', which is no input; the inputs are {', '.join(names)}"
            )

    @property
    def routing(self) -> None:
        return None

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor], *, full: bool = False) -> Output:
        logits = self.logits(inputs, present)
        rows = len(next(iter(inputs.values())))
        if not isinstance(logits, Tensor):
            raise RequestError(
                f"model: {self.name} gave a {type(logits).__name__}; its forward must give a tensor of logits"
            )
        outputs = self.likelihood.outputs
        if logits.shape != (rows, outputs):
            raise RequestError(
                f"model: {self.name} gave {tuple(logits.shape)} for {rows} rows; logits are ({rows}, {outputs})"
            )
        return Output(logits, (logits,))

    def logits(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """What the module answers. An input that is not in `inputs` is missing in every row."""
        first = next(iter(inputs.values()))
        rows, device = first.shape[0], first.device
        flags = {}
        for name in self.names:
            there = any(_owner(tensor) == name for tensor in inputs)
            flags[name] = present[name] if name in present else torch.full((rows,), there, device=device)
        given = {}
        for tensor, spec in self.tensors.items():
            flag = flags[_owner(tensor)]
            if tensor in inputs:
                values = inputs[tensor]
                given[self.keywords[tensor]] = values.masked_fill(~flag.reshape(-1, *[1] * (values.ndim - 1)), 0)
            else:
                given[self.keywords[tensor]] = torch.zeros(
                    rows, *spec.shape, dtype=getattr(torch, spec.dtype), device=device
                )
        answer: Tensor = self.module(**given, **({"present": flags} if self.tells_present else {}))
        return answer

    def balance(self, load: Tensor) -> None:
        """Nothing is routed."""

    def without_exits(self) -> AbstractContextManager[None]:
        return nullcontext()

    def exportable(self) -> Exportable:
        return ExportablePlain(self)

    def piece(self, index: int, pieces: int) -> Piece:
        raise RequestError(f"parallel.pipeline: {self.name} is not cut into pieces; set it to 1")

    def piece_of(self, name: str, pieces: int) -> int:
        raise RequestError(f"parallel.pipeline: {self.name} is not cut into pieces; set it to 1")

    def activations(self) -> None:
        return None

    def idle_parameters(self) -> int:
        return 0


class ExportablePlain(Exportable):
    """forward(*tensors, *flags) -> logits (batch, outputs)."""

    outputs = ("logits",)

    def __init__(self, model: PlainModel):
        super().__init__()
        self.model = model
        self.tensors, self.present = tuple(model.tensors), model.names

    def forward(self, *values: Tensor) -> Tensor:
        inputs = dict(zip(self.tensors, values, strict=False))
        return self.model.logits(inputs, dict(zip(self.present, values[len(self.tensors) :], strict=True)))


def _owner(tensor: str) -> str:
    """The input that a tensor is of."""
    return tensor.partition("/")[0]


def _parameters(function: Any) -> Mapping[str, inspect.Parameter] | None:
    """What a constructor takes; None where Python cannot tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def _takes(taken: Mapping[str, inspect.Parameter], keyword: str) -> bool:
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if keyword in taken and taken[keyword].kind in by_name:
        return True
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())


def _needed(taken: Mapping[str, inspect.Parameter]) -> list[str]:
    """Those that must be given."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [name for name, p in taken.items() if p.default is inspect.Parameter.empty and p.kind not in variable]
