"""The artefact: a model that can be served, as data. No pickle, no code, every byte accounted for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from dsray.base import RequestError, explain
from dsray.base.folders import put_back, replacing_folder
from dsray.base.kinds import Trust, guarded
from dsray.base.sums import Damaged, compare, digest, digest_of, seal, unseal
from dsray.compress.onnx_model import OnnxModel
from dsray.data.schema import Schema

FORMAT = 1


@dataclass(frozen=True)
class Artefact:
    """A loaded artefact. `version` names its content: twelve hex digits."""

    folder: Path
    manifest: Mapping[str, Any]
    schema: Schema

    @property
    def version(self) -> str:
        """Twelve hex digits of the hash of everything that decides an answer."""
        return str(self.manifest["version"])

    @property
    def blocks(self) -> int | None:
        """Blocks of the trunk, no row runs more; None for a model that routes nothing."""
        compute = self.manifest["compute"]
        return None if compute is None else int(compute["blocks"])

    def model(self, threads: int = 1) -> OnnxModel:
        """The model, ready to answer."""
        try:
            return OnnxModel(self.folder / "model.onnx", threads)
        except Exception as error:  # onnxruntime has a class for each of its reasons, with no base of their own
            reason = " ".join(str(error).split())
            raise RequestError(f"artefact: {self.folder / 'model.onnx'} cannot be run ({reason})") from None

    @classmethod
    def load(cls, folder: Path, trust: Trust = False) -> Artefact:
        """Read and verify; anything that is not byte for byte what was written is a RequestError.

        trust: whose kinds of input and target its schema may name, of those that are not dsray's. Nothing else in it is code.
        """
        path = folder / "manifest.json"
        put_back(folder)
        try:
            manifest = unseal(path)
        except FileNotFoundError:
            raise RequestError(f"artefact: {folder} holds no manifest.json; make one with dsray compress RUN") from None
        except OSError as error:
            raise RequestError(f"artefact: cannot read {path} ({error.strerror}); compress again") from None
        except Damaged:
            manifest = {}
        if manifest.get("format") != FORMAT:
            raise RequestError(f"artefact: {path} was altered or is of another format; compress again")
        try:
            compare(folder, manifest.get("files"), ["model.onnx"])
        except Damaged as error:
            raise RequestError(f"artefact: {folder} cannot be used ({error}); compress again") from None
        try:
            with guarded(f"artefact: {folder}", trust):
                found = _Manifest.model_validate(manifest)
        except ValidationError as error:
            raise RequestError(f"artefact: {path} is not of this version ({explain(error, 'manifest')})") from None
        if found.version != _version(manifest):
            raise RequestError(f"artefact: {path} was altered (its version names another content); compress again")
        return cls(folder, manifest, found.answers)


class _Compute(BaseModel):
    blocks: int = Field(ge=1)
    budget: int | None


class _Manifest(BaseModel):
    """What readers of a manifest ask it for."""

    answers: Schema = Field(alias="schema")
    compute: _Compute | None
    threshold: float | None
    metrics: dict[str, float | None]
    version: str


def write_artefact(
    folder: Path, model: Path, schema: Schema, about: Mapping[str, Any], report: Mapping[str, Any]
) -> None:
    """Put model, manifest and report into `folder` in one step; an older artefact there is replaced.

    about: opset, compute budget, threshold, metrics: what `/v1/model` tells.
    """
    with replacing_folder(folder) as aside:
        shutil.copyfile(model, aside / "model.onnx")
        (aside / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True))
        files = {name: digest_of(aside / name) for name in ("model.onnx", "report.json")}
        manifest = {"format": FORMAT, **about, "schema": schema.model_dump(mode="json"), "files": files}
        manifest["version"] = _version(manifest)
        (aside / "manifest.json").write_bytes(seal(manifest))


def _version(manifest: Mapping[str, Any]) -> str:
    """Of everything that decides an answer; the report is no part of it, since speeds stand there."""
    decides = {key: value for key, value in manifest.items() if key not in ("version", "sha256")}
    files = {name: value for name, value in manifest["files"].items() if name != "report.json"}
    return digest({**decides, "files": files})[:12]
