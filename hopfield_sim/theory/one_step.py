"""Errors of the first update of a neuron, from a stored pattern or from a cue with flipped neurons.

All neurons see the signal of the pattern and the noise of the others, which are independent of the
state: so the first update is exactly solvable at any size. An error is a neuron that does not have
the sign of the pattern after the update; a field of exactly zero counts as half an error, and its
probability is given where it is finite.

Pairwise network: h_i = sum_j J_ij s_j, J_ij = (1/N) sum_mu xi_i^mu xi_j^mu, J_ii = 0 or P/N.
Dense networks of N neurons and K patterns: E = -sum_mu F(S_mu), S_mu = sum_i xi_i^mu s_i, with

    "full"      F(x) = x^n, and rectified: max(x, 0)^n
    "distinct"  F(S) = sum_{i_1 < ... < i_n} of the products of the n entries xi s

(factors of F do not matter). The neuron goes to the sign of the sum over mu of
xi_i^mu g(S'_mu), S' = S without the neuron, g(S) = F(S + 1) - F(S - 1). The pattern
contributes the signal a = g(S'_1), the others the noise X = sum of K - 1 terms eps g(S'), with fair
signs eps and S' a sum of N - 1 of them: mean 0, variance V = (K - 1) <g^2>.

Sources: D. Krotov, J. J. Hopfield, NeurIPS 2016 (arXiv:1606.01164); P. Baldi, S. S. Venkatesh,
Phys. Rev. Lett. 58 (1987) 913; L. F. Abbott, Y. Arian, Phys. Rev. A 36 (1987) 5091 (Gaussian);
R. J. McEliece, E. C. Posner, E. R. Rodemich, S. S. Venkatesh, IEEE Trans. Inf. Theory 33 (1987)
461 (no errors). Exact forms derived here, checked by sampling.
"""

import numpy as np
from scipy.special import betainc, gammaln, log_ndtr, ndtr, ndtri

from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.one_step_sums import error_of_sum, increments

_ERROR = "probability that a neuron is wrong after its first update"
_TIE = "probability of a field of exactly zero, half of which is counted as errors"
_RATIO = "signal over the standard deviation of the noise, at a neuron that is right"
_PAIRWISE = "J_ij = (1/N) sum_mu xi_i^mu xi_j^mu, J_ii = 0 or P/N as given"
_SOURCE = "Krotov, Hopfield 2016; exact forms derived here, checked by sampling"
_NORMALISATIONS = ("full", "distinct")


def pairwise(alpha, start_overlap=1.0, diagonal=False):
    """The error of the Hopfield network for N -> infinity.

        error = (1/2) erfc(m_0/sqrt(2 alpha))                    J_ii = 0
        error = sum over s = +1, -1 of (1 + s m_0)/2 (1/2) erfc((m_0 + s alpha)/sqrt(2 alpha))
                                                                 J_ii = alpha

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, > 0.
        start_overlap: m_0 of a cue whose wrong neurons are drawn at random, likewise, in [-1, 1];
            1 is the pattern itself.
        diagonal: whether J_ii = alpha instead of 0.

    Returns:
        xarray.Dataset on the grid (alpha, start_overlap) with `error`.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Baldi, Venkatesh 1987; as the first step of parallel dynamics, Gardner, Derrida,
    Mottishaw, J. Physique 48 (1987) 741.
    """

    def errors(alpha, m):
        own = alpha if diagonal else 0 * alpha
        width = np.sqrt(alpha)
        right, wrong = ndtr(-(m + own) / width), ndtr(-(m - own) / width)
        return {"error": (1 + m) / 2 * right + (1 - m) / 2 * wrong}

    grid = common_grid(alpha=alpha, start_overlap=start_overlap)
    title = "first update of the Hopfield network, N -> infinity"
    about = {"convention": _PAIRWISE, "source": "Baldi, Venkatesh 1987"}
    return evaluated(grid, errors, {"error": _ERROR}, title, **about)


