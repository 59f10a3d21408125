"""The glass of P-body networks against one step of replica symmetry breaking; free energies by
integration.

Stores of `experiments.dense_glass`: "glass", with the dims (n_neurons, realisation) and, inside,
temperature, pair of neighbouring temperatures and bin of q12; paramagnets with (n_neurons,
realisation, temperature).
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.interpolate import CubicSpline

from analysis import comparison
from hopfield_sim import statistics
from hopfield_sim.theory import decomposition, dense, dense_glass

CLOSE = 0.15
"""Between T_K (1 - this) and T_d (1 + this) the laws of `limits` are not trusted."""


def theory(interaction: int, reduced_load: float, temperature: np.ndarray) -> xr.Dataset:
    """What 1RSB predicts: below T_K two peaks, P(q) = x delta(q) + (1 - x) delta(q - q1).

    Returns, each (temperature,): `energy`; `q_moment_1` = (1 - x) q1, `q_moment_2` = (1 - x) q1^2;
    q1, x; `logarithm`, the slope d(1/2x)/d(1/T) of `limits`. Above T_K the paramagnet: energy
    -ahat/(P T), moments 0, x = 1, q1 and logarithm NaN.
    """
    T = np.asarray(temperature, float)
    alpha = float(dense.load(interaction, reduced_load))
    frozen = _below(interaction, reduced_load, T)

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


def _below(interaction: int, reduced_load: float, T: np.ndarray) -> np.ndarray:
    """Whether T is below T_K."""
    return float(dense_glass.transitions(interaction).T_K) * reduced_load**0.5 > T


def close(interaction: int, reduced_load: float, temperature: xr.DataArray) -> xr.DataArray:
    """Whether a temperature is too close to the transitions for the laws of `limits`."""
    of = dense_glass.transitions(interaction)
    low, high = (float(of[name]) * reduced_load**0.5 for name in ("T_K", "T_d"))
    return (temperature > (1 - CLOSE) * low) & (temperature < (1 + CLOSE) * high)


def limits(found: xr.Dataset, interaction: int, reduced_load: float) -> xr.Dataset:
    """Energies and moments of q12 for N -> infinity, and the ground state.

        above T_d:  y(N) = y_inf + a/N + b/N^2
        below T_K:  u(N) = u_inf + [d(1/2x)/d(1/T)] ln N / N + a/N,   <q^k>: y_inf + a/N
        T = 0:      e(N) = e_inf + ln N / (2 u N) + a/N

    by least squares, the same for every realisation, so that realisations give the error. The
    logarithm is that of extremes: the lowest of exp(N Sigma(e)) / sqrt(N) independent states, Sigma
    of slope u at the ground state, lies ln N / 2u above N e_inf (random energies: Derrida 1981;
    proven for the spherical P-spin glass: Subag, Zeitouni, Commun. Pure Appl. Math. 70 (2017)
    1672); at T > 0, u/T is the breakpoint x of 1RSB, so that f has (T/2x) ln N / N.

    Returns `energy`, `q_moment_1`, `q_moment_2` (realisation, temperature), `ground` (realisation,)
    and, with other laws for comparison, `ground_line` (a/N alone), `ground_power` (a N^(-2/3)).
    """
    predicted = theory(interaction, reduced_load, found.temperature.values)
    N = found.n_neurons.astype(float)
    frozen = xr.DataArray(
        _below(interaction, reduced_load, found.temperature.values), dims="temperature"
    )
    shifted = found.energy - predicted.logarithm * np.log(N) / N
    result = {"energy": constant(shifted, (1,)).where(frozen, constant(found.energy, (1, 2)))}
    for name in ("q_moment_1", "q_moment_2"):
        result[name] = constant(found[name], (1,)).where(frozen, constant(found[name], (1, 2)))
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
    return xr.Dataset(result, attrs={"interaction": interaction, "reduced_load": reduced_load})


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

    found: `energy` (n_neurons, realisation, temperature). Returns `ratio` (realisation,
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
            "ratio": ratio.assign_attrs(
                long_name="-f/T - ln 2 over that of the glass of P spins alone", units="1"
            ),
            "theory": ("temperature", 1 - expected.difference.values / T / alone),
        }
    )


def table(found: xr.Dataset, at: xr.Dataset, interaction: int, reduced_load: float) -> str:
    """One line a temperature: energy and moments of N -> infinity against 1RSB."""
    expected = theory(interaction, reduced_load, found.temperature.values)
    good = found.equilibrated.all("realisation").sum("n_neurons")
    near = close(interaction, reduced_load, found.temperature)
    lines = [
        f"P = {interaction}, N -> infinity, and 1RSB (below T_K, the paramagnet above)",
        "     T        u              u_1RSB       <q>           1RSB      <q^2>          1RSB   "
        "sizes equilibrated",
    ]
    mean = {name: statistics.disorder(at[name]) for name in ("energy", "q_moment_1", "q_moment_2")}
    for k, T in enumerate(found.temperature.values):
        parts = [f"{T:7.4g}"]
        for name, one in mean.items():
            value, error = (float(one[key].isel(temperature=k)) for key in ("mean", "error"))
            parts.append(f"{value:7.4f} ± {error:.4f}  {float(expected[name][k]):7.4f}")
        parts.append(f"{int(good[k])} / {found.sizes['n_neurons']}" + "  (close)" * bool(near[k]))
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


def verdicts(found: dict, at: xr.Dataset, ratios: dict, interaction: int, reduced_load: float):
    """The verdict lines. found: the stores; at: from `limits`; ratios: from `free_energy`."""
    glass = found["glass"]
    expected = theory(interaction, reduced_load, glass.temperature.values)
    bad = ~glass.equilibrated.all(("realisation", "n_neurons"))
    near = close(interaction, reduced_load, glass.temperature)
    frozen = xr.DataArray(
        _below(interaction, reduced_load, glass.temperature.values), dims="temperature"
    )
    lines = []
    for name, text in (("energy", "energy"), ("q_moment_1", "<q>"), ("q_moment_2", "<q^2>")):
        scores = comparison.z_scores(at[name], expected[name]).assign_coords(reduced_load=1.0)
        for side, keep, what in (
            ("above T_d", ~frozen, "paramagnet"),
            ("below T_K", frozen, "1RSB"),
        ):
            reasons = {
                f"not {side}": ~keep,
                "close to the transition": near,
                "not equilibrated": bad,
            }
            verdict = comparison.verdict(scores, columns="reduced_load", reasons=reasons)
            lines.append(f"{text} {side}, N -> infinity, against {what}: {verdict}")
    e0 = float(dense_glass.transitions(interaction).energy) * reduced_load**0.5
    ground = comparison.z_scores(at.ground, xr.DataArray(e0))
    lines.append(
        f"ground state, N -> infinity, against 1RSB: {float(ground['mean']):.4f} ± "
        f"{float(ground.error):.4f}, theory {e0:.4f}, z = {float(ground.z):.2f}"
    )
    for P, ratio in ratios.items():
        scores = comparison.z_scores(ratio.ratio, ratio.theory).assign_coords(reduced_load=1.0)
        verdict = comparison.verdict(scores, columns="reduced_load")
        what = "SK plus spherical glass" if P == 2 else f"glass of {P} spins alone"
        lines.append(f"free energy of the paramagnet, P = {P}, against {what}: {verdict}")
        if P == 2:
            alone = comparison.z_scores(ratio.ratio, 0 * ratio.theory + 1)
            verdict = comparison.verdict(
                alone.assign_coords(reduced_load=1.0), columns="reduced_load"
            )
            lines.append(f"the same against the SK glass of that temperature alone: {verdict}")
    return lines
