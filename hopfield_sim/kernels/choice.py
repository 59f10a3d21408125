"""Sequential sweeps over patterns by whichever form is the fastest: the choice leaves no trace.

All forms give the same trajectory, so that lanes may change from one to another at any sweep. What
each costs, per attempted flip and on one core, is a straight line in P, in the fraction of visits
that flip and, for the couplings, in N; the lines below were measured. The fraction is that of the
lane's last sweeps, looked at again after 4, 16, 64 ... sweeps, and remembered.

* many lanes: `blocked`, by groups of 32; those that do not fill a group: `packed`, one by one;
* lanes that hardly flip: `couplings`, where N^2 couplings can be afforded. They are made when the
  time lost for want of them would have paid for making them;
* random order, integers that are too large, processors that no vector code was measured on:
  `plain`.

At zero temperature lanes that reached a fixed point are taken out.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hopfield_sim.kernels import blocked, couplings, packed, parallel, parallel_lanes, plain
from hopfield_sim.kernels.simd import AVX2, VNNI, X86
from hopfield_sim.kernels.tiles import GROUP
from hopfield_sim.randomness import FIXED, NONE

_FITS_CACHE = 2**19  # int16 products are faster than int8 ones while the patterns stay in cache
_LARGEST_COUPLINGS = 2**28  # bytes
_FIRST, _THEN, _LONGEST = 4, 512, 2048  # sweeps before the acceptance is looked at again
_GUESS = 0.1  # acceptance of lanes that were never swept

# nanoseconds of a visit: (constant, per pattern, per flip, per flip and pattern), measured at
# N = 2048 to 10^4 with AVX-512 VNNI, with AVX2 and with SSE2; of a visit by couplings: (constant,
# per flip and neuron)
_LEVEL = 0 if VNNI else 1 if AVX2 else 2
_LINES = {
    "blocked": ((1.65, 0.0045, 0.0, 0.0), (2.5, 0.0066, 0.0, 0.0), (4.6, 0.0105, 0.0, 0.0))[_LEVEL],
    "blocked, other integers": (
        (1.6, 0.0132, 1.5, 0.0),
        (2.7, 0.027, 1.5, 0.0),
        (3.0, 0.073, 1.5, 0.0),
    )[_LEVEL],
    "packed": ((2.0, 0.0095, 12.0, 0.018), (3.0, 0.037, 25.0, 0.0), (4.0, 0.15, 25.0, 0.0))[_LEVEL],
    "plain": ((5.0, 0.05, 10.0, 0.07), (5.0, 0.05, 10.0, 0.07), (4.0, 0.13, 10.0, 0.07))[_LEVEL],
}
_SKIP, _SKIP_FLIP = ((0.8, 0.1), (1.05, 0.1), (1.7, 0.12))[_LEVEL]
_ALONE = 1.2  # cost of a group without a second one, groups being swept in twos
_BUILD = 0.03  # of a product while couplings are made


class Layouts:
    """Patterns of one network in the orders that the forms need, each made when first used.

    patterns: (pattern, neuron), integers.
    """

    def __init__(self, patterns: np.ndarray):
        self.patterns = patterns
        self.n_patterns, self.n_neurons = patterns.shape
        self.missed = 0.0  # nanoseconds lost for want of couplings
        self._acceptance: dict[bytes, np.ndarray] = {}

    @cached_property
    def largest(self) -> int:
        """Largest size of a value."""
        return int(np.abs(self.patterns).max())

    @cached_property
    def is_binary(self) -> bool:
        """Whether all values are +-1."""
        return bool(np.all(np.abs(self.patterns) == 1))

    @cached_property
    def by_site(self) -> np.ndarray:
        """For `plain`: (neuron, pattern) in the narrowest type that is fast."""
        narrow = self.largest <= 127 and self.patterns.size > _FITS_CACHE
        return np.ascontiguousarray(self.patterns.T, dtype=np.int8 if narrow else np.int16)

    @cached_property
    def blocked(self) -> blocked.Packed:
        """For `blocked`."""
        return blocked.packed(self.patterns.T, self._own)

    @cached_property
    def bits(self) -> packed.Bits:
        """For `packed`."""
        return packed.bits(self.patterns.T, self._own)

    @cached_property
    def _own(self) -> np.ndarray:
        return blocked.own_couplings(self.patterns.T)

    @cached_property
    def pairs(self) -> couplings.Pairs:
        """For `couplings`."""
        return couplings.pairs(self.patterns.T, self.bits)

    @cached_property
    def for_lanes(self) -> parallel_lanes.Packed:
        """For `parallel_lanes`."""
        return parallel_lanes.packed(self.patterns.T)

    @property
    def may_have_pairs(self) -> bool:
        """Whether the couplings of all pairs can be afforded."""
        return (
            self.is_binary
            and packed.fits(self.n_neurons, self.n_patterns)
            and 2 * self.n_neurons**2 <= _LARGEST_COUPLINGS
        )

    def remembered(self, draws) -> np.ndarray | None:
        """Acceptance of these lanes in the last call with them, if there was one: (lane,)."""
        return self._acceptance.get(_name(draws))

    def remember(self, draws, acceptance: np.ndarray) -> None:
        """Keep the acceptance of these lanes for the next call."""
        if len(self._acceptance) > 64:
            self._acceptance.clear()
        self._acceptance[_name(draws)] = acceptance


def _name(draws) -> bytes:
    return draws.lanes.tobytes() + draws.scale.tobytes()


def sweep_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place; `patterns` is `Layouts`, the rest as `plain.sweep_patterns`."""
    n_lanes = len(spins)
    is_quench = draws.kind == NONE and draws.order == FIXED  # towards a fixed point
    known = None if is_quench else patterns.remembered(draws)
    acceptance = np.full(n_lanes, _GUESS) if known is None else known.copy()
    longest = _FIRST if known is None else _THEN
    active, last = np.arange(n_lanes), first_sweep + n_sweeps
    while first_sweep < last and active.size:
        length = min(longest, last - first_sweep)
        plan = _plan(patterns, draws, active, acceptance, length)
        if is_quench and all(form is not blocked.sweep_patterns for form, *_ in plan):
            length = last - first_sweep  # the other forms leave each lane where it stops
        before = flips[active]
        for form, matrix, lanes in plan:
            if len(lanes) == n_lanes:
                form(matrix, diagonal, spins, overlaps, draws, first_sweep, length, flips)
                continue
            state = spins[lanes], overlaps[lanes], flips[lanes]  # copies
            own = draws._replace(lanes=draws.lanes[lanes], scale=draws.scale[lanes])
            form(matrix, diagonal, *state[:2], own, first_sweep, length, state[2])
            spins[lanes], overlaps[lanes], flips[lanes] = state
        moved = flips[active] - before
        acceptance[active] = moved / (length * patterns.n_neurons)
        if is_quench:
            active = active[moved > 0]  # the others are at a fixed point
        else:
            longest = min(4 * longest, _LONGEST)
        first_sweep += length
    if n_sweeps and not is_quench:
        patterns.remember(draws, acceptance)


