"""The artefact: a model that can be served, as data. No pickle, no code, every byte accounted for."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dsray.base import RequestError
from dsray.compress.session import Session
from dsray.folders import replace_folder
from dsray.schema import Schema

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
    def blocks(self) -> int:
        """Blocks of the trunk; no row runs more."""
        return int(self.manifest["compute"]["blocks"])

    def session(self, threads: int = 1) -> Session:
        """The model, ready to answer."""
        return Session(self.folder / "model.onnx", threads)

    @classmethod
    def load(cls, folder: Path) -> Artefact:
        """Read and verify; anything that is not byte for byte what was written is a RequestError."""
        try:
            text = (folder / "manifest.json").read_bytes()
            manifest = json.loads(text)
            found = _digest({k: v for k, v in manifest.items() if k != "sha256"})
            sound = manifest["sha256"] == found and text == _written(manifest)
        except FileNotFoundError:
            raise RequestError(f"artefact: {folder} holds no manifest.json; make one with dsray compress RUN") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            sound = False
        if not sound or manifest.get("format") != FORMAT:
            raise RequestError(
                f"artefact: {folder / 'manifest.json'} was altered or is of another format; compress again"
            )
        for name, expected in manifest["files"].items():
            path = folder / name
            if not path.is_file() or _hash(path) != expected:
                raise RequestError(f"artefact: {path} is missing or was altered (its hash differs); compress again")
        try:
            return cls(folder, manifest, Schema.model_validate(manifest["schema"]))
        except ValidationError:
            raise RequestError(f"artefact: {folder / 'manifest.json'} has a schema of another version") from None


def write_artefact(
    folder: Path, model: Path, schema: Schema, about: Mapping[str, Any], report: Mapping[str, Any]
) -> None:
    """Put model, manifest and report into `folder` in one step; an older artefact there is replaced.

    about: opset, compute budget, threshold, metrics: what `/v1/model` tells.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    shutil.copyfile(model, aside / "model.onnx")
    (aside / "report.json").write_text(json.dumps(report, indent=1, sort_keys=True))
    files = {"model.onnx": _hash(aside / "model.onnx")}
    manifest = {"format": FORMAT, **about, "schema": schema.model_dump(mode="json"), "files": files}
    manifest["version"] = _digest(manifest)[:12]
    files["report.json"] = _hash(aside / "report.json")  # speeds stand in it: no part of the version
    manifest["sha256"] = _digest(manifest)
    (aside / "manifest.json").write_bytes(_written(manifest))
    replace_folder(aside, folder)


def _written(manifest: Mapping[str, Any]) -> bytes:
    """The one way in which a manifest is written, so that altered white space is noticed too."""
    return json.dumps(manifest, indent=1, sort_keys=True).encode()


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
