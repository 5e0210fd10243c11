"""Kinds of input, each a file here and a name in the two unions below. No torch."""

from typing import Annotated, get_args

from dsray.base import one_of
from dsray.inputs.image import ImageInput, ImageSpec
from dsray.inputs.input import Encoded, InputConfig, InputSpec, Shown
from dsray.inputs.tensor import TensorSpec, flat
from dsray.inputs.text import TextInput, TextSpec

AnyInput = Annotated[InputConfig, one_of(ImageInput, TextInput)]
"""What `data.inputs` may name."""
AnySpec = Annotated[InputSpec, one_of(ImageSpec, TextSpec)]
"""What a schema may hold."""
INPUTS: one_of = get_args(AnyInput)[1]
SPECS: one_of = get_args(AnySpec)[1]

__all__ = [
    "INPUTS",
    "SPECS",
    "AnyInput",
    "AnySpec",
    "Encoded",
    "ImageInput",
    "ImageSpec",
    "InputConfig",
    "InputSpec",
    "Shown",
    "TensorSpec",
    "TextInput",
    "TextSpec",
    "flat",
]
