"""The glass of P-body networks against one step of replica symmetry breaking; free energies by
integration.

Stores of `experiments.dense_glass`: "glass", with the dims (n_neurons, realisation) and, inside,
temperature, pair of neighbouring temperatures and bin of q12; paramagnets with (n_neurons,
realisation, temperature).
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats
from scipy.interpolate import CubicSpline

from analysis import comparison
from hopfield_sim import statistics
from hopfield_sim.theory import decomposition, dense, dense_glass

CLOSE = 0.85
"""Above this share of T_K the laws of `limits` are not trusted."""


def theory(interaction: int, reduced_load: float, temperature: np.ndarray) -> xr.Dataset:
    """What 1RSB predicts: below T_K two peaks, P(q) = x delta(q) + (1 - x) delta(q - q1).

    Returns, each (temperature,): `energy`; `q_moment_1` = (1 - x) q1, `q_moment_2` = (1 - x) q1^2;
    q1, x; `logarithm`, the slope d(1/2x)/d(1/T) of `limits`. Above T_K the paramagnet: energy
    -ahat/(P T), moments 0, x = 1, q1 and logarithm NaN.
    """
    T = np.asarray(temperature, float)
    alpha = float(dense.load(interaction, reduced_load))
    frozen = T < _T_K(interaction, reduced_load)

    def glass(at: np.ndarray) -> xr.Dataset:
        """The one-step glass at some temperatures, along `temperature`."""
        return dense_glass.glass(interaction, alpha, at).squeeze(drop=True).reset_coords(drop=True)

    here = glass(T).where(xr.DataArray(frozen, dims="temperature"))
    width = 1e-4
    up, down = (1 / (2 * glass(1 / (1 / T + s * width)).x.values) for s in (1, -1))
    x = here.x.fillna(1.0)
    return xr.Dataset(
        {
            "energy": here.energy.fillna(-reduced_load / (interaction * here.temperature)),
            "q_moment_1": ((1 - x) * here.q1).fillna(0.0),
            "q_moment_2": ((1 - x) * here.q1**2).fillna(0.0),
            "q1": here.q1,
            "x": x,
            "logarithm": ("temperature", np.where(frozen, (up - down) / (2 * width), np.nan)),
        }
    ).assign_coords(temperature=T)


def _T_K(interaction: int, reduced_load: float) -> float:
    """The static transition, units of J."""
    return float(dense_glass.transitions(interaction).T_K) * reduced_load**0.5


def settled(found: xr.Dataset) -> xr.DataArray:
    """Whether a temperature counts as equilibrated: bool (n_neurons, temperature).

    `statistics.equilibration` flags two or three of a hundred chains that are; so many realisations
    may be flagged as 3 % give with probability 0.99 (3 of 16).
    """
    flagged = (~found.equilibrated).sum("realisation")
    return flagged <= stats.binom.ppf(0.99, found.sizes["realisation"], 0.03)


def limits(found: xr.Dataset, interaction: int, reduced_load: float) -> xr.Dataset:
    """Energies and moments of q12 for N -> infinity below T_K, and the ground state.

        T < T_K:  u(N) = u_inf + [d(1/2x)/d(1/T)] ln N / N + a/N,   <q^k>: y_inf + a/N
        T = 0:    e(N) = e_inf + ln N / (2 u N) + a/N

    by least squares, the same for every realisation, so that realisations give the error. The
    logarithm is that of extremes: the lowest of exp(N Sigma(e)) / sqrt(N) independent states, Sigma
    of slope u at the ground state, lies ln N / 2u above N e_inf (random energies: Derrida 1981;
    proven for the spherical P-spin glass: Subag, Zeitouni, Commun. Pure Appl. Math. 70 (2017)
    1672); at T > 0, u/T is the breakpoint x of 1RSB, so that f has (T/2x) ln N / N.

    Returns `energy`, `q_moment_1`, `q_moment_2` (realisation, temperature), NaN where no law is
    trusted (`CLOSE`, and above T_d); `ground` (realisation,) and, with other laws for comparison,
    `ground_line` (a/N alone) and `ground_power` (a N^(-2/3)).
    """
    predicted = theory(interaction, reduced_load, found.temperature.values)
    N = found.n_neurons.astype(float)
    cold = found.temperature < CLOSE * _T_K(interaction, reduced_load)
    shifted = found.energy - predicted.logarithm * np.log(N) / N
    result = {"energy": constant(shifted, (1,)).where(cold)}
    for name in ("q_moment_1", "q_moment_2"):
        result[name] = constant(found[name], (1,)).where(cold)
    for name, values in result.items():
        result[name] = values.assign_attrs(found[name].attrs)
    u = float(dense_glass.transitions(interaction).u) / reduced_load**0.5
    lowest = found.lowest_energy
    grounds = {
        "ground": constant(lowest - np.log(N) / (2 * u * N), (1,)),
        "ground_line": constant(lowest, (1,)),
        "ground_power": constant(lowest, (2 / 3,)),
    }
    described = {"long_name": "Energy per neuron of the ground state, N -> infinity", "units": "J"}
    result |= {name: values.assign_attrs(described) for name, values in grounds.items()}
    return xr.Dataset(result)


def constant(values: xr.DataArray, powers: tuple[float, ...]) -> xr.DataArray:
    """The constant of a least-squares fit with these powers of 1/N, for each realisation.

    A linear combination of the sizes, the same everywhere; NaN where a size is.
    """
    N = values.n_neurons.values.astype(float)
    design = np.stack([N**-p for p in (0.0, *powers)], axis=1)
    share = xr.DataArray(np.linalg.pinv(design)[0], dims="n_neurons")
    found = (values.drop_vars("n_neurons") * share).sum("n_neurons", skipna=False)
    return found.transpose("realisation", ...)


def free_energy(found: xr.Dataset, interaction: int, reduced_load: float) -> xr.Dataset:
    """-f/T - ln 2 of a paramagnet by integration, over what the Ising glass of P spins alone has.

        -f/T = ln 2 - integral_0^(1/T) u db,   alone: -f/T - ln 2 = ahat / (2 P T^2)

    u = 0 at 1/T = 0, exactly; a cubic spline in 1/T. Energies are extrapolated by 1/N and 1/N^2.
    For P > 2 these corrections are large: energies of patterns are far from Gaussian. With F =
    He_3(S/sqrt(N)), whose fourth moment is 93 times its squared variance, the fourth cumulant of H
    is 20 at P = 3 and ahat = 1, and shifts u by -3.3/(N T^3); further cumulants shift it more.

    found: `energy` (n_neurons, realisation, temperature). Returns `energy`, `ratio` (realisation,
    temperature) and `theory` (temperature,): 1 for P > 2, and for P = 2 with the spherical part of
    `theory.decomposition`.
    """
    u = constant(found.energy, (1, 2)).sortby("temperature", ascending=False)
    T = u.temperature.values
    beta = np.append(0.0, 1 / T)
    values = np.concatenate([np.zeros((u.sizes["realisation"], 1)), u.values], axis=1)
    pressure = -CubicSpline(beta, values, axis=1).antiderivative()(beta[1:])
    alone = reduced_load / (2 * interaction * T**2)
    alpha = float(dense.load(interaction, reduced_load))
    expected = decomposition.ising_alone(interaction, alpha, T).squeeze(drop=True)
    ratio = u.copy(data=pressure / alone)
    return xr.Dataset(
        {
            "energy": u.assign_attrs(long_name="Energy per neuron for N -> infinity", units="J"),
            "ratio": ratio.assign_attrs(
                long_name="-f/T - ln 2 over that of the glass of P spins alone", units="1"
            ),
            "theory": ("temperature", 1 - expected.difference.values / T / alone),
        }
    )


def table(found: xr.Dataset, at: xr.Dataset, interaction: int, reduced_load: float) -> str:
    """One line a temperature: energy and moments, largest size and N -> infinity, against 1RSB."""
    expected = theory(interaction, reduced_load, found.temperature.values)
    good = settled(found).sum("n_neurons")
    n_neurons = int(found.n_neurons[-1])
    names = {"energy": "u", "q_moment_1": "<q>", "q_moment_2": "<q^2>"}
    columns = "".join(
        f"{name:>7}, N = {n_neurons:<5} N -> infinity     1RSB  " for name in names.values()
    )
    lines = [
        f"P = {interaction}, against one step of breaking; above T_K, the paramagnet",
        f"      T  {columns}equilibrated sizes",
    ]
    largest = {name: statistics.disorder(found[name].isel(n_neurons=-1)) for name in names}
    mean = {name: statistics.disorder(at[name]) for name in names}
    for k, T in enumerate(found.temperature.values):
        parts = [f"{T:7.4g}"]
        for name in names:
            here, limit = (one[name].isel(temperature=k) for one in (largest, mean))
            inside = f"{float(limit['mean']):7.4f} ± {float(limit.error):.4f}"
            parts.append(
                f"{float(here['mean']):7.4f} ± {float(here.error):.4f} "
                f"{inside if limit.n else '–':>16} {float(expected[name][k]):7.4f}"
            )
        parts.append(f"{int(good[k])} / {found.sizes['n_neurons']}")
        lines.append("  ".join(parts))
    return "\n".join(lines)


def size_table(found: xr.Dataset) -> str:
    """One line a size: ground states, exchange, how much had equilibrated."""
    lines = ["     N  lowest energy      seen by all  exchange rate  trips  equilibrated"]
    for k, n_neurons in enumerate(found.n_neurons.values):
        one = found.isel(n_neurons=k)
        e = statistics.disorder(one.lowest_energy)
        rates = one.exchange_rate.mean("realisation")
        lines.append(
            f"{n_neurons:6d}  {float(e['mean']):.4f} ± {float(e['error']):.4f}  "
            f"{int((one.found_by == one.found_by.max()).sum()):5d} / {one.sizes['realisation']}  "
            f"  {float(rates.min()):.2f} - {float(rates.max()):.2f}  "
            f"{float(one.round_trips.mean()):5.1f}  "
            f"{int(one.equilibrated.sum())} / {one.equilibrated.size}"
        )
    return "\n".join(lines)


def ground_line(at: xr.Dataset, interaction: int, reduced_load: float) -> str:
    """The ground state for N -> infinity by three laws, against 1RSB."""
    expected = float(dense_glass.transitions(interaction).energy) * reduced_load**0.5
    parts = []
    for name, law in (("ground", "ln N / 2uN + a/N"), ("ground_line", "a/N"),
                      ("ground_power", "a N^(-2/3)")):  # fmt: skip
        one = statistics.disorder(at[name])
        parts.append(f"{float(one['mean']):.4f} ± {float(one['error']):.4f} ({law})")
    return f"ground state, N -> infinity: {', '.join(parts)}; 1RSB {expected:.6f}"


def verdicts(
    found: xr.Dataset, at: xr.Dataset, ratios: dict, interaction: int, reduced_load: float
) -> list[str]:
    """The verdict lines. found: the glass; at: from `limits`; ratios: P -> from `free_energy`."""
    expected = theory(interaction, reduced_load, found.temperature.values)
    reasons = {
        "above T_K or close to it": found.temperature >= CLOSE * _T_K(interaction, reduced_load),
        "not equilibrated": ~settled(found).all("n_neurons"),
    }

    def judged(name: str, values: xr.DataArray, theory: xr.DataArray, reasons=None) -> str:
        """One line; all temperatures have the same patterns and make one column."""
        scores = comparison.z_scores(values, theory).assign_coords(reduced_load=reduced_load)
        return f"{name}: {comparison.verdict(scores, columns='reduced_load', reasons=reasons)}"

    lines = [
        judged(f"{text} below T_K, N -> infinity, against 1RSB", at[name], expected[name], reasons)
        for name, text in (("energy", "energy"), ("q_moment_1", "<q>"), ("q_moment_2", "<q^2>"))
    ]
    e0 = float(dense_glass.transitions(interaction).energy) * reduced_load**0.5
    ground, largest = (
        comparison.z_scores(e, xr.DataArray(e0))
        for e in (at.ground, found.lowest_energy.isel(n_neurons=-1))
    )
    lines.append(
        f"ground state, N -> infinity, against 1RSB: {float(ground['mean']):.4f} ± "
        f"{float(ground.error):.4f}, theory {e0:.4f}, z = {float(ground.z):.2f}; N = "
        f"{int(found.n_neurons[-1])} by itself: {float(largest['mean']):.4f} ± "
        f"{float(largest.error):.4f}, z = {float(largest.z):.1f}: what agrees is the limit, and "
        f"that is known to {100 * abs(float(ground.error) / e0):.0f} % only"
    )
    for P, ratio in ratios.items():
        what = "SK plus spherical glass" if P == 2 else f"the glass of {P} spins alone"
        name = f"free energy of the paramagnet, P = {P}, N -> infinity, against"
        lines.append(judged(f"{name} {what}", ratio.ratio, ratio.theory))
        if P == 2:
            lines.append(judged(f"{name} SK glass alone", ratio.ratio, 0 * ratio.theory + 1))
    return lines
