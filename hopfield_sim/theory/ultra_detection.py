"""Dense networks whose couplings are noisy: signals far below the noise of a single coupling.

A P-body network of K patterns on N neurons ("distinct" normalisation) in which each pattern's
coupling of each P-tuple is xi_i1 ... xi_iP + omega Jt, Jt independent standard Gaussians:

    H = -((P-1)!/N^(P-1)) sum_mu sum_{i1 < ... < iP} (xi_i1 ... xi_iP + omega Jt^mu_i1...iP) s..s

The noise adds to the field of a neuron what K omega^2 further patterns would: all that is known of
P-body networks holds with the reduced load A = (P-1)! K (1 + omega^2)/N^(P-1). So at K ~ N^b
patterns a noise omega ~ N^((P-1-b)/2) is tolerated: from ultra-storage, K ~ N^(P-1) at omega of
order 1, to ultra-detection, few patterns at a noise far above the signal 1 of a coupling.

Where noise enters by pairs, P = 4, and the coupling is a product of noisy pairs,

    H = -(1/(4 N^3)) sum_mu (sum_{i,j} (xi_i xi_j + omega Jt^mu_ij) s_i s_j)^2,   Jt symmetric,
        Jt_ii = 0,

the noise that K = alpha N patterns tolerate is omega = s sqrt(N), less than omega ~ N.

Sources: E. Agliari, F. Alemanno, A. Barra, M. Centonze, A. Fachechi, Phys. Rev. Lett. 124 (2020)
028301 (pairs; signal O(1), noise O(sqrt N)). The formulas derived here, those of finite networks
too; checked by simulation.
"""

import numpy as np
from scipy.special import erf, gammaln

from hopfield_sim.theory.labels import common_grid, evaluated

_TENSOR = "H = -((P-1)!/N^(P-1)) sum_mu sum_(i1<..<iP) (xi..xi + omega Jt^mu) s..s"
_PAIRS = "H = -(1/(4 N^3)) sum_mu (sum_ij (xi_i xi_j + omega Jt^mu_ij) s_i s_j)^2"
_SOURCE = "derived here, checked by simulation; pairs: Agliari et al. 2020"
_OVERLAP = "overlap after the first update from the pattern"


def noisy_load(n_neurons, n_patterns, interaction, coupling_noise):
    """Load and first update of a network whose tensor of couplings is noisy.

        A = (P-1)! K (1 + omega^2)/N^(P-1),   m_1 = erf(1/sqrt(2 A))

    In a finite network the field of a neuron at the pattern has mean 1 and variance
    (K - 1 + K omega^2)/C(N-1, P-1) in units of the signal: exact; Gaussian noise then.

    Args:
        n_neurons, n_patterns, interaction: N, K and the order P >= 2, whole numbers, 1-D arrays of
            them or DataArrays.
        coupling_noise: omega >= 0, likewise a number, an array or a DataArray.

    Returns:
        xarray.Dataset on the grid (n_neurons, n_patterns, interaction, coupling_noise) with
        `reduced_load` A, `overlap` m_1, and `variance` and `overlap_finite` of the finite network.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here.
    """

    def loads(N, K, P, omega):
        reduced = np.exp(gammaln(P) - (P - 1) * np.log(N)) * K * (1 + omega**2)
        # C(N-1, P-1) is 0 for P > N: no tuple, no signal
        log_tuples = gammaln(N) - gammaln(P) - gammaln(np.maximum(N - P + 1, 1))
        variance = np.where(N >= P, (K - 1 + K * omega**2) * np.exp(-log_tuples), np.inf)
        with np.errstate(divide="ignore"):
            finite = erf(1 / np.sqrt(2 * variance))
        return {
            "reduced_load": reduced,
            "overlap": erf(1 / np.sqrt(2 * reduced)),
            "variance": variance,
            "overlap_finite": finite,
        }

    names = {
        "reduced_load": "variance of the cross-talk and noise field, leading order in N",
        "overlap": _OVERLAP,
        "variance": "variance of the field over the squared signal, exact at this size",
        "overlap_finite": f"{_OVERLAP}, Gaussian noise of the exact variance",
    }
    given = {"n_neurons": n_neurons, "n_patterns": n_patterns}
    grid = common_grid(**given, interaction=interaction, coupling_noise=coupling_noise)
    about = {"convention": _TENSOR, "source": _SOURCE}
    return evaluated(grid, loads, names, "dense network with noisy couplings", **about)


