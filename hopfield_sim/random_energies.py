"""The first update of exponential networks with more patterns than any memory holds.

F(S) = exp(sharpness S), K random +-1 patterns, N neurons. A neuron of a state with overlap x_0 with
one pattern goes to the sign of a + X: with S' the overlap sum without this neuron and
g(S) = exp(sharpness S), its signal is a = g(S'_1) and the K - 1 other patterns make the noise
X = sum over mu of eps_mu g(S'_mu), eps fair signs, S' sums of N - 1 fair signs, all independent.
So X needs no patterns, only how many of them have each of the N values of S': a random-energy model
(Derrida 1981), drawn at a cost of O(N) for any K.

Sources: B. Derrida, Phys. Rev. B 24 (1981) 2613; Demircigil et al., J. Stat. Phys. 168 (2017) 288
(the network). That only counts are needed: derived here, checked against networks with patterns.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim import randomness
from hopfield_sim.randomness import Seed

_COUNTED = np.log(2.0**62)  # ln of the most patterns that are counted one by one
_FEW = 1e15  # mean count of a value up to which it is drawn as an integer


def wrong_fraction(
    n_neurons: int,
    log_n_patterns: float,
    n_samples: int,
    seed: Seed,
    n_flipped: int = 0,
    sharpness: float = 1.0,
) -> np.ndarray:
    """Probability of a wrong neuron after its first update, given the noise: float64 (sample,).

        (1/N) [(N - n) theta(X < -g(N - 1 - 2 n)) + n theta(X < -g(N + 1 - 2 n))],  n = n_flipped

    (theta = 1/2 at equality): the average over the neurons, right and wrong ones of the cue. Its
    mean over samples is the error probability; the samples are independent.

    n_neurons: N >= 1. log_n_patterns: ln K >= 0, K is rounded to a whole number. Up to K = 2^62 the
    counts are multinomial. Beyond, each value has its own Poisson number of patterns of either
    sign, the same law up to O(1/K), and above 1e15 of them their difference is Gaussian.
    n_samples: how many noises. seed: with N, n_flipped and K's bits it makes the stream.
    n_flipped: wrong neurons of the cue, 0 to N. sharpness: positive.
    Raises ValueError for anything else.
    """
    _check(n_neurons, log_n_patterns, n_samples, n_flipped, sharpness)
    bits = int(np.float64(log_n_patterns).view(np.uint64))
    key = randomness.key(seed, n_neurons, n_flipped, bits)
    random = np.random.Generator(np.random.Philox(key=int(key[0]) << 32 | int(key[1])))
    # From the outside in: what rounding leaves of the patterns goes to the last, likeliest value.
    k = np.arange(n_neurons)
    k = k[np.argsort(-np.abs(2 * k - n_neurons + 1), kind="stable")]
    sums = 2 * k - (n_neurons - 1)
    log_law = _log_binomial(n_neurons - 1)[k] - (n_neurons - 1) * np.log(2)
    if log_n_patterns <= _COUNTED:
        noise = _counted(random, round(np.exp(log_n_patterns)) - 1, log_law, sums, n_samples)
    else:
        noise = _independent(random, log_n_patterns, log_law, sums, n_samples)
    wrong = np.zeros(n_samples)
    for number, others in ((n_neurons - n_flipped, n_flipped), (n_flipped, n_flipped - 1)):
        if number:
            field = noise(sharpness, n_neurons - 1 - 2 * others)
            wrong += number / n_neurons * np.where(field == -1, 0.5, field < -1)
    return wrong


def _counted(random, n_patterns: int, log_law, sums, n_samples: int):
    """X / a as a function of (sharpness, S'_1): from multinomial counts."""
    law = np.exp(log_law)
    counts = random.multinomial(n_patterns, law / law.sum(), size=n_samples)
    net = 2.0 * random.binomial(counts, 0.5) - counts

    return lambda sharpness, signal: net @ np.exp(_log_size(sums, sharpness, signal))


def _independent(random, log_n_patterns: float, log_law, sums, n_samples: int):
    """The same with independent numbers of either sign, on a logarithmic scale."""
    log_mean = log_n_patterns + log_law - np.log(2)
    few = log_mean < np.log(_FEW)
    mean = np.exp(log_mean[few])
    shape = (n_samples, mean.size)
    net = random.poisson(mean, shape) - random.poisson(mean, shape)
    normal = random.standard_normal((n_samples, sums.size - mean.size))
    log_spread = (log_mean[~few] + np.log(2)) / 2

    def noise(sharpness: float, signal: int) -> np.ndarray:
        """X in units of exp(sharpness signal): (sample,)."""
        size = _log_size(sums, sharpness, signal)
        return net @ np.exp(size[few]) + normal @ np.exp(np.minimum(size[~few] + log_spread, 600.0))

    return noise


def _log_size(sums: np.ndarray, sharpness: float, signal: int) -> np.ndarray:
    """ln of g(S') over the signal: (value,). Beyond exp(300) it is lost whatever the size."""
    return np.minimum(sharpness * (sums - float(signal)), 300.0)


def _log_binomial(n: int) -> np.ndarray:
    """ln of n over k, k = 0 ... n."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    return logs[n] - logs - logs[::-1]


def _check(n_neurons, log_n_patterns, n_samples, n_flipped, sharpness) -> None:
    for name, value, least in (
        ("n_neurons", n_neurons, 1),
        ("n_samples", n_samples, 1),
        ("n_flipped", n_flipped, 0),
    ):
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or value < least:
            raise ValueError(f"{name}={value!r} is not possible; it must be an integer >= {least}.")
    if n_flipped > n_neurons:
        raise ValueError(f"n_flipped={n_flipped} is more than n_neurons={n_neurons}.")
    if not (np.isfinite(log_n_patterns) and log_n_patterns >= 0):
        raise ValueError(f"log_n_patterns={log_n_patterns!r}: ln K is a finite number >= 0.")
    if not (np.isfinite(sharpness) and sharpness > 0):
        raise ValueError(f"sharpness={sharpness!r} is not possible; it must be positive.")
