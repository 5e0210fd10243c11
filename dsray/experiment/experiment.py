"""Experiment: the whole file, composed from the sections that live beside what they build."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

import yaml
from pydantic import Field, ValidationError, model_validator

from dsray.augment import AugmentConfig
from dsray.base import Config, RequestError, explain
from dsray.compress import CompressConfig
from dsray.data import BalancedConfig, DataConfig, Prepared
from dsray.data.movable import ranges
from dsray.engine import (
    AdversarialConfig,
    ContinualConfig,
    FinetuneConfig,
    Stage,
    TrainConfig,
    compile_stages,
    undefended,
)
from dsray.engine.controls import check_controls
from dsray.engine.policies.watched import check_watched
from dsray.engine.terms import SupervisedConfig, TermConfig
from dsray.engine.views import AVERAGED
from dsray.experiment.overrides import apply_overrides, merge, parse_override
from dsray.inputs import SPECS, InputSpec
from dsray.models import AnyModel
from dsray.parallel.config import ParallelConfig
from dsray.serving.config import ServeConfig
from dsray.spaces.config import TuneConfig


class Experiment(Config):
    """One experiment. Every section but `data` and `model` may be left out."""

    format: Literal[1] = Field(1, description="version of this file format")
    name: str = Field("experiment", pattern=r"^\w[\w.-]*$", description="name of the run's folder")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of everything random")
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    model: AnyModel
    train: TrainConfig = TrainConfig()
    parallel: ParallelConfig = ParallelConfig()
    adversarial: AdversarialConfig | None = None
    finetune: FinetuneConfig | None = None
    continual: ContinualConfig | None = None
    compress: CompressConfig | None = None
    serve: ServeConfig = ServeConfig()
    tune: TuneConfig | None = None

    @model_validator(mode="after")
    def _sections_fit(self) -> Experiment:
        if self.name == "latest":
            raise ValueError("name: 'latest' names the newest run; give another")
        for i, stage in enumerate(self.adversarial.stages if self.adversarial else ()):
            if round(self.train.batch * stage.share) == 0:
                raise ValueError(
                    f"adversarial.stages.{i}.share: {stage.share:g} of {self.train.batch} rows is none; give more"
                )
            if AVERAGED in stage.loss.views and not self.train.average:
                raise ValueError(
                    f"adversarial.stages.{i}.loss: '{stage.loss.kind}' reads the average of the weights; give train.average"
                )
        self.augment.choose({name: part.gives() for name, part in self.data.inputs.items()})
        check_watched(self.train.policies, self.data.target.gives().watched())
        check_controls(self.train.policies, bool(self.adversarial and self.adversarial.stages))
        self._classes_count_once()
        if self.adversarial:
            self.adversarial.check_threats(ranges(self.data))
        replay = self.continual.replay(1) if self.continual else None
        if replay and not 0 < replay.rows(self.train.batch) < self.train.batch:
            which = "replayed" if replay.rows(self.train.batch) == 0 else "new"
            raise ValueError(
                f"continual.memory.replay.share: {replay.share:g} of {self.train.batch} rows leaves no {which} row; "
                "change it or train.batch"
            )
        if self.parallel.workers > self.train.batch:
            raise ValueError(f"parallel.workers: more workers than rows in a batch ({self.train.batch})")
        self._model_fits()
        if self.train.accumulate > 1:
            self._parts_fit()
        if self.parallel.pipeline > 1:
            self._pieces_fit()
        return self

    def _model_fits(self) -> None:
        """What the model leaves open for its inputs is written out, so that overrides and sweeps find it."""
        specs = cast(dict[str, type[InputSpec]], SPECS.members)
        kinds = {name: specs.get(config.kind) for name, config in self.data.inputs.items()}
        object.__setattr__(self, "model", self.model.for_inputs(kinds))  # frozen for everybody else

    def _classes_count_once(self) -> None:
        """Balanced weights are of the rows as they are, and a balanced sampler draws others."""
        if not isinstance(self.train.sampler, BalancedConfig):
            return
        losses: dict[str, TermConfig] = {"train.task": self.train.task}
        for i, stage in enumerate(self.adversarial.stages if self.adversarial else ()):
            losses[f"adversarial.stages.{i}.loss"] = stage.loss
        for field, loss in losses.items():
            if isinstance(loss, SupervisedConfig) and loss.weights == "balanced":
                raise ValueError(
                    f"{field}.weights: balanced beside train.sampler: balanced makes up for rare classes twice; keep one"
                )

    def _parts_fit(self) -> None:
        workers, parts = self.parallel.workers, self.train.accumulate
        cut = [workers, parts, *([self.parallel.microbatches] if self.parallel.pipeline > 1 else [])]
        if self.train.batch % math.prod(cut):
            named = "parallel.workers x train.accumulate" + (" x parallel.microbatches" if len(cut) > 2 else "")
            shares = " x ".join(map(str, cut))
            raise ValueError(f"train.accumulate: {shares} ({named}) do not divide train.batch ({self.train.batch})")

    def _pieces_fit(self) -> None:
        parallel, blocks = self.parallel, self.model.blocks
        if not blocks:
            raise ValueError(f"parallel.pipeline: model {self.model.kind} is not cut into pieces; use workers")
        if parallel.pipeline > blocks:
            raise ValueError(f"parallel.pipeline: {parallel.pipeline} pieces of {blocks} blocks; use at most {blocks}")
        if self.train.batch % (parallel.workers * parallel.microbatches):
            shares = f"{parallel.workers} x {parallel.microbatches}"
            raise ValueError(f"parallel.microbatches: {shares} parts do not divide train.batch ({self.train.batch})")
        if self.adversarial and self.adversarial.stages:
            raise ValueError("parallel.pipeline: adversarial stages need the whole model in one process; use workers")
        if self.continual and self.continual.ewc:
            raise ValueError("parallel.pipeline: continual.ewc needs the whole model in one process; use workers")

    @classmethod
    def load(cls, path: Path | str, overrides: Iterable[str] = ()) -> Experiment:
        """Read a file, apply `key=value` overrides, validate. Any fault is a RequestError of one sentence."""
        tree = read_tree(Path(path))
        tree.setdefault("name", Path(path).stem)
        parsed = [parse_override(text) for text in overrides]
        resolved = cls.parse(tree)
        if not parsed:
            return resolved
        return cls.parse(apply_overrides(_open(resolved.tree(), tree, [path for path, _ in parsed]), parsed))

    @classmethod
    def parse(cls, tree: dict[str, Any]) -> Experiment:
        """Validate a nested mapping."""
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise RequestError(explain(error, "experiment")) from None

    @classmethod
    def parse_section(cls, name: str, tree: dict[str, Any]) -> Any:
        """Validate one section on its own; faults carry its name."""
        try:
            return cls.model_fields[name].annotation.model_validate(tree)  # type: ignore[union-attr]
        except ValidationError as error:
            raise RequestError(f"{name}.{explain(error, name)}") from None

    def tree(self) -> dict[str, Any]:
        """The fully resolved experiment as plain values."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The fully resolved experiment as a file that `load` accepts."""
        return yaml.safe_dump(self.tree(), sort_keys=False, allow_unicode=True, width=100)

    def stages(self, data: Prepared) -> list[Stage]:
        """The flat list of stages that the file stands for, with lengths in steps."""
        for task in self.continual.tasks if self.continual else ():
            for split in ("train", "validation"):
                task.filter().select(data, split, f"continual.tasks.{task.name}")
        return compile_stages(
            self.train,
            self.adversarial,
            self.finetune,
            self.continual,
            lambda rows: len(rows.select(data, "train")),
        )

    def undefended_stages(self, data: Prepared) -> list[Stage] | None:
        """The same steps without attacks, when the file asks for that baseline and there is an attack to leave out."""
        if not (self.adversarial and self.adversarial.baseline and self.adversarial.stages):
            return None
        return undefended(self.stages(data), self.train)