def pairwise_exact(n_neurons, n_patterns, n_flipped=0, diagonal=False):
    """The error of the Hopfield network of any size, exactly.

        N h_i xi_i = signal + sum of (P - 1)(N - 1) fair signs,
        signal = N - 1 - 2 (flipped others) + s_i xi_i P [if J_ii = P/N]

    Args:
        n_neurons, n_patterns: N and P, whole numbers, 1-D arrays of them or DataArrays, >= 1.
        n_flipped: number of wrong neurons of the cue, likewise, 0 to N.
        diagonal: whether J_ii = P/N instead of 0.

    Returns:
        xarray.Dataset on the grid (n_neurons, n_patterns, n_flipped) with `error`, averaged over
        the neurons, and `tie`. `error` counts half of `tie`. Relative precision some 1e-12.

    Raises:
        ValueError: a parameter that is not such a number, n_flipped > n_neurons, unnamed axes.

    Source: the binomial law, derived here.
    """

    def errors(N, P, flipped):
        _refuse_more_flipped(N, flipped)
        error, tie = np.zeros((2, N.size))
        for sign, count in ((1, N - flipped), (-1, flipped)):
            others = flipped - (sign < 0)
            signal = N - 1 - 2 * others + (sign * P if diagonal else 0)
            below, equal = _fair_signs((P - 1) * (N - 1), signal)
            error += np.where(count > 0, count / N * (below + equal / 2), 0)
            tie += np.where(count > 0, count / N * equal, 0)
        return {"error": error, "tie": tie}

    grid = common_grid(n_neurons=n_neurons, n_patterns=n_patterns, n_flipped=n_flipped)
    title = "first update of the Hopfield network, exact"
    about = {"convention": _PAIRWISE, "source": "binomial law, derived here"}
    return evaluated(grid, errors, {"error": _ERROR, "tie": _TIE}, title, **about)


def _fair_signs(count, signal):
    """P(sum of fair signs < -signal) and P(sum = -signal); whole numbers as floats (point,)."""

    def at_most(ups):  # P(number of positive signs <= ups)
        inside = np.clip(ups, 0, np.maximum(count - 1, 0))
        found = betainc(np.maximum(count - inside, 1), inside + 1, 0.5)
        return np.where(ups < 0, 0.0, np.where(ups >= count, 1.0, found))

    ups = (count - signal) / 2
    below = at_most(np.ceil(ups) - 1)
    possible = (ups == np.floor(ups)) & (ups >= 0) & (ups <= count)
    return below, np.where(possible, at_most(ups) - below, 0.0)


def dense_exact(
    n_neurons, n_patterns, interaction, n_flipped=0, rectified=False, normalisation="full"
):
    """The error of a dense network of any size, exactly.

        error = 1/2 - (1/pi) int_0^inf du sin(a u)/u [<cos(u g)>]^(K - 1)

    As g is integer this is a sum over a period, by the Fourier transform; where that is long, the
    part of it around u = 0 by the trapezoid rule, up to where the bracket has decayed, which is
    exact but for P(|X| > 2 pi/step - a). Each is done on two grids (periods 1 and 1.4), and
    refused unless they agree to 1e-9 + 1e-6 error. Errors below about
    1e-13 are rounding, and given as 0 where Chernoff's bound is below 1e-14.

    Args:
        n_neurons, n_patterns, interaction: N, K and the order n >= 2, whole numbers, 1-D arrays of
            them or DataArrays.
        n_flipped: number of wrong neurons of the cue, likewise, 0 to N.
        rectified: whether F(x) = max(x, 0)^n instead of x^n; for "full" only.
        normalisation: "full" or "distinct".

    Returns:
        xarray.Dataset on the grid (n_neurons, n_patterns, interaction, n_flipped) with `error` and
        `residual` (the difference of the two grids).

    Raises:
        ValueError: a parameter that is not such a number, n_flipped > n_neurons, unnamed axes.
        ArithmeticError: the integral did not converge: few patterns in a very large network.

    Source: derived here, checked by sampling.
    """

    def at_point(N, K, n, flipped):
        field = increments(N, n, rectified, normalisation)
        found = [
            (count / N, *error_of_sum(field, N, K - 1, others))
            for count, others in ((N - flipped, flipped), (flipped, flipped - 1))
            if count
        ]
        return tuple(sum(part[0] * part[i] for part in found) for i in (1, 2))

    names = {"error": _ERROR, "residual": "difference between two grids of the integral"}
    given = (n_neurons, n_patterns, interaction, n_flipped)
    return _at_points(given, at_point, names, rectified, normalisation, "exact")


