"""Learning from examples: what theory says of the cells of a study, and which of them can test it.

A Dataset `found` has the dims of its sweep and the coordinates rule, interaction, n_neurons (two
sizes), alpha, temperature, quality and n_examples, scalars where they do not vary. Couplings of
both rules are divided by G^(P/2) ("variance" of `theory.examples`).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis import comparison
from hopfield_sim.theory import examples

COUPLINGS = "variance"
OVERLAP = 0.9
"""The overlap from which on an archetype counts as learned, for the thresholds M_c."""

MARGINS = {2: 0.8, 3: 0.6, 4: 0.5}
"""Shares of the spinodal load, and of the spinodal temperature at the same load, up to which cells
are compared with theory, by P (4 and beyond).

Nearer to the end of retrieval fluctuations of the pattern sets move the end itself by as much,
barriers are low (replicas leave), and the correction to m is not of order 1/N at these sizes. The
dense networks are those of few neurons."""

FEWEST_ARCHETYPES = 20
"""Archetypes of the smaller network below which K is not large as the theory assumes."""

FEWEST_WRONG = 10
"""Neurons that are wrong, in all realisations of the smaller network; below, m is a count of rare
events, not Gaussian."""

EQUILIBRATED = 7 / 8
"""Share of realisations that must pass `statistics.equilibration`: of chains long enough 3 % fail
it, so that more than 2 of 16 do with probability 0.01. The same share of replicas must have stayed;
m is that of those, and the tables tell how many left."""


def extrapolated(values: xr.DataArray) -> xr.DataArray:
    """x(infinity) = (N2 x(N2) - N1 x(N1)) / (N2 - N1) of each realisation: x has a term 1/N.

    values: `(..., n_neurons)`, two sizes. Returns the same without n_neurons.
    """
    small, large = values.n_neurons.values
    weight = xr.DataArray(np.array([-small, large]) / (large - small), dims="n_neurons")
    limit = (values.drop_vars("n_neurons") * weight).sum("n_neurons", skipna=False)
    return limit.assign_attrs(values.attrs)


def predicted(found: xr.Dataset) -> xr.Dataset:
    """Theory on the cells of `found`: m, loss, the largest loads alpha_M at T and T / margin.

    `on_example`: whether single examples hold the network (bool, see `_held_by_examples`).

    loss = 1 - (example_overlap)^P for both rules: in the state of the archetype all examples have
    the same overlap, that of their average. NaN where there is no such state.
    """
    names = ("alpha", "temperature", "quality", "n_examples", "interaction")
    grid = {name: found[name].reset_coords(drop=True) for name in names}
    each = []
    for rule in np.atleast_1d(found.rule.values):
        words = {"rule": str(rule), "couplings": COUPLINGS}
        state = examples.retrieval(*grid.values(), **words)
        load = [grid[name] for name in names if name != "alpha"]
        hotter = [grid["temperature"] / _margin(found), *load[1:]]
        values = {
            "m": state.m,
            "loss": 1 - state.example_overlap ** grid["interaction"],
            "alpha_M": examples.spinodal_load(*load, **words).alpha,
            "alpha_M_hotter": examples.spinodal_load(*hotter, **words).alpha,
            "on_example": _held_by_examples(str(rule), grid),
        }
        values["alpha_M_hotter"] = values["alpha_M_hotter"].assign_coords(
            temperature=values["alpha_M"].temperature
        )
        # without the coordinates that say the same thing once more
        each.append(xr.Dataset({k: v.reset_coords(drop=True) for k, v in values.items()}))
    if "rule" in found.dims:
        return xr.concat(each, found.rule)
    return each[0]


def _margin(found: xr.Dataset) -> float:
    return MARGINS.get(int(found.interaction), MARGINS[4])


def _held_by_examples(rule: str, grid: dict[str, xr.DataArray]) -> xr.DataArray:
    """Whether states on one of several examples are stable at T = 0, for the grid of `predicted`.

    Networks leave even the archetype for them. Only the unsupervised rule with P >= 3 has them.
    """
    grid = {name: grid[name] for name in ("alpha", "quality", "n_examples", "interaction")}
    several = grid["n_examples"] > 1
    if rule == "supervised" or int(grid["interaction"]) == 2:
        return several & False
    return several & (examples.example_state(*grid.values()).retained > 0)


def left_out(found: xr.Dataset, theory: xr.Dataset, n_replicas: int) -> dict[str, xr.DataArray]:
    """The cells that cannot test the theory, by reason: name -> bool, without n_neurons.

    n_replicas: of each cell and realisation.
    """
    P, margin = int(found.interaction), _margin(found)
    smaller = int(found.n_neurons.min())
    wrong = smaller * found.sizes["realisation"] * (1 - theory.m) / 2
    gone = found.n_left.mean("realisation") / n_replicas
    equilibrated = found.equilibrated.mean("realisation") >= EQUILIBRATED
    n_archetypes = found.alpha * smaller ** (P - 1.0)
    masks = {
        "without a retrieval state in theory": theory.m.isnull(),
        "where states on one example are stable": theory.on_example,
        f"beyond {margin} of the spinodal load": found.alpha > margin * theory.alpha_M,
        f"beyond {margin} of the spinodal temperature": ~(found.alpha <= theory.alpha_M_hotter),
        f"with fewer than {FEWEST_ARCHETYPES} archetypes": n_archetypes < FEWEST_ARCHETYPES - 0.5,
        f"with fewer than {FEWEST_WRONG} wrong neurons in all": wrong < FEWEST_WRONG,
        "from which more than 1/8 of the replicas left": (gone > 1 - EQUILIBRATED).any("n_neurons"),
        "not equilibrated": ~equilibrated.all("n_neurons"),
    }
    cells = theory.m
    return {
        name: mask.broadcast_like(cells).reset_coords(drop=True) for name, mask in masks.items()
    }


def compared(found: xr.Dataset, theory: xr.Dataset, name: str = "overlap") -> xr.Dataset:
    """`comparison.z_scores` of the limit of two sizes: name "overlap" (against m) or "loss"."""
    limit = extrapolated(found[name]).reset_coords(drop=True)
    return comparison.z_scores(limit, theory["m" if name == "overlap" else name])


def gap(
    found: xr.Dataset, theory: xr.Dataset, n_replicas: int
) -> tuple[xr.Dataset, dict[str, xr.DataArray]]:
    """m of the supervised minus m of the unsupervised network on the same examples, and theory.

    found: with the dim rule. Differences are taken realisation by realisation.
    Returns what `comparison.z_scores` says of them, and the reasons to leave cells out: those of
    either rule.
    """

    def between(values):
        one, other = (values.sel(rule=r, drop=True) for r in ("supervised", "unsupervised"))
        return (one - other).assign_attrs(values.attrs)

    limit = between(extrapolated(found.overlap)).reset_coords(drop=True)
    each = left_out(found, theory, n_replicas)
    reasons = {name: mask.any("rule") for name, mask in each.items()}
    return comparison.z_scores(limit, between(theory.m)), reasons


def thresholds(found: xr.Dataset, scores: xr.Dataset, temperature: float) -> xr.Dataset:
    """How many examples it takes to learn an archetype, m >= 0.9, at one temperature: (quality,).

    found: of one rule, over (quality, n_examples); scores: of its overlap. Returns `theory`, M_c;
    `above`, the simulated number from which on m is above 0.9, and `below`, the largest at which m
    is below 0.9 (or the state lost), both by two standard errors; NaN where there is none.
    """
    needed = examples.examples_needed(
        found.alpha.reset_coords(drop=True),
        temperature,
        found.quality.reset_coords(drop=True),
        OVERLAP,
        found.interaction.reset_coords(drop=True),
        rule=str(found.rule.values),
        couplings=COUPLINGS,
    )
    one = scores.sel(temperature=temperature).transpose("quality", "n_examples")
    learned = (one["mean"] - 2 * one["error"] >= OVERLAP).values
    missed = ~(one["mean"] + 2 * one["error"] >= OVERLAP).values
    M = found.n_examples.values
    above, below = np.full((2, found.sizes["quality"]), np.nan)
    for k in range(len(above)):
        first = int(np.max(np.flatnonzero(~learned[k]), initial=-1)) + 1
        above[k] = M[first] if first < M.size else np.nan
        below[k] = np.max(M[missed[k]], initial=0) or np.nan
    theory = needed.n_examples.squeeze(drop=True).broadcast_like(found.quality)
    return xr.Dataset(
        {
            "theory": theory.drop_attrs().assign_attrs(long_name="M_c in theory", units="1"),
            "above": ("quality", above, {"long_name": "smallest M learned", "units": "1"}),
            "below": ("quality", below, {"long_name": "largest M not learned", "units": "1"}),
        },
        coords={"quality": found.quality.values},
    )


def threshold_table(limits: xr.Dataset, rule: str, interaction: int) -> str:
    """M_c of `thresholds` as lines of text, with the power of r that it should follow."""
    power = 2 if rule == "supervised" or interaction == 2 else 2 * interaction
    lines = [f"P = {interaction}, {rule}: examples needed for m >= {OVERLAP}"]
    for r in limits.quality.values:
        one = limits.sel(quality=r)
        low, high, theory = (float(one[name]) for name in ("below", "above", "theory"))
        inside = " < ".join(
            text
            for text, number in ((f"{low:.0f}", low), ("M_c", 0), (f"{high:.0f}", high))
            if not np.isnan(number)
        )
        lines.append(
            f"  r = {r:g}: simulated {inside}; theory M_c = {theory:.0f}, "
            f"M_c r^2 = {theory * r**2:.2f}"
            + f", M_c r^{power} = {theory * r**power:.2f}"
            * (power > 2)
        )
    return "\n".join(lines)
