"""Bad input gets one sentence: which field, what was wrong, what would be right; exit status 2."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dsray.base import RequestError
from dsray.base.kinds import json_schema
from dsray.cli import main
from dsray.experiment import Experiment
from dsray.sweep.drawing import check_space
from dsray.verbs.init import starter

SMALL = {"data": {"source": "digits"}, "model": {}}
TASKS = [{"name": "a", "classes": ["0"]}, {"name": "b", "classes": ["1"]}]
SWEEP = {**SMALL, "adversarial": {"stages": [{"steps": 5, "epsilon": 0.1}]}}


def write(tmp_path, tree):
    path = tmp_path / "x.yaml"
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree))
    return path


CASES = {
    "misspelt key": ({**SMALL, "train": {"epoch": 3}}, r"train.epoch: unknown key; did you mean 'epochs'\?"),
    "misspelt section": ({**SMALL, "tran": {}}, r"tran: unknown key; did you mean 'train'\?"),
    "wrong kind": (
        {**SMALL, "augment": {"operations": [{"kind": "gausian_noise"}]}},
        r"did you mean 'gaussian_noise'\?",
    ),
    "an operation on nothing": (
        {"data": {"source": "digits", "image": None}, "model": {}, "augment": {"operations": ["shift"]}},
        r"augment.operations.0.input: shift changes an input of kind image, and data has only text; add one",
    ),
    "an operation on an unknown input": (
        {**SMALL, "augment": {"operations": ["shift", {"kind": "shift", "input": "imag"}]}},
        r"augment.operations.1.input: 'imag' is no input; did you mean 'image'\?",
    ),
    "wrong type": ({**SMALL, "train": {"batch": "many"}}, r"train.batch: .*valid integer.*'many'"),
    "text only": (
        {"data": {"source": "digits", "image": None}, "model": {}, "adversarial": {"stages": [{"epsilon": 0.1}]}},
        r"adversarial: attacks perturb images; data.image is missing",
    ),
    "exit beyond the trunk": (
        {**SMALL, "model": {"depth": {"kind": "early_exit", "exits": [4]}}},
        r"model.depth.exits: exit layer beyond the trunk of 3 blocks; exits lie in 1 to 2",
    ),
    "epsilon in pixels": (
        {**SMALL, "adversarial": {"stages": [{"epsilon": 8}]}},
        r"epsilon: 8 is outside the input range \[0, 1\]; write 8/255 = 0.0314",
    ),
    "judge in pixels": ({**SMALL, "adversarial": {"judge": {"epsilon": 8}}}, r"judge.epsilon: .*write 8/255 = 0.0314"),
    "a judge without attacks": (
        {**SMALL, "adversarial": {"judge": {"attacks": []}}},
        r"adversarial.judge.attacks: are empty; give at least one, e.g. pgd",
    ),
    "an attack twice": (
        {**SMALL, "adversarial": {"judge": {"attacks": ["fgsm", "fgsm"]}}},
        r"adversarial.judge.attacks: 'fgsm' is listed twice; name each attack once",
    ),
    "negative epsilon": (
        {**SMALL, "adversarial": {"stages": [{"epsilon": {"kind": "linear", "start": -0.1, "end": 0.1}}]}},
        r"epsilon: -0.1 is negative; a radius lies in \[0, 1\]",
    ),
    "negative rate": (
        {**SMALL, "train": {"rates": {"schedule": {"kind": "cosine", "peak_value": -1, "end": 1e-4}}}},
        r"train.rates: a learning rate must not be negative",
    ),
    "endless epochs": ({**SMALL, "train": {"epochs": float("inf")}}, r"train.epochs: .*finite|less than"),
    "no end of steps": ({**SMALL, "train": {"steps": 10**23}}, r"train.steps: "),
    "a share that is no row": (
        {**SMALL, "train": {"batch": 8}, "adversarial": {"stages": [{"epsilon": 0.1, "share": 0.01}]}},
        r"adversarial.stages.0.share: 0.01 of 8 rows is none; give more",
    ),
    "the name of the newest run": ({**SMALL, "name": "latest"}, r"name: 'latest' names the newest run; give another"),
    "a key twice": ("data: {source: digits}\nmodel: {}\nmodel: {width: 32}", r"x.yaml, line 3: 'model' is given twice"),
    "extends itself": ("extends: x.yaml", r"extends: .*x.yaml extends itself; name another file"),
    "a task without validation rows": (
        {
            **SMALL,
            "continual": {
                "tasks": [
                    {"name": "a", "classes": ["0"]},
                    {"name": "none", "column": "image_id", "values": ["0"]},
                ]
            },
        },
        r"continual.tasks",
    ),
    "a replay without new rows": (
        {**SMALL, "train": {"batch": 4}, "continual": {"tasks": TASKS, "memory": {"replay": {"share": 0.9}}}},
        r"continual.memory.replay.share: 0.9 of 4 rows leaves no new row",
    ),
    "a replay of no row": (
        {**SMALL, "train": {"batch": 4}, "continual": {"tasks": TASKS, "memory": {"replay": {"share": 0.1}}}},
        r"continual.memory.replay.share: 0.1 of 4 rows leaves no replayed row",
    ),
    "a memory too small for its tasks": (
        {**SMALL, "continual": {"tasks": [*TASKS, {"name": "c", "classes": ["2"]}], "memory": {"rows": 1}}},
        r"continual.memory.rows: 1 for 2 earlier tasks keeps no row of each; give 2 or more",
    ),
    "two lengths": ({**SMALL, "train": {"epochs": 1, "steps": 1}}, r"train: give epochs or steps, not both"),
    "clean loss in an attack": (
        {**SMALL, "adversarial": {"stages": [{"epsilon": 0.1, "loss": "task"}]}},
        r"'task' reads no adversarial rows; use madry or trades",
    ),
    "trades from the clean image, one step": (
        {**SMALL, "adversarial": {"stages": [{"epsilon": 0.1, "loss": "trades", "attack": "fgsm"}]}},
        r"adversarial.stages.0.attack: fgsm starts at the clean image, .* use pgd with random_start, or loss madry",
    ),
    "trades from the clean image": (
        {
            **SMALL,
            "adversarial": {
                "stages": [{"epsilon": 0.1, "loss": "trades", "attack": {"kind": "pgd", "random_start": False}}]
            },
        },
        r"adversarial.stages.0.attack: pgd-20-clean-start starts at the clean image",
    ),
    "nothing to unfreeze": (
        {**SMALL, "finetune": {"unfreeze": [["head"], ["exits", "trunk.block.0"]]}},
        r"finetune.unfreeze.1.1: pattern 'trunk.block.0' matches no parameter; did you mean 'trunk.blocks.0'",
    ),
    "no such part": (
        {**SMALL, "finetune": {"unfreeze": [["zzz"]]}},
        r"finetune.unfreeze.0.0: pattern 'zzz' matches no parameter; the model's parts are answer, encoders, .*head",
    ),
    "a rate of nothing": (
        {**SMALL, "train": {"rates": {"layers": [{"pattern": "heads.*", "scale": 2}]}}},
        r"train.rates.layers.0.pattern: pattern 'heads.\*' matches no parameter; did you mean 'head'",
    ),
    "an adversarial rate of nothing": (
        {
            **SMALL,
            "adversarial": {
                "stages": [{"epsilon": 0.1, "rates": {"layers": [{"pattern": "encoders.images", "scale": 2}]}}]
            },
        },
        r"adversarial.stages.0.rates.layers.0.pattern: .* did you mean 'encoders.image'",
    ),
    "missing file": (
        {
            "data": {
                "source": {"kind": "parquet", "train": "no.parquet", "test": "no.parquet"},
                "image": {"column": "image", "size": 8},
                "label": "y",
            },
            "model": {},
        },
        r"data.source.train: 'no.parquet' does not exist",
    ),
    "not yaml": ("a: [", r"x.yaml, line 1 is not valid YAML"),
    "a key that is a list": ("data: {source: digits}\n? [a]\n: b", r"x.yaml, line 2 is not valid YAML"),
    "a date that is none": ("name: 2020-13-45", r"x.yaml is not valid YAML .month must be in 1..12"),
    "deep": ("a: " + "[" * 2000 + "]" * 2000, r"x.yaml is not valid YAML .it nests too deeply"),
    "not a mapping": ("[1]", r"must hold a mapping"),
}


@pytest.mark.parametrize(("tree", "sentence"), CASES.values(), ids=CASES)
def test_one_sentence_and_status_2(tmp_path, capsys, tree, sentence):
    with pytest.raises(SystemExit) as ended:
        main(["check", str(write(tmp_path, tree))])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert len(said.strip().splitlines()) == 1
    import re

    assert re.search(sentence, said), said


def test_a_column_that_does_not_exist(tmp_path, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["a", "b"], "label": ["x", "y"]}), tmp_path / "t.parquet")
    source = {"kind": "parquet", "train": str(tmp_path / "t.parquet"), "test": str(tmp_path / "t.parquet")}
    tree = {"data": {"source": source, "text": {"column": "txt"}, "label": "label"}, "model": {}}
    with pytest.raises(SystemExit) as ended:
        main(["check", str(write(tmp_path, tree))])
    assert ended.value.code == 2
    assert "did you mean 'text'" in capsys.readouterr().err


def test_a_folder_that_is_not_empty(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(SystemExit) as ended:
        main(["run", str(write(tmp_path, SMALL)), "--local", "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "is not empty; give a new folder or --resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["model.encoders.txt={kind: tokens}"], "model.encoders.txt: is no input; did you mean 'text'?"),
        (["model.encoders.text={kind: patch}"], "model.encoders.text: patch does not read an input of kind text"),
        (
            ["tune.space={train.batchs: {kind: int, low: 1, high: 3}}"],
            "tune.space.train.batchs: 'train.batchs' is not in the experiment; did you mean 'batch'?",
        ),
        (["parallel.pipeline=4"], "parallel.pipeline: 4 pieces of 3 blocks"),
        (["parallel.pipeline=2", "parallel.microbatches=3"], "3 parts do not divide train.batch"),
    ],
)
def test_check_refuses_what_a_run_or_a_sweep_would(tmp_path, capsys, words, sentence):
    with pytest.raises(SystemExit) as ended:
        main(["check", str(write(tmp_path, SMALL)), *words])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_run_refuses_a_pattern_of_nothing_before_it_trains(tmp_path, capsys):
    path = write(tmp_path, {**SMALL, "finetune": {"unfreeze": [["heads"]]}})
    with pytest.raises(SystemExit) as ended:
        main(["run", str(path), "--local", "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "finetune.unfreeze.0.0: pattern 'heads' matches no parameter; did you mean 'head'" in said
    assert not (tmp_path / "out").exists()


def test_a_task_without_rows_is_named(digits):
    tasks = [
        {"name": "words", "column": "question_kind", "values": ["digit"]},
        {"name": "none", "column": "question_kind", "values": ["nothing"]},
    ]
    with pytest.raises(RequestError, match=r"^continual\.tasks\.none: no row of the train split passes the filter"):
        Experiment.parse({**SMALL, "continual": {"tasks": tasks}}).stages(digits)


def test_more_workers_than_cpus(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["check", str(write(tmp_path, SMALL)), "parallel.workers=64"])
    assert ended.value.code == 2
    assert "parallel.workers: 64 processes need as many CPUs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (
            {"train.rates.schedule.peak_valu": {"kind": "float", "low": 1, "high": 2}},
            "is not in the experiment; did you mean 'peak_value'",
        ),
        ({"adversarial.stages.0.epsilon": {"kind": "float", "low": 0.5, "high": 2}}, "outside the input range"),
        ({"train.batch": {"kind": "int", "low": 0, "high": 4}}, "train.batch: .*greater than or equal to 1"),
    ],
)
def test_a_space_outside_the_experiment(digits, space, sentence):
    with pytest.raises(RequestError, match=sentence):
        check_space(Experiment.parse({**SWEEP, "tune": {"space": space}}), digits)


def test_an_override_on_nothing():
    for text, sentence in (("train.epochs", "is not key=value"), ("adversarial.stages.3.steps=1", "not a position")):
        with pytest.raises(RequestError, match=sentence):
            Experiment.load("jobs/experiments/quickstart.yaml", [text])


def test_overrides_change_kinds_and_open_sections():
    changes = [
        "model.depth.kind=full",
        "finetune.unfreeze=[[head]]",
        "adversarial.stages.0.loss.kind=trades",
        "train.steps=7",
    ]
    x = Experiment.load("jobs/experiments/quickstart.yaml", changes)
    assert x.model.depth.model_dump() == {"kind": "full"}
    assert x.finetune.unfreeze == (("head",),)
    assert x.adversarial.stages[0].loss.kind == "trades"
    assert (x.train.steps, x.train.epochs) == (7, None)


def test_the_resolved_file_is_the_same_experiment(tmp_path):
    x = Experiment.load("jobs/experiments/quickstart.yaml")
    path = tmp_path / "again.yaml"
    path.write_text(x.to_yaml())
    assert Experiment.load(path) == x


def test_the_schema_accepts_the_quickstart_and_describes_its_fields():
    import jsonschema

    schema = json_schema(Experiment)
    tree = yaml.safe_load(Path("jobs/experiments/quickstart.yaml").read_text())
    jsonschema.validate(tree, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**tree, "train": {"epoch": 3}}, schema)


LONG = {"photo": {"kind": "image", "column": "picture", "size": 64}, "note": {"kind": "text", "column": "body"}}
WRITTEN = {
    **{path.stem: path.read_text() for path in sorted(Path("jobs/experiments").glob("*.yaml"))},
    **{f"starter {kind}": starter(kind) for kind in ("vision", "text", "multimodal")},
    "two inputs by name": yaml.safe_dump(
        {"data": {"source": "digits", "inputs": LONG, "label": "answer"}, "model": {}}
    ),
    "one in short, one by name": yaml.safe_dump(
        {
            "data": {"source": "digits", "image": None, "inputs": {"photo": LONG["photo"]}, "label": "answer"},
            "model": {},
        }
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_editors_are_told_of_no_fault_in_a_file_that_is_read(name, tmp_path):
    """As it is written, in short forms or by name, and as it is written out in a record."""
    import jsonschema

    schema = json_schema(Experiment)
    jsonschema.validate(yaml.safe_load(WRITTEN[name]), schema)
    jsonschema.validate(Experiment.load(write(tmp_path, WRITTEN[name])).tree(), schema)


@pytest.mark.parametrize(
    "data",
    [
        {"inputs": {"photo": {"kind": "image", "colum": "picture", "size": 64}}},
        {"inputs": {"photo": {"column": "picture", "size": 64}}},
        {"image": {"column": "picture", "sise": 64}},
        {"inputs": {"photo": {"kind": "image", "column": "picture", "size": 0}}},
        {"imag": {"column": "picture", "size": 64}},
    ],
)
def test_editors_are_told_of_faults_in_inputs(data):
    import jsonschema

    tree = {"data": {"source": "digits", "label": "answer", **data}, "model": {}}
    with pytest.raises(RequestError):
        Experiment.parse(tree)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tree, json_schema(Experiment))


def test_the_names_that_a_starter_suggests_can_be_taken(tmp_path):
    suggested = starter("multimodal").replace("  # inputs:  ", "  inputs:  ").replace("  #   ", "    ")
    x = Experiment.load(write(tmp_path, suggested.replace("  # label", "  label")))
    assert {name: part.column for name, part in x.data.inputs.items()} == {"photo": "picture", "note": "body"}
    assert x.data.target.column == "answer"


def test_the_starters_are_experiments(tmp_path):
    for kind in ("vision", "text", "multimodal"):
        assert Experiment.load(write(tmp_path, starter(kind))).name == f"my-{kind}"
    with pytest.raises(RequestError, match="did you mean 'vision'"):
        starter("visoin")
