"""Every form of the sequential sweep, bit for bit: against the reference, each other, elsewhere.

Small networks against plain NumPy, large ones against each other and against hashes kept here; the
forms over patterns, the form over any couplings, and the same code compiled for other processors.
"""

from __future__ import annotations

import functools
import hashlib
import tracemalloc

import numpy as np
import pytest

from hopfield_sim import Coupled, Glauber, Metropolis, ZeroTemperature, kernels, patterns
from hopfield_sim import randomness as rnd
from hopfield_sim.dynamics import noise, stream
from hopfield_sim.kernels import blocked, choice, couplings, packed, plain, reference
from hopfield_sim.randomness import EXPONENTIAL, FIXED, LOGISTIC, NONE, RANDOM, Draws, Noise, Stream

TEMPERATURES = (0.0, 0.05, 0.5, 1.2)
KINDS = {"none": NONE, "logistic": LOGISTIC, "exponential": EXPONENTIAL}


def forms(xi):
    """Every form over the +-1 patterns xi (pattern, neuron): name -> (function, matrix)."""
    by_site = np.ascontiguousarray(xi.T)
    bits = packed.bits(by_site)
    return {
        "plain, int8": (plain.sweep_patterns, by_site.astype(np.int8)),
        "plain, int16": (plain.sweep_patterns, by_site.astype(np.int16)),
        "blocked": (blocked.sweep_patterns, blocked.packed(by_site)),
        "packed": (packed.sweep_patterns, bits),
        "couplings": (couplings.sweep_patterns, couplings.pairs(by_site, bits)),
        "choice": (choice.sweep_patterns, choice.Layouts(xi)),
    }


def final(form, xi, start, temperatures, kind, n_sweeps, first_sweep=0, own=None):
    """Spins, overlaps and flips of lanes that begin at `start` (lane, neuron).

    form: (function, matrix); own: d_i, P where None (no self-coupling); temperatures: by lanes.
    """
    n_patterns, n_neurons = xi.shape
    spins = start.copy()
    overlaps = (spins @ xi.T).astype(np.int16)
    diagonal = np.full(n_neurons, n_patterns if own is None else own, np.int32)
    flips = kernels.advance(
        *form,
        diagonal,
        spins,
        overlaps,
        Noise(kind, np.resize(temperatures, len(spins)) / 2, FIXED),
        Stream(rnd.key(5), rnd.lane_words(0.3, len(spins))),
        1 / n_neurons,
        first_sweep,
        n_sweeps,
    )
    assert np.array_equal(overlaps, spins @ xi.T)
    return spins, overlaps, flips


def assert_same(found, expected, what=""):
    for one, two in zip(found, expected, strict=True):
        assert one.dtype == two.dtype, what
        np.testing.assert_array_equal(one, two, err_msg=str(what))


# --------------------------------------------------------------------- small: against plain NumPy


def sweep_of_the_carry(n_neurons):
    """The sweep in which the low 32 bits of the Philox counter run over."""
    return 2**32 // rnd.blocks_per_sweep(n_neurons)


def test_the_counter_runs_over_within_a_block_of_sites():
    """Not only between two sweeps: what the sizes below are worth. Sixteen counts a block."""
    where = {n: 2**32 % rnd.blocks_per_sweep(n) for n in (5, 65, 130, 333)}
    assert where == {5: 0, 65: 1, 130: 4, 333: 4}


# around the block of 64 sites and the quad of random words; the word of 64 patterns, the tile of 8
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("n_patterns", [1, 3, 7, 64, 65, 131])
@pytest.mark.parametrize("n_neurons", [1, 5, 63, 64, 65, 130, 333])
def test_every_form_is_the_reference(n_neurons, n_patterns, kind):
    """From the first sweeps, a later one and beyond 32 bits of the counter; J_ii = 0 and not."""
    xi = patterns.random(n_patterns, n_neurons, seed=2)
    # past a group of 32 lanes where plain NumPy can afford it
    n_lanes = 35 if n_neurons * n_patterns < 600 else 5
    start = patterns.random(n_lanes, n_neurons, seed=8).astype(np.int8)
    judge = (reference.sweep_patterns, xi.T)
    every, moved = forms(xi), 0
    for own in (n_patterns, 0):
        for first, n_sweeps in ((0, 2), (3, 1), (2**34, 1), (sweep_of_the_carry(n_neurons), 2)):
            run = xi, start, TEMPERATURES, kind, n_sweeps, first, own
            expected = final(judge, *run)
            for name, form in every.items():
                assert_same(final(form, *run), expected, (name, own, first))
            moved += expected[2].sum()
    assert moved > 0 or n_neurons == 1