def _open(resolved: dict[str, Any], written: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The resolved tree; where an override changes the data, without the encoders that nobody named.

    They were chosen for inputs that the override may take away or make others.
    """
    encoders = resolved["model"].get("encoders")
    if encoders is None or not any(path.split(".")[0] == "data" for path in paths):
        return resolved
    model = written["model"] if isinstance(written.get("model"), dict) else {}
    named = {
        *(model.get("encoders") or {}),
        *(path.split(".")[2] for path in paths if path.startswith("model.encoders.")),
    }
    kept = {name: encoder for name, encoder in encoders.items() if name in named}
    return {**resolved, "model": {**resolved["model"], "encoders": kept}}


class _TwiceError(Exception):
    """A mapping names a key twice."""


class _UniqueKeys(yaml.SafeLoader):
    """YAML lets the last of two equal keys win; here that is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(problem="a key is no word", problem_mark=key.start_mark)
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise _TwiceError(f"line {key.start_mark.line + 1}: '{key.value}' is given twice; keep one of them")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_tree(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The mapping in a YAML file, laid over the file that its `extends:` names."""
    if path.resolve() in above:
        raise RequestError(f"extends: {path} extends itself; name another file")
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # a SafeLoader
    except FileNotFoundError:
        raise RequestError(f"experiment: {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"experiment: cannot read {path} ({error})") from None
    except _TwiceError as error:
        raise RequestError(f"experiment: {path}, {error}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise RequestError(f"experiment: {path}{line} is not valid YAML") from None
    except ValueError as error:  # a date or a number that is none
        raise RequestError(f"experiment: {path} is not valid YAML ({error})") from None
    except RecursionError:
        raise RequestError(f"experiment: {path} is not valid YAML (it nests too deeply)") from None
    if not isinstance(tree, dict):
        raise RequestError(f"experiment: {path} must hold a mapping of sections")
    base = tree.pop("extends", None)
    return tree if base is None else merge(read_tree(path.parent / str(base), (*above, path.resolve())), tree)
