"""Layers as functions: outputs of the reference implementation, masks, heads, memory, input."""

import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hopfield_sim import LogSumExp, attention, patterns
from hopfield_sim.attention import Associated, LayerNorm, Linear, Weights, hopfield
from tests import stand_in

STORED = np.load(Path(__file__).parent / "data" / "hopfield_layers.npz")
CASES = sorted({name.split("/")[0] for name in STORED if "/" in name})
# of numbers of order 1 after some products of ten terms: rounding is 1e-15 to 1e-14
TOLERANCE = 1e-12


def parameters(case: str) -> dict:
    start = f"{case}/w/"
    return {n.removeprefix(start): STORED[n] for n in STORED if n.startswith(start)}


def settings(case: str) -> dict:
    """Heads and options that the name of a case tells."""
    steps = re.search(r"steps(\w+)", case)
    options = {"n_heads": int((re.search(r"heads(\d+)", case) or (0, 1))[1])}
    most = steps[1] if steps else "0"
    options["update_steps_max"] = None if most == "inf" else int(most)
    if case.startswith("static"):
        options["beta"] = float(re.search(r"beta([\d.]+)", case)[1])
    if case == "mask":
        options |= {
            "update_steps_max": 1,
            "stored_pattern_padding_mask": STORED["mask/pad"],
            "association_mask": STORED["mask/assoc_mask"],
        }
    return options


def computed(case: str, kind=np.float64, change=lambda weights: weights, **other):
    """What the layers here make of a case; `change` and `other` make it another one."""
    y, r, v = (STORED[name].astype(kind) for name in "YRV")
    given = {name: value.astype(kind) for name, value in parameters(case).items()}
    options = settings(case) | {"keep_association": True} | other
    weights = change(Weights.from_state_dict(given, options.pop("n_heads")))
    if case.startswith("pool"):
        return attention.hopfield_pooling(y, given["pooling_weights"], None, weights, **options)
    if case.startswith("layer"):
        memory = given["lookup_weights"], given["target_weights"]
        return attention.hopfield_layer(r, *memory, weights, **options)
    inputs = (y,) if case.startswith("self") else (y, r, v)
    return hopfield(*inputs, weights=weights, **options)


def distance(case: str, found) -> float:
    """Largest difference from the stored output and association."""
    return max(
        np.abs(found.output - STORED[f"{case}/out"]).max(),
        np.abs(found.association - STORED[f"{case}/assoc"]).max(),
    )


def test_every_output_of_the_reference_implementation():
    off = {case: distance(case, computed(case)) for case in CASES}
    print(f"{len(off)} cases of the reference, largest difference {max(off.values()):.1e}")
    assert len(off) == 9
    assert max(off.values()) < TOLERANCE, off


