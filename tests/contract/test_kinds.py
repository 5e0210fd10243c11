"""Every built-in plug-in keeps the promises that authors of plug-ins are held to; none can be left out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_args

import foreign
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsray.attacks import AnyAttack, AnyThreat, FgsmConfig, L2Config, LinfConfig, PgdConfig, RandomSearchConfig
from dsray.augment import AnyOperation, GaussianNoiseConfig, ShiftConfig
from dsray.base import Plugin, one_of
from dsray.base.schedules import AnySchedule, ConstantConfig, CosineConfig, LinearConfig, joined
from dsray.data import AnySampler, AnySource, BalancedConfig, DigitsConfig, ParquetConfig, ShuffledConfig
from dsray.engine import RowFilter
from dsray.engine.actions import AnyAction, AverageConfig, ConsolidateConfig, MeasureTasksConfig, RememberConfig
from dsray.engine.policies import AnyPolicy, PlateauConfig, ReachConfig, ReduceRateConfig
from dsray.engine.terms import AnyTerm, EwcConfig, MadryConfig, TaskConfig, TradesConfig
from dsray.engine.views import AdversarialView, AnyView, AveragedView, CleanView
from dsray.inputs import AnyInput, AnySpec, ImageInput, ImageSpec, TextInput, TextSpec
from dsray.models import AnyModel, RoutedConfig
from dsray.models.depth import AnyDepth, EarlyExitConfig, FullConfig
from dsray.models.encoders import AnyEncoder, PatchConfig, TokensConfig
from dsray.models.heads import AnyHead, LinearHeadConfig
from dsray.models.plain import PlainConfig
from dsray.optim import AdamWConfig, AnyOptimizer, SgdConfig
from dsray.spaces import AnySpace, ChoiceSpace, EpsilonScheduleSpace, FloatSpace, IntSpace, LayerRatesSpace
from dsray.targets import AnyTarget, AnyTargetSpec, ClassesTarget, LabelsTarget, NumberTarget
from dsray.testing import (
    check_action,
    check_attack,
    check_depth,
    check_encoder,
    check_head,
    check_input,
    check_model,
    check_operation,
    check_optimizer,
    check_policy,
    check_sampler,
    check_schedule,
    check_source,
    check_space,
    check_spec,
    check_target,
    check_target_spec,
    check_term,
    check_threat,
    check_view,
)

ROOT = Path(__file__).parents[2]
IMAGE = ImageSpec(column="image", channels=3, height=8, width=12)
TEXT = TextSpec(column="text", length=6, vocabulary=20, tokenizer="")
PICTURES = DigitsConfig(questions=False).tables()["train"].column("image")[:3].to_pylist()
CLASSES = pa.table({"class": ["a", "b", "a", "c", "a"]})
SETS = pa.table({"set": [["a", "b"], [], ["b"], ["c", "a", "c"], ["a"]], "words": ["a; b", "", "b", "c;a;c", "a"]})
AMOUNTS = pa.table({"amount": [2.5, 10.0, -1.0, 2.5, 7.0]})
TARGETS_OF = {column: table for table in (CLASSES, SETS, AMOUNTS) for column in table.column_names}
"""Rows for targets, by their column."""
ROWS = pa.table({"image": [*PICTURES, None], "text": ["which digit", "", None, "which digit is it"]})
"""Rows for inputs, each missing in one of them."""


class Kind(NamedTuple):
    """One kind: its union, the check of its promises, at least one example of each member, and some of other packages."""

    union: Any
    check: Callable[[Any], None]
    examples: tuple[Plugin, ...]
    foreign: tuple[Plugin, ...] = ()

    @property
    def name(self) -> str:
        return str(get_args(self.union)[0].__name__)


KINDS = (
    Kind(
        AnyAttack,
        check_attack,
        (
            FgsmConfig(),
            PgdConfig(steps=5),
            PgdConfig(steps=3, random_start=False),
            PgdConfig(steps=3, restarts=2, loss="margin"),
            RandomSearchConfig(queries=30),
        ),
    ),
    Kind(AnyThreat, check_threat, (LinfConfig(), LinfConfig(input="photo"), L2Config(), L2Config(input="photo"))),
    Kind(AnyOperation, check_operation, (GaussianNoiseConfig(sigma=0.2), ShiftConfig(pixels=2, chance=0.5))),
    Kind(
        AnySchedule,
        check_schedule,
        (
            ConstantConfig(value=0.1),
            LinearConfig(end=0.1, share=0.5),
            CosineConfig(peak_value=1e-3),
            joined((0.3, ConstantConfig(value=0.0)), (0.7, LinearConfig(end=1.0))),
        ),
    ),
    Kind(
        AnyEncoder,
        lambda config: check_encoder(config, TEXT if config.reads is TextSpec else IMAGE),
        (PatchConfig(), PatchConfig(patch=2, width=24), TokensConfig()),
        (foreign.WavesConfig(), foreign.WavesConfig(start=0.5)),
    ),
    Kind(
        AnyInput,
        partial(check_input, train=ROWS),
        (ImageInput(column="image", size=(8, 12), channels=3), TextInput(column="text")),
    ),
    Kind(AnySpec, partial(check_spec, rows=ROWS), (IMAGE, TextInput(column="text", length=2).fit(ROWS))),
    Kind(
        AnyTarget,
        lambda config: check_target(config, TARGETS_OF[config.column]),
        (
            ClassesTarget(column="class"),
            ClassesTarget(column="class", normal="b"),
            LabelsTarget(column="set"),
            LabelsTarget(column="words", threshold=0.3),
            NumberTarget(column="amount"),
            NumberTarget(column="amount", tolerance=2, coverage=0.5),
        ),
    ),
    Kind(
        AnyTargetSpec,
        lambda spec: check_target_spec(spec, TARGETS_OF[spec.column]),
        (
            ClassesTarget(column="class").fit(CLASSES),
            LabelsTarget(column="set").fit(SETS),
            LabelsTarget(column="words").fit(SETS).replace(thresholds=(0.1, 0.5, 0.9)),
            NumberTarget(column="amount").fit(AMOUNTS),
            NumberTarget(column="amount").fit(AMOUNTS).replace(interval=1.5),
        ),
    ),
    Kind(AnyDepth, check_depth, (FullConfig(), EarlyExitConfig(), EarlyExitConfig(exits=(1, 3), threshold=0.5, cap=3))),
    Kind(AnyHead, check_head, (LinearHeadConfig(),)),
    Kind(
        AnyModel,
        check_model,
        (RoutedConfig(), RoutedConfig.model_validate({"trunk": {"experts": None}, "depth": "full"})),
        (PlainConfig(kind="foreign_nets:Loose"), PlainConfig(kind="foreign_nets:Loose", settings={"pixels": 64})),
    ),
    Kind(
        AnyTerm,
        check_term,
        (
            TaskConfig(label_smoothing=0.1),
            TaskConfig(exit_weight=0),
            MadryConfig(),
            MadryConfig(clean_share=0),
            TaskConfig(weights="balanced", focal=2),
            MadryConfig(weights={"b": 3.0}),
            TradesConfig(weights="balanced"),
            TradesConfig(),
            EwcConfig(),
        ),
    ),
    Kind(AnyView, check_view, (CleanView(), AdversarialView(), AveragedView())),
    Kind(
        AnyPolicy,
        check_policy,
        (
            PlateauConfig(patience=2),
            PlateauConfig(metric="loss", keep="last", tolerance=0.1),
            ReachConfig(value=0.9),
            ReachConfig(metric="loss", value=0.1),
            ReduceRateConfig(),
            ReduceRateConfig(metric="loss", factor=0.1, patience=3, tolerance=0.1, least=0),
        ),
    ),
    Kind(AnySampler, check_sampler, (ShuffledConfig(), BalancedConfig())),
    Kind(
        AnyAction,
        check_action,
        (
            AverageConfig(),
            AverageConfig(decay=0.5),
            ConsolidateConfig(rows=4),
            ConsolidateConfig(rows=8, fisher="empirical"),
            MeasureTasksConfig(tasks=(RowFilter(classes=("a",)), RowFilter(column="place", values=("1",)))),
            RememberConfig(size=7),
        ),
    ),
    Kind(AnyOptimizer, check_optimizer, (AdamWConfig(), SgdConfig(), SgdConfig(nesterov=True, weight_decay=0.1))),
    Kind(
        AnySpace,
        check_space,
        (
            FloatSpace(low=1e-4, high=1e-1, log=True),
            IntSpace(low=-2, high=9),
            ChoiceSpace(options=(1, "a", None, {"kind": "linear", "end": 0.1})),
            EpsilonScheduleSpace(),
            LayerRatesSpace(groups=("head", "*")),
        ),
    ),
    Kind(
        AnySource,
        partial(check_source, data={"image": {"column": "image", "size": 8}, "label": "digit"}),
        (
            DigitsConfig(),
            DigitsConfig(questions=False),
            ParquetConfig(train="$DSRAY_CONTRACT/train", test="$DSRAY_CONTRACT/test.parquet"),
        ),
    ),
)


@pytest.fixture(scope="module", autouse=True)
def _rows_in_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A few of the digits as Parquet files under $DSRAY_CONTRACT, those of the training in two of them."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "train").mkdir()
    rows = DigitsConfig(questions=False).tables()["train"]
    for name, first in {"train/a": 0, "train/b": 50, "test": 100}.items():
        pq.write_table(rows.slice(first, 50), folder / f"{name}.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DSRAY_CONTRACT", str(folder))
        yield


def members(union: Any) -> one_of:
    """What stands inside of the annotation, or is itself what annotations are made of."""
    return next(word for word in (union, *get_args(union)) if isinstance(word, one_of))


def unions_of_dsray() -> dict[str, one_of]:
    """Every `one_of(...)` in the code by `module.NAME`."""
    found = {}
    for path in sorted((ROOT / "dsray").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name in unions_in(path.read_text(), module):
            found[f"{module}.{name}"] = members(getattr(import_module(module), name))
    return found


def unions_in(code: str, module: str) -> list[str]:
    """The names at the top of a file that hold a `one_of(...)`; one that has none cannot be looked up in a table."""
    tree = ast.parse(code)
    names = [node.targets[0].id for node in tree.body if isinstance(node, ast.Assign) and _calls(node)]
    assert len(names) == _calls(tree), f"{module}: give each one_of a name at the top of the file"
    return names


def _calls(tree: ast.AST) -> int:
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [f.id if isinstance(f, ast.Name) else f.attr if isinstance(f, ast.Attribute) else "" for f in called]
    return names.count("one_of")


def test_every_union_of_dsray_is_in_the_table():
    found, here = unions_of_dsray(), [members(kind.union) for kind in KINDS]
    missing = [name for name, union in found.items() if union not in here]
    assert missing == []
    assert len(here) == len(found) >= 14


def test_a_union_cannot_hide():
    assert unions_in("Any = Annotated[A, one_of(B)]\nOther = Annotated[A, kinds.one_of(B)]", "m") == ["Any", "Other"]
    for hidden in ("class C:\n    field: Annotated[A, one_of(B)]", "def f():\n    return one_of(B)"):
        with pytest.raises(AssertionError, match="m: give each one_of a name"):
            unions_in(hidden, "m")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_member_of_the_union_has_an_example_here(kind: Kind):
    expected = members(kind.union).members
    assert {type(config) for config in kind.examples} == set(expected.values())
    assert all(config.kind in expected for config in kind.examples)


CHECKS = [(kind.check, config) for kind in KINDS for config in (*kind.examples, *kind.foreign)]


@pytest.mark.parametrize(("check", "config"), CHECKS, ids=lambda value: getattr(value, "kind", ""))
def test_it_keeps_its_promises(check: Callable[[Any], None], config: Plugin):
    check(config)
