"""The routed model: purity, routing, skipping, masks, state."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from dsray.base import RequestError
from dsray.data import to_batch
from dsray.models import RoutedConfig, active_parameters, count_parameters, load_model, load_part, save_model
from dsray.models.files import is_sound

VARIANTS = {
    "sample": {},
    "token": {"trunk": {"experts": {"per": "token", "top_k": 2}}},
    "dense": {"trunk": {"experts": None}, "depth": "full"},
    "no-shared": {"trunk": {"experts": {"shared": False}}},
}


def build(data, tree=None, seed=0, threshold=0.2):
    torch.manual_seed(seed)
    tree = dict(tree or {})
    tree.setdefault("depth", {"kind": "early_exit", "threshold": threshold})
    return RoutedConfig.model_validate(tree).build(data.schema)


@pytest.fixture(scope="module")
def batch(digits):
    return to_batch(digits.take(digits.splits["test"][:33]), digits.schema)


@pytest.mark.parametrize("tree", VARIANTS.values(), ids=VARIANTS)
def test_forward_changes_no_state_and_balance_does(digits, batch, tree):
    model = build(digits, tree)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    for mode in (True, False):
        output = model.train(mode)(batch.inputs, batch.present)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    model.balance(output.expert_load)
    changed = [k for k, v in model.state_dict().items() if not torch.equal(before[k], v)]
    assert bool(changed) == (output.expert_load.shape[1] > 0)
    assert all("experts" in name for name in changed)


@pytest.mark.parametrize("tree", VARIANTS.values(), ids=VARIANTS)
def test_an_answer_depends_on_its_row_alone(digits, batch, tree):
    model = build(digits, tree).eval()
    whole = model(batch.inputs, batch.present)
    rows = torch.tensor([4, 20, 7])
    part = model(batch.select(rows).inputs, batch.select(rows).present)
    assert torch.equal(whole.blocks_run[rows], part.blocks_run)
    assert torch.allclose(whole.logits[rows], part.logits, atol=1e-5)


def test_skipped_blocks_are_not_computed(digits, batch):
    model = build(digits).eval()
    seen = []
    for block in model.trunk:
        block.register_forward_hook(lambda module, args, out: seen.append(len(args[0])))
    ran = model(batch.inputs, batch.present).blocks_run
    assert seen == [int((ran >= n).sum()) for n in (1, 2, 3) if (ran >= n).any()]
    assert 0 < int((ran < 3).sum()) < len(batch)


def test_full_runs_everything_and_equals_the_last_exit(digits, batch):
    model = build(digits).eval()
    full = model(batch.inputs, batch.present, full=True)
    assert full.blocks_run.tolist() == [3] * len(batch)
    assert len(full.exits) == 3
    assert torch.equal(full.logits, full.exits[-1])
    early = model(batch.inputs, batch.present)
    for i, block in enumerate((1, 2, 3)):
        left = early.blocks_run == block
        assert torch.allclose(early.logits[left], full.exits[i][left], atol=1e-5)


def test_the_cap_bounds_every_row(digits, batch):
    model = build(digits, {"depth": {"kind": "early_exit", "exits": [1, 2], "threshold": 1.0, "cap": 2}}).eval()
    assert model(batch.inputs, batch.present).blocks_run.max() == 2


def test_a_hidden_input_has_no_influence(digits, batch):
    model = build(digits).eval()
    hidden = batch.without("image")
    other = hidden.with_input("image", torch.rand_like(batch.inputs["image"]))
    assert torch.equal(model.classify(hidden), model.classify(other))
    none = batch.without("image").without("text")
    assert torch.isfinite(model.classify(none)).all()


def test_grouped_products_equal_a_plain_loop(digits, batch):
    model = build(digits)
    experts = model.trunk.blocks[0].experts
    tokens, mask = torch.randn(9, 13, 64), torch.ones(9, 13, dtype=torch.bool)
    mixed, load = experts(tokens, mask)
    chosen, weight = experts.choose(tokens, mask)
    for i in range(9):
        e = int(chosen[i, 0])
        hidden = torch.nn.functional.gelu(tokens[i] @ experts.up[e] + experts.up_bias[e])
        plain = weight[i, 0] * (hidden @ experts.down[e] + experts.down_bias[e])
        assert torch.allclose(mixed[i], plain, atol=1e-5)
    assert load.sum() == 9


def test_mixed_precision_reaches_the_experts(digits, batch, monkeypatch):
    """Autocast leaves grouped products alone, so the model casts them itself: forward, backward and result."""
    model = build(digits, {"trunk": {"experts": {"per": "token", "top_k": 2}}})
    taken, product = [], torch.nn.functional.grouped_mm
    monkeypatch.setattr(
        "torch.nn.functional.grouped_mm",
        lambda x, weight, **rest: taken.append((x.dtype, weight.dtype)) or product(x, weight, **rest),
    )
    whole = model(batch.inputs, batch.present).logits
    assert set(taken) == {(torch.float32, torch.float32)}
    taken.clear()
    affinities = []
    for block in model.trunk:
        block.experts.router.register_forward_hook(lambda module, args, answer: affinities.append(answer.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = model(batch.inputs, batch.present).logits
    assert set(affinities) == {torch.float32}
    assert set(taken) == {(torch.bfloat16, torch.bfloat16)}
    mixed.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in model.trunk.parameters() if p.grad is not None)
    assert (whole - mixed.float()).abs().median() < 0.01  # a rare token may go to another expert


def test_balancing_spreads_the_load(digits, batch):
    model = build(digits, {"trunk": {"experts": {"balance_rate": 0.02}}}).eval()
    first = model(batch.inputs, batch.present, full=True).expert_load[0]
    for _ in range(200):
        model.balance(model(batch.inputs, batch.present, full=True).expert_load)
    last = model(batch.inputs, batch.present, full=True).expert_load[0]
    assert last.max() <= 15 < first.max()


def test_router_state_survives_the_disk(digits, batch, tmp_path):
    config = RoutedConfig()
    model = config.build(digits.schema)
    model.balance(torch.tensor([[5, 0, 1, 2]] * 3))
    save_model(tmp_path / "model", model, config, digits.schema)
    again, same, schema = load_model(tmp_path / "model")
    assert (same, schema) == (config, digits.schema)
    assert again.trunk.blocks[0].experts.load_total.tolist() == [5, 0, 1, 2]
    assert torch.equal(again.classify(batch), model.eval().classify(batch))


def test_a_part_is_loaded_on_its_own(digits, tmp_path):
    config, first, second = RoutedConfig(), build(digits, seed=1), build(digits, seed=2)
    save_model(tmp_path / "model", first, config, digits.schema)
    load_part(second, tmp_path / "model", "encoders.image")
    assert torch.equal(second.encoders["image"].embed.weight, first.encoders["image"].embed.weight)
    assert not torch.equal(second.project.weight, first.project.weight)


def test_parameters_on_the_meta_device(digits):
    with torch.device("meta"):
        model = RoutedConfig().build(digits.schema)
    counts = count_parameters(model)
    assert counts["total"] == sum(p.numel() for p in model.parameters()) == 315_044
    assert active_parameters(model) == 165_860


def test_an_exit_beyond_the_trunk_is_refused():
    with pytest.raises(ValidationError, match=r"depth.exits: exit layer beyond the trunk of 3 blocks"):
        RoutedConfig.model_validate({"depth": {"kind": "early_exit", "exits": [1, 5]}})


def test_an_input_that_is_not_given_is_missing(digits, batch):
    model = build(digits).eval()
    alone = model({"image": batch.inputs["image"]}, {"image": batch.present["image"]})
    assert torch.allclose(alone.logits, model.classify(batch.without("text")), atol=1e-5)


def test_what_a_missing_input_holds_is_not_looked_at(digits, batch):
    model = build(digits).eval()
    hidden = batch.without("image")
    broken = hidden.with_input("image", torch.full_like(batch.inputs["image"], float("nan")))
    assert torch.equal(model.classify(broken), model.classify(hidden))


def test_masked_tokens_are_no_load(digits, batch):
    model = build(digits, VARIANTS["token"]).train()
    none = batch.without("image").without("text")
    assert model(none.inputs, none.present).expert_load.sum(1).tolist() == [2 * len(batch)] * 3  # top 2, answer token


@pytest.mark.parametrize("tree", [{"width": 60}, {"trunk": {"experts": {"hidden": 6}}}])
def test_widths_that_grouped_products_cannot_take_are_refused(tree):
    with pytest.raises(ValidationError, match=r"multiple of 8|greater than or equal to 8"):
        RoutedConfig.model_validate(tree)


def test_truncated_weights_are_refused_in_one_sentence(digits, tmp_path):
    config = RoutedConfig()
    save_model(tmp_path / "model", config.build(digits.schema), config, digits.schema)
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(RequestError, match="cannot be read"):
        load_model(tmp_path / "model")


def small(digits):
    config = RoutedConfig.model_validate(
        {"width": 8, "trunk": {"blocks": 1, "hidden": 8, "heads": 1, "experts": None}, "depth": "full"}
    )
    return config, config.build(digits.schema)


def test_a_flipped_bit_in_any_file_of_a_model_is_noticed(digits, tmp_path):
    config, model = small(digits)
    save_model(tmp_path / "model", model, config, digits.schema, {"steps": 3})
    assert is_sound(tmp_path / "model", ("training.json",))
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "model.json",
        "model.safetensors",
        "sums.json",
        "training.json",
    ]
    for path in sorted((tmp_path / "model").iterdir()):
        whole = path.read_bytes()
        for position in range(0, len(whole), max(1, len(whole) // 40)):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
            assert not is_sound(tmp_path / "model")
            with pytest.raises(RequestError, match=r"^model: .* train or copy it again$"):
                load_model(tmp_path / "model")
            with pytest.raises(RequestError, match=r"^model: "):
                load_part(model, tmp_path / "model", "trunk")
        path.write_bytes(whole)
    assert load_model(tmp_path / "model")[1] == config


def test_a_model_of_the_version_before_has_no_digests_and_is_read(digits, tmp_path):
    config, model = small(digits)
    save_model(tmp_path / "model", model, config, digits.schema)
    (tmp_path / "model" / "sums.json").unlink()
    with pytest.raises(RequestError, match=r"lacks the digests of its files \(sums.json\)"):
        load_model(tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    assert load_model(tmp_path / "model")[1] == config
    assert is_sound(tmp_path / "model")


@pytest.mark.parametrize("content", [b"\xff\xfe{}", b"[]", b"{}", b'{"model": {}}', b'{"a": ' * 100_000, b"[" * 300])
def test_a_model_file_that_is_none_is_one_sentence(digits, tmp_path, content):
    config, model = small(digits)
    save_model(tmp_path / "model", model, config, digits.schema)
    (tmp_path / "model" / "sums.json").unlink()
    (tmp_path / "model" / "model.json").write_bytes(content)
    with pytest.raises(RequestError, match=r"model.json was altered; train or copy it again$"):
        load_model(tmp_path / "model")