def tolerated_noise(n_neurons, n_patterns, interaction, reduced_load):
    """The noise of couplings at which the reduced load reaches a given one.

        omega = sqrt(A N^(P-1)/((P-1)! K) - 1)  ~  N^((P-1-b)/2)  at K ~ N^b

    A capacity of the network without noise (`dense.spinodal_load`, say) gives the noise at which
    patterns are lost.

    Args:
        n_neurons, n_patterns, interaction: as for `noisy_load`.
        reduced_load: A > 0, a number, an array or a DataArray.

    Returns:
        xarray.Dataset on the grid (n_neurons, n_patterns, interaction, reduced_load) with
        `coupling_noise`; NaN where the patterns alone are a higher load.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here.
    """

    def noise(N, K, P, load):
        patterns = np.exp(gammaln(P) - (P - 1) * np.log(N)) * K
        with np.errstate(invalid="ignore"):
            return {"coupling_noise": np.sqrt(load / patterns - 1)}

    names = {"coupling_noise": "amplitude omega of the noise of a coupling at that load"}
    given = {"n_neurons": n_neurons, "n_patterns": n_patterns}
    grid = common_grid(**given, interaction=interaction, reduced_load=reduced_load)
    about = {"convention": _TENSOR, "source": _SOURCE}
    return evaluated(grid, noise, names, "noise that a dense network tolerates", **about)


def pair_noise(alpha, scaled_noise):
    """First update with noise by pairs, P = 4 and K = alpha N, for N -> infinity.

        m_1 = erf(1/sqrt(2 V)),   V = s^2 + 2 alpha s^4,   s = omega/sqrt(N)

    s^2 from the noise of the pattern itself, 2 alpha s^4 from the squared noise of all others;
    their overlaps add nothing at K ~ N.

    Args:
        alpha: patterns per neuron, K/N, a number, a 1-D array or a DataArray, > 0.
        scaled_noise: s >= 0, likewise.

    Returns:
        xarray.Dataset on the grid (alpha, scaled_noise) with `variance` V and `overlap` m_1.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here; the scaling omega ~ sqrt(N): Agliari et al. 2020.
    """

    def updated(alpha, s):
        variance = s**2 + 2 * alpha * s**4
        with np.errstate(divide="ignore"):
            return {"variance": variance, "overlap": erf(1 / np.sqrt(2 * variance))}

    names = {"variance": "variance of the field over the squared signal", "overlap": _OVERLAP}
    grid = common_grid(alpha=alpha, scaled_noise=scaled_noise)
    about = {"convention": _PAIRS, "source": _SOURCE}
    return evaluated(grid, updated, names, "four-body network with noisy pairs", **about)


def pair_noise_finite(n_neurons, n_patterns, coupling_noise):
    """First update with noise by pairs in a finite network: exact mean and variance of the field.

        h_i = (1/N^3) sum_mu B c,   B = S'^2 + 1 + omega q',   c = xi_i S' + omega g_i

    S', q' the overlap sum and the quadratic form of Jt without neuron i, g_i = sum_j Jt_ij s_j:
    with n = N - 1, S' = n for the pattern itself and a sum of n fair signs for the others, q' and
    g_i Gaussian of variances 2 n (n - 1) and n. m_1 = erf(mean/sqrt(2 variance)) holds to O(1/N),
    as products of Gaussians are not Gaussian.

    Args:
        n_neurons, n_patterns: N and K, whole numbers, 1-D arrays of them or DataArrays.
        coupling_noise: omega >= 0, a number, an array or a DataArray.

    Returns:
        xarray.Dataset on the grid (n_neurons, n_patterns, coupling_noise) with `mean`, `variance`
        and `overlap`.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here.
    """

    def updated(N, K, omega):
        N, K = N.astype(float), K.astype(float)  # N^6 leaves the integers
        n, w = N - 1, omega**2
        form = 2 * n * (n - 1)  # variance of q'
        mean = n * (n**2 + 1) / N**3
        own = (n**2 + 1) ** 2 * w * n + w * form * n**2 + w**2 * form * n
        # moments of S': n, 3 n^2 - 2 n, 15 n^3 - 30 n^2 + 16 n
        other = 15 * n**3 - 24 * n**2 + 13 * n + w * n * (3 * n**2 + 1)
        other += w * form * (n + w * n)
        variance = (own + (K - 1) * other) / N**6
        with np.errstate(divide="ignore", invalid="ignore"):
            overlap = np.where(mean > 0, erf(mean / np.sqrt(2 * variance)), 0.0)
        return {"mean": mean, "variance": variance, "overlap": overlap}

    names = {
        "mean": "mean of the field along the pattern",
        "variance": "variance of the field",
        "overlap": f"{_OVERLAP}, Gaussian noise of the exact variance",
    }
    grid = common_grid(n_neurons=n_neurons, n_patterns=n_patterns, coupling_noise=coupling_noise)
    about = {"convention": _PAIRS, "source": _SOURCE}
    return evaluated(grid, updated, names, "four-body network with noisy pairs, finite", **about)