def dense_gaussian(
    n_neurons, n_patterns, interaction, n_flipped=0, rectified=False, normalisation="full"
):
    """The error of a dense network with Gaussian noise of the exact variance.

        error = Phi(-a/sqrt(V));   distinct, from the pattern: a/sqrt(V) = sqrt(C(N-1,n-1)/(K-1))

    Some per cent below the exact error at N = 64 and n = 3.

    Args, Raises: as `dense_exact`.

    Returns:
        xarray.Dataset on the same grid with `error` and `signal_to_noise`, a/sqrt(V) at a neuron
        that is right (infinite for K = 1).

    Source: Krotov, Hopfield 2016; the exact variances derived here.
    """

    def at_point(N, K, n, flipped):
        field = increments(N, n, rectified, normalisation)
        with np.errstate(divide="ignore"):
            ratios = field.values / np.sqrt((K - 1) * field.variance)
        right = ratios[min(flipped, N - 1)]
        wrong = ratios[max(flipped - 1, 0)]
        error = ((N - flipped) * ndtr(-right) + flipped * ndtr(-wrong)) / N
        return error, right

    names = {"error": _ERROR, "signal_to_noise": _RATIO}
    given = (n_neurons, n_patterns, interaction, n_flipped)
    return _at_points(given, at_point, names, rectified, normalisation, "Gaussian")


def _at_points(given, at_point, names, rectified, normalisation, form):
    _refuse_normalisation(rectified, normalisation)
    parameters = ("n_neurons", "n_patterns", "interaction", "n_flipped")

    def errors(N, K, n, flipped):
        _refuse_more_flipped(N, flipped)
        points = zip(*(map(int, values.tolist()) for values in (N, K, n, flipped)), strict=True)
        columns = np.reshape([at_point(*point) for point in points], (-1, len(names))).T
        return dict(zip(names, columns, strict=True))

    grid = common_grid(**dict(zip(parameters, given, strict=True)))
    return evaluated(grid, errors, names, _title(rectified, normalisation, form), **_about())


def dense_asymptotic(n_neurons, n_patterns, interaction, rectified=False, normalisation="full"):
    """The error of a dense network from a pattern, to leading order in N.

        error = Phi(-R),  R^2 = N^(n-1)/(K c),  c = (2n - 3)!! ("full"), (n - 1)! ("distinct")

    and c half as large if rectified. Off by 5 to 15 % at N = 64, n = 3.

    Args, Raises: as `dense_exact`, without n_flipped.

    Returns:
        xarray.Dataset on the grid (n_neurons, n_patterns, interaction) with `error`,
        `signal_to_noise` R, and `leading_order` of small errors, exp(-R^2/2)/(R sqrt(2 pi)).

    Source: Krotov, Hopfield 2016.
    """
    _refuse_normalisation(rectified, normalisation)

    def errors(N, K, n):
        ratio = np.exp(_log_capacity(N, n, rectified, normalisation) / 2) / np.sqrt(K)
        leading = np.exp(-(ratio**2) / 2) / (ratio * np.sqrt(2 * np.pi))
        return {
            "error": np.exp(log_ndtr(-ratio)),
            "signal_to_noise": ratio,
            "leading_order": leading,
        }

    names = {
        "error": _ERROR,
        "signal_to_noise": _RATIO,
        "leading_order": "leading order of the error for small errors",
    }
    grid = common_grid(n_neurons=n_neurons, n_patterns=n_patterns, interaction=interaction)
    return evaluated(
        grid, errors, names, _title(rectified, normalisation, "asymptotic"), **_about()
    )


