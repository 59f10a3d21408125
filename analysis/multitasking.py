"""Multitasking networks: simulation against mean field, thresholds of learning, and the figure's
numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from analysis import comparison
from hopfield_sim.theory import multitasking

SMALLEST = 10
"""Amplitudes below this many times 1/sqrt(N) are not told from zero, as |m_k| has no sign."""
SOFTEST = 0.1
"""States of a smaller curvature, in units of that of free spins, amplify what differs between one
set of patterns and the next by more than 1/SOFTEST."""
MOVING = 4
"""A drift of so many standard errors over the realisations, and above 1e-3, is one."""


class Result(NamedTuple):
    """One part against theory: `comparison.z_scores` of the amplitudes at infinite size, the cells
    left out by reason, the `comparison.Verdict`."""

    scores: xr.Dataset
    reasons: dict[str, xr.DataArray]
    verdict: comparison.Verdict


def infinite(found: xr.DataArray) -> xr.DataArray:
    """Two sizes extrapolated, m = (N' m(N') - N m(N))/(N' - N), realisation by realisation.

    Removes a term of order 1/N. found: (..., n_neurons), of two sizes. The realisations of the two
    are independent, so pairing them is as good as any other way to find the error.
    """
    if found.sizes["n_neurons"] != 2:
        raise ValueError(f"two sizes are needed, not {found.n_neurons.values}")
    small, large = found.n_neurons.values
    at = found.isel(n_neurons=1, drop=True) * large - found.isel(n_neurons=0, drop=True) * small
    return (at / (large - small)).assign_attrs(found.attrs)


def results(found: dict, quality: float, temperature: float) -> dict[str, Result]:
    """The three parts with error bars against theory: name -> `Result`.

    found: name -> Dataset of the experiment. quality, temperature: of the part "learning".
    """
    return {
        "amplitudes": _compared(found["amplitudes"], *_stored(found["amplitudes"]), "dilution"),
        "dense": _compared(found["dense"], *_quenched(found["dense"]), "dilution"),
        "learning": _compared(
            found["learning"],
            *_learned(found["learning"], quality, temperature),
            ("dilution", "n_examples"),
        ),
    }


def from_start(n_patterns: int, dilution, temperature, start: str) -> xr.Dataset:
    """The states that the mean field reaches from one of the two starts, on the grid (d, T)."""
    if start == "hierarchical":
        return multitasking.retrieval(n_patterns, dilution, temperature)
    overlaps = multitasking.majority(n_patterns, dilution).m
    each = [
        multitasking.condensed(begin.values, [float(begin.dilution)], temperature)
        for begin in overlaps.transpose("dilution", "pattern")
    ]
    return xr.concat(each, dim="dilution")


def _stored(found):
    n, d, T = found.sizes["pattern"], found.dilution.values, found.temperature.values
    states = [from_start(n, d, T, str(start)) for start in found.start.values]
    states = xr.concat(states, dim=xr.Variable("start", found.start.values))
    soft = states.overlap_stability < SOFTEST
    return states.m, {"near the end of a state": soft}


def _quenched(found):
    n, d, p = found.sizes["pattern"], found.dilution.values, found.interaction.values
    states = multitasking.retrieval(n, d, 0.0, p).reset_coords("temperature", drop=True)
    closed = multitasking.hierarchical(n, d, p)
    # The smallest field differs by some 1/sqrt(N) between one set of patterns and the next.
    uncertain = closed.smallest_field * np.sqrt(int(found.n_neurons.min())) < SMALLEST / 2
    return states.m, {"not hierarchical, or nearly": uncertain}


def _learned(found, quality, temperature):
    n, d, M = found.sizes["pattern"], found.dilution.values, found.n_examples.values
    states = xr.concat(
        [
            multitasking.learned(n, d, temperature, quality, M, rule=str(rule))
            for rule in found.rule.values
        ],
        dim=xr.Variable("rule", found.rule.values),
    ).drop_vars(["temperature", "quality", "interaction"])
    soft = (states.overlap_stability < SOFTEST) | (states.example_stability < SOFTEST)
    return states.m, {"near a change of the state": soft}


def _compared(found, predicted, reasons, columns) -> Result:
    predicted = predicted.drop_vars("branch", errors="ignore")
    reasons = {name: mask.drop_vars("branch", errors="ignore") for name, mask in reasons.items()}
    scores = comparison.z_scores(infinite(found.amplitude), predicted)
    computed = scores.n > 0
    scores["predicted"] = scores.predicted.where(computed)
    moving = comparison.z_scores(found.drift, xr.zeros_like(found.drift.isel(realisation=0)))
    moving = (np.abs(moving.t) > MOVING) & (np.abs(moving["mean"]) > 1e-3)
    reasons = {
        **reasons,
        "still moving": moving.any(("n_neurons", "pattern")),
        f"of an amplitude below {SMALLEST}/sqrt(N)": predicted
        < SMALLEST / np.sqrt(int(found.n_neurons.min())),
    }
    reasons = {
        name: (mask.broadcast_like(scores.z).transpose(*scores.z.dims) & computed).drop_vars(
            set(mask.coords) - set(scores.z.coords)
        )
        for name, mask in reasons.items()
    }
    include = computed.drop_vars(set(computed.coords) - set(scores.z.coords))
    judged = scores.where(include)
    verdict = comparison.verdict(judged, include, columns, reasons)
    verdict.left_out.pop("not included", None)
    return Result(scores, reasons, verdict)


def beyond(result: Result) -> list[str]:
    """One line for each cell beyond 3 sigma."""
    lines = []
    for cell in result.verdict.beyond_3:
        place = {k: v for k, v in cell.items() if k != "z"}
        at = result.scores.sel({k: v for k, v in place.items() if k in result.scores.dims})
        where = ", ".join(
            f"{k} = {v:g}" if isinstance(v, float) else f"{k} = {v}" for k, v in place.items()
        )
        lines.append(
            f"{where}: {float(at['mean']):.5f} ± {float(at['error']):.5f}, theory "
            f"{float(at['predicted']):.5f}, z = {cell['z']:.2f}"
        )
    return lines


def ends(found: xr.Dataset) -> list[str]:
    """Up to which dilution dense networks stay in the hierarchical state, a line for each order."""
    n, size = found.sizes["pattern"], int(found.n_neurons[-1])
    stays = found.hierarchy.isel(n_neurons=-1) > 1 - 1e-9
    lines = []
    for p in found.interaction.values:
        share = stays.sel(interaction=p).mean("realisation")
        all_stay = found.dilution.values[(share == 1).values]
        all_leave = found.dilution.values[(share == 0).values]
        end = float(multitasking.hierarchical_dilution(n, int(p)).dilution)
        lines.append(
            f"p = {p}, N = {size}, T = 0: all networks stay hierarchical up to d = "
            f"{max(all_stay, default=np.nan):g}, all leave from "
            f"{min(all_leave, default=np.nan):g}; theory {end:.4f}"
        )
    return lines


def teacher(found: xr.Dataset) -> str:
    """Whether a teacher changes the amplitudes, in networks of the same archetypes and examples."""
    m = infinite(found.amplitude)
    difference = m.sel(rule="unsupervised") - m.sel(rule="supervised")
    difference = difference.dropna("dilution", how="all").drop_vars("rule", errors="ignore")
    difference = difference.assign_attrs(found.amplitude.attrs)
    scores = comparison.z_scores(
        difference, xr.zeros_like(difference.isel(realisation=0, drop=True))
    )
    largest = float(np.abs(scores["mean"]).max())
    verdict = comparison.verdict(scores, columns=("dilution", "n_examples"))
    return f"without a teacher minus with one: at most {largest:.4f} in m_k; {verdict}"


def crossing(hierarchy: xr.DataArray, overlap: float) -> xr.DataArray:
    """ln M at which the hierarchy, linear in ln M between its points, last rises above `overlap`.

    hierarchy: (..., n_examples), rising M. NaN where it does not.
    """
    M = np.log(hierarchy.n_examples.values.astype(float))
    values = hierarchy.transpose(..., "n_examples").values
    above = values >= overlap
    # the last interval that begins below and ends above
    rises = ~above[..., :-1] & above[..., 1:]
    last = rises.shape[-1] - 1 - rises[..., ::-1].argmax(axis=-1)
    low = np.take_along_axis(values, last[..., None], -1)[..., 0]
    high = np.take_along_axis(values, last[..., None] + 1, -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        at = M[last] + (M[last + 1] - M[last]) * (overlap - low) / (high - low)
    at = np.where(rises.any(axis=-1) & above[..., -1], at, np.nan)
    kept = hierarchy.isel(n_examples=0, drop=True).transpose(
        *[d for d in hierarchy.dims if d != "n_examples"]
    )
    return kept.copy(data=at)


def learned_at(found: xr.Dataset, quality: float, temperature: float, overlap: float) -> xr.Dataset:
    """ln M_c of the simulation (larger size) and of theory, by the same interpolation, as from
    `comparison.z_scores`."""
    n, d, M = found.sizes["pattern"], found.dilution.values, found.n_examples.values
    theory = multitasking.learned(n, d, temperature, quality, M).hierarchy
    theory = theory.drop_vars(["temperature", "quality", "interaction", "branch"])
    each = found.own_hierarchy.isel(n_neurons=-1, drop=True)
    # Of the mean curve, by the jackknife: the last crossing of a single noisy curve is biased.
    count = each.sizes["realisation"]
    without = crossing((each.sum("realisation", skipna=False) - each) / (count - 1), overlap)
    whole = crossing(each.mean("realisation", skipna=False), overlap)
    simulated = count * whole - (count - 1) * without
    simulated = simulated.where(simulated.notnull().all("realisation"))
    simulated.attrs = {"long_name": "ln M from which on the archetypes are learned", "units": "1"}
    return comparison.z_scores(simulated, crossing(theory, overlap))


def thresholds(found: xr.Dataset, quality: float, temperature: float, overlap: float) -> str:
    """A table of the numbers of examples from which on the archetypes are learned.

    The hierarchical state is that in the order and with the signs that the amplitudes have when
    they are measured. Against that of the start networks of finite N seem to need more than mean
    field says: in some of them a small amplitude has changed its sign, or its rank where two are
    nearly equal. At d = 0.1, M = 15 and N = 20 000 the overlap was 0.889(15) with the state of the
    start, 0.9395(6) with their own, 0.938 in theory.
    """
    scores = learned_at(found, quality, temperature, overlap)
    n, d = found.sizes["pattern"], found.dilution.values
    rho = (
        multitasking.tolerated_entropy(n, d, temperature, overlap).dataset_entropy.squeeze().values
    )
    step = (
        multitasking.one_step_examples(n, d, quality, (1 - overlap) / 2).n_examples.squeeze().values
    )
    factor = (1 - quality**2) / quality**2
    lines = [
        f"number of examples from which on the hierarchy is at least {overlap:g}, r = {quality:g}"
    ]
    lines.append(
        "     d  with a teacher    without       theory     z     z  many examples  one update"
    )
    for k, dilution in enumerate(d):
        at = scores.isel(dilution=k)
        texts = [f"{dilution:6g}"]
        for rule in ("supervised", "unsupervised"):
            mean, error = (float(at[v].sel(rule=rule)) for v in ("mean", "error"))
            texts.append(_number(np.exp(mean), np.exp(mean) * error).rjust(14))
        texts.append(_number(float(np.exp(at.predicted.isel(rule=0)))).rjust(9))
        texts += [
            _number(float(at.z.sel(rule=rule))).rjust(6) for rule in ("supervised", "unsupervised")
        ]
        texts += [_number(factor / rho[k]).rjust(12), _number(step[k]).rjust(11)]
        lines.append("  ".join(texts))
    lines.append(
        f"(N = {int(found.n_neurons[-1])}; the hierarchy in the order and with the signs that the "
        "amplitudes have taken)"
    )
    return "\n".join(lines)


def _number(value: float, error: float | None = None) -> str:
    if not np.isfinite(value):
        return "–"
    if error is None:
        return f"{value:.2f}"
    return f"{value:.2f} ± {error:.2f}"