def step_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Steps of all neurons at once, in place; arguments as `sweep_patterns`."""
    size = patterns.n_neurons, patterns.n_patterns, patterns.largest, patterns.is_binary
    split = len(spins) // GROUP * GROUP  # lanes in full groups
    if not parallel_lanes.suits(*size, GROUP):
        split = 0
    elif parallel_lanes.suits(*size, len(spins) - split):
        split = len(spins)
    for form, layout, lanes in (
        (parallel_lanes.step_patterns, "for_lanes", slice(split)),
        (parallel.step_patterns, "by_site", slice(split, None)),
    ):
        if len(spins[lanes]):
            own = draws._replace(lanes=draws.lanes[lanes], scale=draws.scale[lanes])
            state = spins[lanes], overlaps[lanes]
            matrix = getattr(patterns, layout)
            form(matrix, diagonal, *state, own, first_sweep, n_sweeps, flips[lanes])


def _plan(patterns, draws, lanes, acceptance, n_sweeps):
    """Which form, with which matrix, for which lanes: a list that covers all lanes once."""
    n_neurons, n_patterns = patterns.n_neurons, patterns.n_patterns
    can_block = X86 and blocked.fits(n_neurons, n_patterns, patterns.largest)
    if draws.order != FIXED or not can_block:
        return [(plain.sweep_patterns, patterns.by_site, lanes)]
    a = acceptance[lanes]
    cost = {name: _line(*line, n_patterns, a) for name, line in _LINES.items()}
    blocks = cost["blocked" if patterns.is_binary else "blocked, other integers"]
    single, form, layout = cost["plain"], plain.sweep_patterns, "by_site"
    if patterns.is_binary and cost["packed"].sum() < single.sum():
        single, form, layout = cost["packed"], packed.sweep_patterns, "bits"
    plan = []
    if patterns.may_have_pairs:
        skip = _SKIP + _SKIP_FLIP * n_neurons * a + single / n_sweeps  # the last: their fields
        other = np.minimum(single, blocks * GROUP / min(GROUP, len(lanes)))
        cold = skip < other
        patterns.missed += n_neurons * n_sweeps * float((other - skip)[cold].sum())
        if "pairs" in vars(patterns) or patterns.missed > _BUILD * n_neurons**2 * n_patterns:
            if cold.any():
                plan.append((couplings.sweep_patterns, patterns.pairs, lanes[cold]))
            lanes, single, blocks = lanes[~cold], single[~cold], blocks[~cold]
    in_groups = len(lanes) // GROUP * GROUP
    rest = slice(in_groups, None)
    if in_groups < len(lanes) and _ALONE * GROUP * blocks[rest].mean() < single[rest].sum():
        in_groups = len(lanes)
    if in_groups:
        plan.append((blocked.sweep_patterns, patterns.blocked, lanes[:in_groups]))
    if in_groups < len(lanes):
        plan.append((form, getattr(patterns, layout), lanes[in_groups:]))
    return plan


def _line(constant, per_pattern, per_flip, per_both, n_patterns, acceptance):
    return constant + per_pattern * n_patterns + acceptance * (per_flip + per_both * n_patterns)
