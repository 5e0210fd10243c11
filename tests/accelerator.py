"""A pretend accelerator: real values, kept in CPU tensors, that refuse to meet tensors of the CPU.

As on a GPU, only pointwise operations take a tensor of the CPU beside them, if it is a single number.

It shows on any machine that everything a training makes is made on its device. What only a GPU can show (its kernels,
NCCL, mixed precision) it does not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("pretend")
DEVICE = torch.device("pretend", 0)
_MOVES = {"aten::_to_copy", "aten::copy_"}


class _There(torch.Tensor):
    """A tensor on the accelerator; `held` has its values."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: torch.Tensor):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )

    def __init__(self, held: torch.Tensor):
        self.held = held

    def __repr__(self):
        return f"{self.held!r} there"

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


class Accelerator(TorchDispatchMode):
    """Inside `with Accelerator():`, tensors may be made on `DEVICE` and moved there."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


def _run(operation, args: tuple, kwargs: dict[str, Any]):
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = [t for t in tensors if isinstance(t, _There)]
    name = operation._schema.name
    scalars = torch.Tag.pointwise in operation.tags and not (name.endswith("_") and not isinstance(tensors[0], _There))
    here = [tuple(t.shape) for t in tensors if not isinstance(t, _There) and not (scalars and t.ndim == 0)]
    if there and here and name not in _MOVES:
        raise RuntimeError(f"{name}: tensors of shape {here} are on the CPU, others on the accelerator")
    if name == "aten::copy_":
        _held(args[0]).copy_(_held(args[1]))
        return args[0]
    target = kwargs.get("device")
    if target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu"), "pin_memory": False}
    result = operation(*tree_map(_held, args), **tree_map(_held, kwargs))
    made_there = bool(there) if target is None else torch.device(target).type == DEVICE.type
    known = {id(t.held): t for t in there}  # an operation in place returns its own argument

    def placed(value):
        if not made_there or not isinstance(value, torch.Tensor):
            return value
        return known[id(value)] if id(value) in known else _There(value)

    return tree_map(placed, result)


def _held(value):
    return value.held if isinstance(value, _There) else value
