"""What kernels are measured against: how fast the machine is, and what one would write without us.

Nothing here serves a simulation. The *probes* do nothing but one kind of work, from registers or
from one array, and so say what the processor gives at that moment. The *naive* sweeps are heat bath
in Numba as a user writes it, float64 couplings and `np.random` inside: one that keeps the fields,
one that computes each field when it is needed.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import fill_group, words_block
from hopfield_sim.kernels.simd import (
    I32,
    I64,
    V32,
    VNNI,
    accumulators,
    add_pairs,
    broadcast,
    load,
    store,
)
from hopfield_sim.kernels.tiles import BLOCK, GROUP
from hopfield_sim.randomness import LOGISTIC

# as many chains of sums as stay in registers: 32 of 512 bits, or 16 of 256
_CHAINS = 16 if VNNI else 6

PRODUCTS = _CHAINS * 32
"""Products of int16 that one step of `products` computes and adds."""


@intrinsic
def _products(typingctx, n_steps, word, out):
    def generate(context, builder, signature, arguments):
        n_steps, word, out = arguments
        kept = accumulators(builder, _CHAINS)
        factor = broadcast(builder, word)
        for k, place in enumerate(kept):
            builder.store(broadcast(builder, ir.Constant(I32, k + 1)), place)
        with cgutils.for_range(builder, n_steps):
            # each chain multiplies the sum of the next one: nothing is the same in two steps, so
            # that no multiplication can be taken out of the loop
            values = [builder.load(place) for place in kept]
            for k, place in enumerate(kept):
                other = values[(k + 1) % _CHAINS]
                builder.store(add_pairs(builder, values[k], other, factor), place)
        total = builder.load(kept[0])
        for place in kept[1:]:
            total = builder.xor(total, builder.load(place))
        store(builder, total, out, 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int32, types.intp), generate


@compiled
def products(n_steps, out):
    """The processor's peak for integer products: `n_steps * PRODUCTS` multiply-adds of int16.

    Register to register, by the instruction that the tiles use. out: int32 (16,), written so that
    the work is not left out.
    """
    _products(n_steps, np.int32(0x00030001), out.ctypes.data)


@intrinsic
def _read(typingctx, address, n_steps, out):
    def generate(context, builder, signature, arguments):
        address, n_steps, out = arguments
        kept = accumulators(builder, 4)
        with cgutils.for_range(builder, n_steps) as loop:
            at = builder.add(address, builder.mul(loop.index, ir.Constant(I64, READ_STEP)))
            for k, place in enumerate(kept):
                value = load(builder, at, 64 * k, V32)
                builder.store(builder.xor(builder.load(place), value), place)
        for k, place in enumerate(kept):
            store(builder, builder.load(place), out, 64 * k)
        return context.get_dummy_value()

    return types.void(types.intp, types.int64, types.intp), generate


READ_STEP = 256
"""Bytes of a step of `read`."""


@compiled
def read(array, n_times, out):
    """Read an array end to end, `n_times`, by whole vectors: the machine's peak for its size.

    array: uint8 (byte,), of which whole steps of READ_STEP are read; out: int32 (64,), written.
    """
    for _ in range(n_times):
        _read(array.ctypes.data, array.size // READ_STEP, out.ctypes.data)


@compiled
def seed_naive(seed):
    """Seed the generator that the naive sweeps draw from."""
    np.random.seed(seed)  # noqa: NPY002 (what compiled code draws from)


@compiled
def sweep_naive(couplings, spins, fields, temperature, n_sweeps):
    """Heat bath with fields kept: O(1) a visit, O(N) a flip. The flips that were made.

    couplings: float64 (neuron, neuron), J_ij; spins, fields: float64 (neuron,), changed.
    """
    n_neurons = spins.size
    flips = 0
    for _ in range(n_sweeps):
        for i in range(n_neurons):
            up = np.random.random() < 1.0 / (1.0 + np.exp(-2.0 * fields[i] / temperature))  # noqa: NPY002
            new = 1.0 if up else -1.0
            if new != spins[i]:
                change = new - spins[i]
                spins[i] = new
                flips += 1
                row = couplings[i]
                for j in range(n_neurons):
                    fields[j] += change * row[j]
    return flips


@compiled
def sweep_naive_rows(couplings, spins, temperature, n_sweeps):
    """Heat bath with each field computed for its visit: O(N) a visit. Arguments as above."""
    n_neurons = spins.size
    flips = 0
    for _ in range(n_sweeps):
        for i in range(n_neurons):
            row = couplings[i]
            field = 0.0
            for j in range(n_neurons):
                field += row[j] * spins[j]
            up = np.random.random() < 1.0 / (1.0 + np.exp(-2.0 * field / temperature))  # noqa: NPY002
            new = 1.0 if up else -1.0
            if new != spins[i]:
                spins[i] = new
                flips += 1
    return flips


@compiled
def visit_naive_cubes(patterns, overlaps, spins, n_visits):
    """Zero temperature with the energy -sum_mu S_mu^3 as one writes it: O(K) a visit. The flips.

    patterns: int8 (neuron, pattern); overlaps: int64 (pattern,) and spins: int8 (neuron,), changed.
    """
    flips = 0
    n_neurons, n_patterns = patterns.shape
    for visit in range(n_visits):
        i = visit % n_neurons
        cost = 0
        for mu in range(n_patterns):
            now = overlaps[mu]
            then = now - 2 * spins[i] * patterns[i, mu]
            cost += now * now * now - then * then * then
        if cost < 0:
            for mu in range(n_patterns):
                overlaps[mu] -= 2 * spins[i] * patterns[i, mu]
            spins[i] = -spins[i]
            flips += 1
    return flips


@compiled
def philox_words(out, keys, lane, n_times):
    """The package's random words of one lane, `n_times` the length of out: uint32 (64 n,).

    keys: `draws.round_keys`; lane: uint32 (2,). As the forms for one chain draw them.
    """
    blocks = out.size // 64
    for sweep in range(n_times):
        for block in range(blocks):
            words_block(
                out.ctypes.data + 256 * block,
                np.uint64(16) * np.uint64(sweep * blocks + block),
                lane.ctypes.data,
                keys.ctypes.data,
            )


@compiled
def xoshiro_words(out, state, n_times):
    """Words of xoshiro256++ one after another, out: uint32; state: uint64 (4,), changed.

    Source: Blackman and Vigna, ACM Trans. Math. Softw. 47 (2021) 36.
    """
    s0, s1, s2, s3 = state
    for _ in range(n_times):
        for k in range(out.size):
            word = s0 + s3
            word = ((word << np.uint64(23)) | (word >> np.uint64(41))) + s0
            shifted = s1 << np.uint64(17)
            s2 ^= s0
            s3 ^= s1
            s1 ^= s2
            s0 ^= s3
            s2 ^= shifted
            s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
            out[k] = np.uint32(word >> np.uint64(32))
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3


@compiled
def group_thresholds(theta, keys, lanes, scale, bound, n_neurons, n_sweeps):
    """Draws and logistic thresholds of a group of 32 lanes, as a blocked sweep makes them.

    theta: int32 (64, 32), overwritten; keys: `draws.round_keys`; lanes: uint32 (2, 32); scale:
    float32 (32,); bound: float32. As there, a block's thresholds are written over those of the one
    before.
    """
    for sweep in range(n_sweeps):
        for first in range(0, n_neurons, BLOCK):
            fill_group(
                theta,
                keys.ctypes.data,
                lanes.ctypes.data,
                LOGISTIC,
                scale.ctypes.data,
                bound,
                np.uint64(sweep) * np.uint64((n_neurons + 3) // 4) + np.uint64(first // 4),
                n_neurons - first,
                GROUP,
            )