def test_output_is_the_same_without_keeping_the_association():
    for case in CASES:
        found = computed(case, keep_association=False)
        assert found.association is None
        np.testing.assert_allclose(found.output, STORED[f"{case}/out"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_single_precision_stays_single(case):
    found = computed(case, np.float32)
    assert found.output.dtype == found.association.dtype == np.float32
    # float32 has 6e-8; norms of four numbers and a few updates lose a factor 10 to 100
    assert distance(case, found) < 1e-5


def _swapped(weights):
    half = len(weights.state.weight) // 2
    rows = np.roll(np.arange(2 * half), half)
    return replace(weights, state=Linear(weights.state.weight[rows], weights.state.bias[rows]))


def _sample_variance(weights):
    norm = weights.norm_stored
    scaled = LayerNorm(norm.weight * (3 / 4) ** 0.5, norm.bias)  # 4 features: n - 1 = 3
    return replace(weights, norm_stored=scaled)


TWO_HEADS = "proj_heads2_hid3_out4_pat2_steps1"


@pytest.mark.parametrize(
    "case, other",
    [
        ("static_beta1.0_steps0", {"update_steps_max": 1}),  # 0 is one softmax, not none
        ("static_beta1.0_steps2", {"update_steps_max": 3}),
        ("static_beta3.0_stepsinf", {"update_steps_eps": 1e-2}),
        (TWO_HEADS, {"update_steps_max": 0}),
        (TWO_HEADS, {"beta": 6**-0.5}),  # of all rows, not of a head's
        (TWO_HEADS, {"change": _swapped}),
        (TWO_HEADS, {"change": _sample_variance}),
        (TWO_HEADS, {"change": lambda w: replace(w, norm_projection=None)}),
        ("mask", {"stored_pattern_padding_mask": None}),
        ("mask", {"association_mask": None}),
    ],
)
def test_what_is_slightly_else_differs(case, other):
    """Negative controls: the stored cases tell these from the right function."""
    # a thousand times the tolerance: the smallest, eps = 1e-2, stops about 1e-4 from the end
    assert distance(case, computed(case, **other)) > 1e-6


@pytest.fixture(scope="module")
def bags():
    """Three bags of 40 patterns in 6 dimensions, and 25 states each."""
    x = patterns.gaussian(3 * 65, 6, seed=3).reshape(3, 65, 6)
    return x[:, :40], x[:, 40:]


@pytest.fixture(scope="module")
def two_heads():
    w = patterns.gaussian(20, 6, seed=4) / 2
    return Weights(2, Linear(w[:8]), Linear(w[8:16]), Linear(w[16:], np.arange(4.0)))


def test_association_rows_are_distributions(bags, two_heads):
    found = hopfield(*bags, weights=two_heads, keep_association=True)
    assert found.association.shape == (3, 2, 25, 40) and found.output.shape == (3, 25, 4)
    assert (found.association >= 0).all()
    np.testing.assert_allclose(found.association.sum(axis=-1), 1, atol=1e-14)


def test_each_head_has_its_own_beta(bags, two_heads):
    both = hopfield(*bags, weights=two_heads, beta=np.array([0.3, 2.0]), update_steps_max=2)
    for h, beta in enumerate((0.3, 2.0)):
        one = hopfield(*bags, weights=two_heads, beta=beta, update_steps_max=2)
        part = slice(2 * h, 2 * h + 2)
        np.testing.assert_array_equal(both.output[..., part], one.output[..., part])
        assert np.abs(both.output - one.output).max() > 0.01  # the other head differs


def test_static_association_is_the_retrieval_of_a_log_sum_exp_network(bags):
    """The same network, written twice: its update, and its fixed points."""
    stored, states = (x[:1] for x in bags)
    model = LogSumExp(stored[0], beta=1.5)
    once = hopfield(stored, states, beta=1.5)
    np.testing.assert_allclose(once.output[0], model.update(states[0]), atol=1e-13)
    end = hopfield(stored, states, beta=1.5, update_steps_max=None, update_steps_eps=1e-13)
    # |A' - A| < 1e-13 moves x by less than that times |k|, about 20
    np.testing.assert_allclose(model.update(end.output[0]), end.output[0], atol=1e-11)


def test_energy_never_rises_and_heads_stop_by_themselves(bags, two_heads):
    """-lse(beta, k x) + |x|^2/2 of x = A k, in the space in which a head associates."""
    stored, states = bags
    keys = two_heads.stored(stored)
    each = [
        hopfield(*bags, weights=two_heads, beta=2.0, update_steps_max=n, keep_association=True)
        for n in range(12)
    ]
    energies = []
    for found in each:
        x = np.stack([found.association[:, h] @ keys[..., 4 * h : 4 * h + 4] for h in range(2)])
        z = np.stack([2.0 * x[h] @ keys[..., 4 * h : 4 * h + 4].swapaxes(1, 2) for h in range(2)])
        energies.append((x**2).sum(-1) / 2 - np.logaddexp.reduce(z, axis=-1) / 2.0)
    # rounding of numbers of order 10
    assert np.diff(energies, axis=0).max() < 1e-13
    assert np.diff(energies, axis=0).min() < -0.01
    end = hopfield(*bags, weights=two_heads, beta=2.0, update_steps_max=None)
    assert len(end.steps) == 2 and end.steps[0] != end.steps[1]  # by their own criterion


def test_a_batch_stops_together(bags):
    """As in the reference implementation: once its slowest member has arrived."""
    stored, states = bags
    options = {"beta": 1.2, "update_steps_max": None}
    alone = [hopfield(stored[[b]], states[[b]], **options).steps[0] for b in range(3)]
    assert len(set(alone)) > 1
    assert hopfield(stored, states, **options).steps == [max(alone)]


@pytest.mark.parametrize("most", [0, 3, None])
@pytest.mark.parametrize("masks", [(), ("padding",), ("pairs",), ("padding", "pairs")])
def test_blocks_change_nothing(bags, two_heads, monkeypatch, most, masks):
    """Sets too large for one block of associations: the online softmax, and blocks of rows."""
    hidden = {}
    if "padding" in masks:
        hidden["stored_pattern_padding_mask"] = np.arange(40) >= np.array([[40], [23], [2]])
    if "pairs" in masks:
        hidden["association_mask"] = (np.arange(40) + np.arange(25)[:, None]) % 3 == 1
    options = {"weights": two_heads, "beta": 1.3, "update_steps_max": most} | hidden
    whole = hopfield(*bags, keep_association=True, **options)
    monkeypatch.setattr(attention, "_ENTRIES", 3 * 40 * 7)  # 25 states in blocks of 7
    small = hopfield(*bags, **options)
    kept = hopfield(*bags, keep_association=True, **options)
    assert small.steps == kept.steps == whole.steps
    for found in (small, kept):
        np.testing.assert_allclose(found.output, whole.output, atol=1e-12)
    np.testing.assert_allclose(kept.association, whole.association, atol=1e-13)


def test_one_memory_for_all_members_in_blocks(bags, monkeypatch):
    stored, states = bags
    whole = attention.hopfield_layer(states, stored[0], beta=0.7)
    repeated = hopfield(np.repeat(stored[:1], 3, axis=0), states, beta=0.7)
    np.testing.assert_allclose(whole.output, repeated.output, atol=1e-13)
    monkeypatch.setattr(attention, "_ENTRIES", 1)
    small = attention.hopfield_layer(states, stored[0], beta=0.7)
    np.testing.assert_allclose(small.output, whole.output, atol=1e-13)


@pytest.mark.parametrize("kind, tolerance", [(np.float64, 1e-13), (np.float32, 2e-5)])
def test_large_sets_give_the_same_with_and_without_the_association(kind, tolerance):
    """90 x 300 pairs, where the online softmax takes over; two bags, padding in one."""
    x = patterns.gaussian(2 * 390, 5, seed=6).reshape(2, 390, 5).astype(kind)
    padding = np.arange(300) >= np.array([[300], [17]])
    options = {"beta": 1.1, "stored_pattern_padding_mask": padding}
    found, kept = (
        hopfield(x[:, :300], x[:, 300:], keep_association=keep, **options) for keep in (False, True)
    )
    assert found.output.dtype == kind and found.association is None
    # rounding of exponents of order 10, and of sums of 300 terms of order 1
    np.testing.assert_allclose(found.output, kept.output, atol=tolerance)


def test_memory_is_bounded():
    """2000 states and 20000 stored patterns: A alone would be 320 MB."""
    stored = patterns.gaussian(20_000, 4, seed=1)[None]
    states = patterns.gaussian(2000, 4, seed=2)[None]
    hopfield(stored[:, :10], states[:, :10])  # compiles, loads
    tracemalloc.start()
    hopfield(stored, states, beta=1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6, f"{peak:.3g} bytes"


def test_padding_is_the_same_as_not_being_there(bags):
    stored, states = bags
    padding = np.zeros((3, 40), bool)
    padding[:, 11:] = True
    options = {"beta": 0.8, "update_steps_max": 2}
    found = hopfield(stored, states, stored_pattern_padding_mask=padding, **options)
    without = hopfield(stored[:, :11], states, **options)
    np.testing.assert_allclose(found.output, without.output, atol=1e-13)


def test_pooling_does_not_depend_on_the_order_of_a_bag(bags):
    stored, states = bags
    queries = states[0, :2]
    found = attention.hopfield_pooling(stored, queries, beta=0.5)
    turned = attention.hopfield_pooling(stored[:, ::-1], queries, beta=0.5)
    assert found.output.shape == (3, 12)
    np.testing.assert_allclose(found.output, turned.output, atol=1e-13)


def test_norm_of_the_association_space(bags, two_heads):
    """q and k of each head are normalised after their projection: made by hand for head 1."""
    stored, states = bags
    norm = LayerNorm(np.array([1.0, 2.0, 0.5, 1.0]), np.array([0.0, 0.1, 0.0, -0.3]))
    weights = replace(two_heads, norm_association=norm)
    found = hopfield(stored, states, weights=weights, beta=0.9, keep_association=True)
    q, k = (part(x)[..., 4:] for part, x in ((weights.state, states), (weights.stored, stored)))
    q, k = (
        (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * norm.weight
        + norm.bias
        for x in (q, k)
    )
    z = np.exp(0.9 * q @ k.swapaxes(1, 2))
    np.testing.assert_allclose(found.association[:, 1], z / z.sum(-1, keepdims=True), atol=1e-13)


class Tensor:
    """What NumPy sees of a CPU tensor: something that can be made an array."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


def test_state_dicts_hold_tensors_prefixes_and_static_parts():
    case = "pool_heads2_hid2_q1"
    given = parameters(case)
    weights = Weights.from_state_dict({n: Tensor(v) for n, v in given.items()}, 2)
    found = attention.hopfield_pooling(STORED["Y"], given["pooling_weights"], None, weights)
    np.testing.assert_allclose(found.output, STORED[f"{case}/out"], atol=TOLERANCE)
    core = "association_core."
    q, v = np.ones((6, 4)), np.ones((2, 4))
    static = Weights.from_state_dict(
        {f"{core}q_proj_weight": q, f"{core}v_proj_weight": v, f"{core}in_proj_bias": range(8)}, 2
    )
    assert static.stored is None and not static.is_static
    assert static.state.bias.tolist() == [0, 1, 2, 3, 4, 5]
    assert static.projection.bias.tolist() == [6, 7]


CORE = "association_core."


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({f"{CORE}bias_k": np.ones((1, 1, 4))}, "association_core.bias_k: no weights"),
        ({"norm_state_pattern.weight": np.ones(4)}, "norm_state_pattern.bias is missing"),
        ({f"{CORE}out_proj.bias": np.ones(4)}, "out_proj.weight is missing"),
        ({f"{CORE}in_proj_weight": np.ones((8, 4))}, "equal thirds"),
        (
            {f"{CORE}in_proj_weight": np.ones((6, 4)), f"{CORE}q_proj_weight": np.ones((2, 4))},
            "no separate projections",
        ),
        (
            {f"{CORE}in_proj_weight": np.ones((6, 4)), f"{CORE}in_proj_bias": np.ones(5)},
            "6 numbers are needed",
        ),
        ({f"{CORE}in_proj_weight": np.full((6, 4), np.nan)}, "in_proj_weight holds NaN"),
    ],
)
def test_state_dicts_that_do_not_fit(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Weights.from_state_dict(given)


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: Linear(np.ones(4)), r"has shape \(4,\); 2 axes"),
        (lambda: Linear(np.ones((2, 4)), np.ones(3)), r"needs a bias of shape \(2,\)"),
        (lambda: LayerNorm(np.ones(4), np.ones(3)), "same shape"),
        (lambda: LayerNorm(np.ones(4), np.ones(4), 0.0), "epsilon=0.0"),
        (lambda: Weights(0), "n_heads=0"),
        (lambda: Weights(3, stored=Linear(np.ones((4, 4)))), "3 heads cannot share"),
        (lambda: Weights(1, Linear(np.ones((2, 4))), Linear(np.ones((3, 4)))), "one association"),
    ],
)
def test_weights_that_do_not_fit(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


Y, R, V = (STORED[name] for name in "YRV")
HIDE_ALL = np.ones((2, 5), bool)


@pytest.mark.parametrize(
    "inputs, options, sentence",
    [
        ((Y[0],), {}, r"stored_pattern has shape \(5, 4\).*x\[None\]"),
        ((Y[:, :0], R), {}, "there is nothing in it"),
        ((Y * np.nan, R), {}, "stored_pattern holds NaN"),
        ((Y, R * np.inf), {}, "state_pattern holds NaN or infinity"),
        ((Y * 1j, R), {}, "real numbers are needed"),
        ((Y, R[..., :3]), {}, "4 features, .*|meet with 3 and 4 features"),
        ((Y, R, V[:, :4]), {}, "5 stored patterns but 4 pattern projections"),
        ((Y, np.concatenate([R, R[:1]])), {}, "batches of 2, 3 and 2"),
        ((Y, R), {"beta": 0.0}, "beta=0 is not possible"),
        ((Y, R), {"beta": -1.0}, "beta=-1 is not possible"),
        ((Y, R), {"beta": np.nan}, "beta holds NaN"),
        ((Y, R), {"beta": [1.0, 2.0]}, "one for each of 1 heads"),
        ((Y, R), {"update_steps_max": -1}, "update_steps_max=-1"),
        ((Y, R), {"update_steps_max": 1.5}, "update_steps_max=1.5"),
        ((Y, R), {"update_steps_eps": 0.0}, "update_steps_eps=0.0"),
        ((Y, R), {"association_mask": np.zeros((2, 5))}, "association_mask holds float64"),
        ((Y, R), {"association_mask": np.zeros((5, 2), bool)}, r"of shape \(5, 2\)"),
        ((Y, R), {"stored_pattern_padding_mask": np.zeros((2, 4), bool)}, r"\(batch, stored\)"),
        ((Y, R), {"stored_pattern_padding_mask": HIDE_ALL}, "leave no stored pattern"),
        ((Y, R), {"association_mask": HIDE_ALL}, "leave no stored pattern"),
        (
            (Y, R),
            {
                "stored_pattern_padding_mask": np.array([[False] * 5, [True] * 4 + [False]]),
                "association_mask": np.array([[False] * 5, [False] * 4 + [True]]),
            },
            "state pattern 1 of member 1",
        ),
        ((Y, R), {"weights": Weights(stored=Linear(np.ones((4, 3))))}, "its projection takes 3"),
        ((Y, R), {"weights": Weights(output=Linear(np.ones((4, 3))))}, "output of all heads"),
        (
            (Y, R),
            {"weights": Weights(norm_state=LayerNorm(np.ones(3), np.ones(3)))},
            "state_pattern has 4 features, its layer norm takes 3",
        ),
        (
            (Y, R),
            {"weights": Weights(norm_association=LayerNorm(np.ones(3), np.ones(3)))},
            "a head has 4 features, its layer norm takes 3",
        ),
    ],
)
def test_wrong_input_is_refused_by_name(inputs, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        hopfield(*inputs, **options)


def test_masks_of_each_head_and_member(bags, two_heads):
    """(batch, head, state, stored): a pair forbidden to one head of one member changes no other."""
    mask = np.zeros((3, 2, 25, 40), bool)
    mask[1, 0, 5, :39] = True
    free = hopfield(*bags, weights=two_heads)
    found = hopfield(*bags, weights=two_heads, association_mask=mask, keep_association=True)
    assert found.association[1, 0, 5, 39] == 1
    changed = (found.output != free.output).nonzero()
    assert {tuple(map(int, i)) for i in zip(*changed, strict=True)} == {(1, 5, 0), (1, 5, 1)}


def test_what_never_settles_is_said(bags, monkeypatch):
    monkeypatch.setattr(attention, "_LONGEST", 3)
    with pytest.raises(RuntimeError, match="after 3 updates"):
        hopfield(*bags, beta=1.2, update_steps_max=None, update_steps_eps=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_arrays_of_the_gpu_stay_there(case, monkeypatch):
    """With a stand-in for CuPy: every case of the reference implementation, kept A and not."""
    with stand_in.cupy() as cupy:
        there = {name: cupy.asarray(array) for name, array in STORED.items()}
        monkeypatch.setitem(globals(), "STORED", there)
        kept, online = computed(case), computed(case, keep_association=False)
        assert {type(a) for a in (kept.output, kept.association, online.output)} == {
            stand_in.ndarray
        }
    monkeypatch.undo()
    here = Associated(kept.output.get(), kept.association.get(), kept.steps)
    assert distance(case, here) < TOLERANCE
    assert distance(case, here._replace(output=online.output.get())) < TOLERANCE


def test_whole_numbers_of_numpy_are_whole(bags, two_heads):
    weights = replace(two_heads, n_heads=np.int64(2))
    found = hopfield(*bags, weights=weights, update_steps_max=np.int32(1))
    wanted = hopfield(*bags, weights=two_heads, update_steps_max=1)
    assert np.array_equal(found.output, wanted.output)