def narrow():
    """N = 32767: overlaps of 15 bits, all of them used by the first pattern."""
    return np.concatenate([np.ones((1, 32_767), np.float32), patterns.random(2, 32_767, seed=3)])


def deep():
    """P = 32767, of one pattern: couplings of 15 bits, fields of 22."""
    return np.repeat(patterns.random(1, 65, seed=3), 32_767, axis=0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("make", [narrow, deep])
def test_integers_to_the_brim_are_the_reference(make, kind):
    """The largest sizes that the vector forms take, from cold to infinite temperature.

    A pattern is the start: all fields are at their largest. (32767^2 couplings would be 2 GB.)
    """
    xi = make()
    n_patterns, n_neurons = xi.shape
    run = xi, np.repeat(xi[:1], 4, axis=0).astype(np.int8), [0.0, n_patterns, 1e9, 1e300], kind, 1
    assert packed.fits(n_neurons, n_patterns) and blocked.fits(n_neurons, n_patterns, 1)
    by_site = np.ascontiguousarray(xi.T)
    every = {
        "plain": (plain.sweep_patterns, by_site.astype(np.int8)),
        "blocked": (blocked.sweep_patterns, blocked.packed(by_site)),
        "packed": (packed.sweep_patterns, packed.bits(by_site)),
    }
    if make is deep:
        every["couplings"] = (
            couplings.sweep_patterns,
            couplings.pairs(by_site, every["packed"][1]),
        )
    expected = final((reference.sweep_patterns, by_site), *run)
    for name, form in every.items():
        assert_same(final(form, *run), expected, name)
    if kind != NONE:
        assert expected[2][0] == 0 < expected[2][1] < expected[2][2]


# ------------------------------------------------------------------- large: against one another

N, P, SWEEPS = 1030, 103, 100
REPLICAS = (1, 3, 64, 100)

# First digits of SHA-256 of spins and overlaps, for 1, 3, 64 and 100 replicas; `print_hashes` makes
# them. They change with the random stream only, and then `STREAM_VERSION` does.
GOLDEN = {
    ("stored", 0.0): "531a20e9 ace5b5de cce0657f 2364f94e",
    ("stored", 0.05): "531a20e9 ace5b5de a789cbd3 94f460c5",
    ("stored", 0.5): "2cc6da43 62620013 b108989a e97a6a66",
    ("stored", 1.2): "199ca373 70c28033 e3b0be58 0374593c",
    ("stored", "mixed"): "531a20e9 d7ddb423 c5f20ef1 716f5c31",
    ("random", 0.0): "1928c7bd 60e2c846 aa32fca6 198f73b7",
    ("random", 0.05): "b582aa7c b484879e fee5a8d0 2fba075e",
    ("random", 0.5): "8915dddd e82618c1 8b4b9d40 e3781656",
    ("random", 1.2): "77802c16 26bbe655 2211dcdd 6e49fefe",
    ("random", "mixed"): "1928c7bd a2b757e9 6a29c195 47a2066c",
}


@functools.cache
def network():
    xi = patterns.random(P, N, seed=11)
    return xi, forms(xi)


def case(start, temperature, n_replicas):
    """Arguments of `final` behind the form: lane k is the same for any number of replicas."""
    xi, _ = network()
    stored = np.repeat(xi[:1], n_replicas, axis=0)
    random = patterns.random(max(REPLICAS), N, seed=12)[:n_replicas]
    spins = {"stored": stored, "random": random}[start]
    mixed = temperature == "mixed"
    kind = NONE if temperature == 0 else LOGISTIC
    return xi, spins.astype(np.int8), TEMPERATURES if mixed else temperature, kind, SWEEPS


@functools.cache
def judged(start, temperature):
    """The longest case by the simplest form; fewer replicas are its first lanes."""
    return final(network()[1]["plain, int16"], *case(start, temperature, max(REPLICAS)))


def digest(spins, overlaps):
    """SHA-256 of spins and overlaps, as they lie in memory."""
    state = hashlib.sha256(np.ascontiguousarray(spins).tobytes())
    state.update(np.ascontiguousarray(overlaps).tobytes())
    return state.hexdigest()


def print_hashes():
    """The table `GOLDEN`, as it would be now."""
    for start in ("stored", "random"):
        for temperature in (*TEMPERATURES, "mixed"):
            spins, overlaps, _ = judged(start, temperature)
            row = " ".join(digest(spins[:r], overlaps[:r])[:8] for r in REPLICAS)
            print(f'    ("{start}", {temperature!r}): "{row}",'.replace("'", '"'))


@pytest.mark.parametrize(
    ("start", "temperature", "n_replicas", "golden"),
    [
        pytest.param(*key, r, value, id=f"N={N} P={P} {key[0]} T={key[1]} R={r} {value}")
        for key, row in GOLDEN.items()
        for r, value in zip(REPLICAS, row.split(), strict=True)
    ],
)
def test_all_forms_have_one_hash(start, temperature, n_replicas, golden):
    expected = [array[:n_replicas] for array in judged(start, temperature)]
    assert digest(*expected[:2])[:8] == golden
    if start == "random":
        assert expected[2].min() > N / 10  # every lane moved
    for name, form in network()[1].items():
        if n_replicas == 64 and name in ("plain, int8", "plain, int16", "couplings"):
            continue  # lane after lane and slow: nothing that 100 lanes do not show
        found = final(form, *case(start, temperature, n_replicas))
        assert digest(*found[:2]) == digest(*expected[:2]), name
        np.testing.assert_array_equal(found[2], expected[2], err_msg=name)


def test_zero_temperature_is_logistic_noise_of_no_width():
    """Where J_ii = 0; one ends at a fixed point, the other draws words to the end."""
    xi, spins, _, _, n_sweeps = case("random", 0.0, 40)
    expected = [array[:40] for array in judged("random", 0.0)]
    for name, form in network()[1].items():
        assert_same(final(form, xi, spins, 0.0, LOGISTIC, n_sweeps), expected, name)


def test_another_seed_has_another_hash():
    """Negative control: the hashes see one spin."""
    spins, overlaps, _ = judged("random", 0.5)
    other = spins.copy()
    other[-1, -1] *= -1
    assert digest(other, overlaps) != digest(spins, overlaps)


# --------------------------------------------------------------------------------- any couplings


def integers(n_neurons, largest, seed, symmetric):
    """Couplings J[j, i], j acts on i, of size up to `largest`, no diagonal: int64."""
    words = rnd.words(rnd.key(seed), rnd.COUPLINGS, (0, 1), 0, n_neurons**2)
    j = rnd.sites(words[: n_neurons**2], 2 * largest + 1) - largest
    j = j.reshape(n_neurons, n_neurons)
    if symmetric:
        j = np.triu(j) + np.triu(j).T
    np.fill_diagonal(j, 0)
    return j


def swept(form, j, field, own, kind, order, scale, first_sweep, n_sweeps):
    """Spins, fields and flips of 5 lanes; scales in the integer units of j."""
    n_neurons = len(j)
    spins = patterns.random(5, n_neurons, seed=6).astype(np.int8)
    fields = (spins.astype(np.int64) @ j.astype(np.int64) + field).astype(own.dtype)
    flips = np.zeros(5, np.int64)
    scales = np.resize(np.array(TEMPERATURES) * scale, 5).astype(np.float32)
    lanes = rnd.lane_words(0.3, 5)
    draws = Draws(rnd.key(7), lanes, kind, scales, rnd.limit(own.dtype), order)
    form(j, own, spins, fields, draws, first_sweep, n_sweeps, flips)
    assert np.array_equal(fields, spins.astype(np.int64) @ j.astype(np.int64) + field)
    return spins, fields, flips


@pytest.mark.parametrize("order", [FIXED, RANDOM], ids=["fixed", "random"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize(
    ("largest", "narrow", "wide"),
    [
        (100, np.int16, np.int32),
        (2**20, np.int32, np.int32),  # fields of 28 bits
        (100, np.int16, np.int64),
        (2**31 - 1, np.int32, np.int64),  # fields of 38 bits
    ],
    ids=["int16 in int32", "int32 in int32", "int16 in int64", "int32 in int64"],
)
def test_couplings_of_any_kind_are_the_reference(largest, narrow, wide, symmetric, kind, order):
    """With external fields and self-couplings; sizes around the block of 64 sites."""
    moved = 0
    for n_neurons in (1, 5, 63, 64, 65, 130):
        j = integers(n_neurons, largest, 3, symmetric).astype(narrow)
        field, own = integers(n_neurons, largest, 4, False)[:2].sum(axis=0), np.arange(n_neurons)
        own = (-own * largest // n_neurons).astype(wide)
        scale = largest * np.sqrt(n_neurons)
        for first, n_sweeps in ((0, 2), (2**34, 1), (sweep_of_the_carry(n_neurons), 2)):
            run = j, field, own, kind, order, scale, first, n_sweeps
            expected = swept(reference.sweep_couplings, *run)
            assert_same(swept(couplings.sweep_couplings, *run), expected, (n_neurons, first))
            moved += expected[2].sum()
    assert moved > 300


@pytest.mark.parametrize("scale", [1.0, 1e8, 1e30])
def test_couplings_hold_fields_to_the_brim(scale):
    """A ferromagnet with |H| = 2^30 - 1: below every threshold that is cut to 2^30."""
    n_neurons = 66
    j = np.full((n_neurons, n_neurons), (2**30 - 1) // (n_neurons - 1), np.int32)
    np.fill_diagonal(j, 0)
    own = np.zeros(n_neurons, np.int32)
    for field in (0, (2**30 - 1) % (n_neurons - 1)):
        run = j, field, own, LOGISTIC, FIXED, scale, 0, 4
        assert_same(
            swept(couplings.sweep_couplings, *run), swept(reference.sweep_couplings, *run), field
        )


RULES = {
    "zero": ZeroTemperature(),
    "zero random": ZeroTemperature("random"),
    "Glauber": Glauber(TEMPERATURES),
    "Glauber random": Glauber(TEMPERATURES, "random"),
    "Metropolis": Metropolis(TEMPERATURES),
}


@pytest.mark.parametrize("n_neurons", [64, 67])
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("symmetric", [True, False], ids=["symmetric", "asymmetric"])
@pytest.mark.parametrize("unit", [None, 2.0**-40], ids=["30 bits", "wide"])
def test_coupled_networks_with_fields_are_the_reference(unit, symmetric, rule, n_neurons, judge):
    """Real couplings, external fields and self-couplings, as the model hands them over."""
    j = integers(n_neurons, 2**20, 5, symmetric).T / 2**20 / np.sqrt(n_neurons)
    j += np.diag(np.linspace(0, 0.5, n_neurons))
    field = 0.3 * np.cos(np.arange(n_neurons))
    if unit is not None:
        j, field = (unit * np.rint(a / unit) for a in (j, field))
    model = Coupled(j, field, "given", symmetric, unit=unit)
    n_replicas = 4 // np.size(rule.temperature)

    def run():
        spins = patterns.random(4, n_neurons, seed=6).astype(np.int8)
        fields = model.memory(spins)
        draws = noise(rule, n_replicas), stream(model, rule, n_replicas, seed=3)
        flips = model.sweep(spins, fields, *draws, 2, 3)
        np.testing.assert_array_equal(fields, model.memory(spins))
        return spins, fields, flips

    found = run()
    assert_same(found, judge(run))
    assert found[1].dtype == (np.int32 if unit is None else np.int64)
    assert found[2].min() > 0


# ---------------------------------------------------- sites that are skipped: no threshold is lost

SCALES = np.array([0, *np.logspace(-3, 6, 40), 1e30], np.float32)


def words_below(word, n_words=4000):
    """Words below `word`: those next to it, and random ones."""
    drawn = rnd.sites(rnd.words(rnd.key(9), rnd.DYNAMICS, (0, 2), 0, n_words)[:n_words], word)
    return np.concatenate([np.arange(word - n_words, word), drawn]).astype(np.uint32)


def worst_excess(cuts):
    """By how much a threshold of a word below a cut exceeds that of the cut: (lane, cut)."""
    worst = np.empty(cuts.shape[:2], np.int64)
    for lane, scale in enumerate(SCALES):
        for c, (word, threshold) in enumerate(cuts[lane]):
            u = words_below(int(word.view(np.uint32)))
            assert u.max() < word.view(np.uint32)
            worst[lane, c] = (rnd.thresholds(u, LOGISTIC, scale).astype(np.int64) - threshold).max()
    return worst


def cuts_of(kind):
    lanes = np.zeros((len(SCALES), 2), np.uint32)
    draws = Draws(rnd.key(1), lanes, kind, SCALES, rnd.limit(np.int32), FIXED)
    return couplings._cuts(draws)


def test_no_word_below_a_cut_has_a_threshold_above_it():
    """What makes skipping exact: a site is passed by where its word and its field are below a cut.

    Every scale from 10^-3 to 10^6, where a threshold is T N / 2, none, and infinite temperature.
    """
    cuts = cuts_of(LOGISTIC)
    assert worst_excess(cuts).max() <= 0
    # ... and a cut is worth something: not far above what its words reach
    assert worst_excess(cuts)[1:-1].min() >= -2 - 2e-3 * SCALES[-2]
    chances = 1 - cuts[0, :, 0].view(np.uint32) / 2**32
    np.testing.assert_allclose(chances, couplings._CUTS, rtol=1e-6)


def test_cuts_without_slack_would_lose_flips():
    """Negative control: a threshold cut a hair too low is exceeded, at every scale that has one."""
    cuts = cuts_of(LOGISTIC)
    logits = np.log(1 / np.array(couplings._CUTS) - 1)
    cuts[:, :, 1] = np.minimum(SCALES[:, None].astype(float) * (logits - 1e-3), 2.0**30)
    assert np.all(worst_excess(cuts)[1:-1] > 0)


def test_other_noises_have_no_cuts():
    """Metropolis accepts what costs nothing at any word: all sites are looked at."""
    for kind in (NONE, EXPONENTIAL):
        assert np.all(cuts_of(kind)[:, :, 1] == 2**30)


# ------------------------------------------------------------------------------------------ memory


def test_blocked_needs_few_bytes_a_replica():
    """2P + N bytes a replica and 5 % for whole tiles, lane words and counts.

    Everything that the form allocates beside the state it is given, at the highest point; beyond
    the 128 replicas that are swept together, nothing more.
    """
    xi = patterns.random(204, 2048, seed=1)
    form = blocked.sweep_patterns, blocked.packed(xi.T)

    def peak(n_lanes):
        start = patterns.random(n_lanes, 2048, seed=8).astype(np.int8)
        overlaps = (start @ xi.T).astype(np.int16)
        draws = Noise(LOGISTIC, np.full(n_lanes, 0.25), FIXED)
        lanes = Stream(rnd.key(5), rnd.lane_words(0.5, n_lanes))
        diagonal = np.full(2048, 204, np.int32)
        tracemalloc.start()
        try:
            kernels.advance(*form, diagonal, start, overlaps, draws, lanes, 1 / 2048, 0, 1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(64)  # compiled
    per_replica = (peak(128) - peak(64)) / 64  # what does not grow with them cancels
    assert 2 * 204 + 2048 <= per_replica <= 1.05 * (2 * 204 + 2048)
    assert peak(512) - peak(128) <= 100 * (512 - 128)  # lane words, scales and counts


# -------------------------------------------------------------------------------- other processors


# what `test_other_processors` compares
def digests():
    """Each form's hash of 40 lanes after 20 sweeps with each noise, N = 300, P = 37."""
    xi = patterns.random(37, 300, seed=9)
    start = patterns.random(40, 300, seed=8).astype(np.int8)
    found = []
    for name, form in forms(xi).items():
        if name == "plain, int8":
            continue  # seconds to compile, and int16 is the same loop
        states = [final(form, xi, start, TEMPERATURES, kind, 20)[:2] for kind in KINDS.values()]
        found.append(digest(*(np.stack(arrays) for arrays in zip(*states, strict=True))))
    return found