def largest_number(n_neurons, interaction, bit_error, rectified=False, normalisation="full"):
    """K_max, the number of patterns at which the error from a pattern reaches a given value.

        K_max = N^(n-1)/(t^2 c),  t = -Phi^{-1}(bit_error)  (c as for `dense_asymptotic`);
        at finite N with the exact variance, K_max - 1 = a^2/(t^2 <g^2>)

    Args:
        n_neurons, interaction: as for `dense_exact`.
        bit_error: the error accepted, a number, a 1-D array or a DataArray, in (0, 1/2).
        rectified, normalisation: as for `dense_exact`.

    Returns:
        xarray.Dataset on the grid (n_neurons, interaction, bit_error) with `asymptotic` and
        `finite_size`, both real numbers.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Krotov, Hopfield 2016.
    """
    _refuse_normalisation(rectified, normalisation)

    def numbers(N, n, error):
        squared = ndtri(error) ** 2
        finite = np.empty(N.size)
        for place, (size, order) in enumerate(zip(N.astype(int), n.astype(int), strict=True)):
            field = increments(int(size), int(order), rectified, normalisation)
            finite[place] = field.values[0] ** 2 / field.variance
        asymptotic = np.exp(_log_capacity(N, n, rectified, normalisation)) / squared
        return {"asymptotic": asymptotic, "finite_size": 1 + finite / squared}

    names = {
        "asymptotic": "number of patterns at that error, leading order in N",
        "finite_size": "number of patterns at that error, Gaussian noise of the exact variance",
    }
    grid = common_grid(n_neurons=n_neurons, interaction=interaction, bit_error=bit_error)
    return evaluated(grid, numbers, names, _title(rectified, normalisation, "capacity"), **_about())


def without_errors(n_neurons, interaction, rectified=False, normalisation="full"):
    """The number of patterns up to which no neuron at all is wrong, to leading order in N.

        one pattern:   K = N^(n-1)/(2 c ln N);     all:   K = N^(n-1)/(2 n c ln N)

    Args, Raises: as `largest_number`.

    Returns:
        xarray.Dataset on the grid (n_neurons, interaction) with `one_pattern`, `all_patterns`.
        At n = 2: N/(2 ln N) and N/(4 ln N).

    Source: McEliece et al. 1987 (n = 2); Krotov, Hopfield 2016.
    """
    _refuse_normalisation(rectified, normalisation)

    def numbers(N, n):
        with np.errstate(divide="ignore"):  # a single neuron has no error at any K
            one = np.exp(_log_capacity(N, n, rectified, normalisation)) / (2 * np.log(N))
        return {"one_pattern": one, "all_patterns": one / n}

    names = {
        "one_pattern": "number of patterns with one of them free of errors",
        "all_patterns": "number of patterns with all of them free of errors",
    }
    grid = common_grid(n_neurons=n_neurons, interaction=interaction)
    title = _title(rectified, normalisation, "capacity without errors")
    return evaluated(grid, numbers, names, title, **_about())


def _log_capacity(N, n, rectified, normalisation):
    """ln of K times the squared ratio of signal to noise, N^(n-1)/c."""
    if normalisation == "distinct":
        log_crosstalk = gammaln(n)
    else:
        # (2n-3)!! = 2^(n-1) Gamma(n - 1/2)/sqrt(pi)
        log_crosstalk = (n - 1) * np.log(2) + gammaln(n - 0.5) - np.log(np.pi) / 2
        log_crosstalk -= np.log(2) if rectified else 0
    return (n - 1) * np.log(N) - log_crosstalk


def _refuse_normalisation(rectified, normalisation):
    if normalisation not in _NORMALISATIONS:
        raise ValueError(f"normalisation = {normalisation!r}; it must be one of {_NORMALISATIONS}")
    if rectified and normalisation == "distinct":
        raise ValueError("rectified is for normalisation = 'full' only")


def _refuse_more_flipped(N, flipped):
    more = flipped > N
    if more.any():
        raise ValueError(
            f"n_flipped = {flipped[more][0]:g} is more than n_neurons = {N[more][0]:g}"
        )


def _title(rectified, normalisation, form):
    kind = "rectified" if rectified else "all indices" if normalisation == "full" else "distinct"
    return f"first update of a dense network ({kind}), {form}"


def _about():
    convention = "E = -sum_mu F(sum_i xi_i^mu s_i), F(x) = x^n or its distinct-index form"
    return {"convention": convention, "source": _SOURCE}
