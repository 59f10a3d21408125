"""Unsupervised learning from examples, pairwise and dense: overlap and loss against RS theory.

Simulated: K = alpha N^(P-1) random archetypes, each seen in M noisy examples of quality r; the
network stores all K M examples side by side, nobody tells which belong together. Dynamics, starts,
sizes and the treatment of 1/N are those of `experiments.supervised`, and so are the first panels:
m against M, the map over (alpha, T), the loss of the examples against m, for P = 2 and P = 3.
Drawn as well: the gap between both rules, on the same archetypes and examples; and where a network
goes that starts at one of its examples instead of the archetype. Printed: m against theory, the
numbers of examples needed (of order r^-2 at P = 2, as with a teacher; r^-2P at high load of dense
networks), verdicts.

The loss. With the overlaps n_a = (1/N) sum_i eta_i^a s_i, in [-1, 1], of a state s with the M
examples of a class, L = 1 - (1/M) sum_a n_a^P is 0 where s agrees with all of them, and
H = -(N/(P g)) sum_mu (1 - L_mu), up to tuples in which a site comes twice, as in `supervised`. (At
P = 2, 1 - n_a^2 is the product of the quadratic losses |eta^a - s|^2/2N and |eta^a + s|^2/2N.) In
the state of an archetype all n_a are equal, and equal to the overlap with their average: L(m) has
the form of the supervised loss, and the rules differ in how far along it they get.

States on one example. Dense networks started at an example stay there while its own field outweighs
the bias of the others, at T = 0 crudely M < r^(1-2P): `theory.examples.example_state`. That is why
everything else here starts at the archetype; and even from there a network can reach them: with
three examples of r = 0.6 (P = 3) m is 0.62 where theory has 0.70 for the archetype, and the loss is
0.65, near the 0.64 of a state on one example, not the 0.75 of the archetype. Where such states are
stable the comparison leaves cells out. Near the M where theory loses them networks of a few hundred
neurons are divided; the comparison of the last panel leaves these out.

The map at P = 3 has few cells inside the margins, in five columns; its mean z^2 is 2.4 +- 1.0, and
1.8 +- 1.3 with 48 sets (`--map-realisations 48`). What is high is one column, alpha = 0.02, low at
all T by 2 standard errors: with 48 sets by 0.006(2) at N = 256, not at N = 128; at 0.01, 0.03 and
0.04 all cells are within 1.2. It is probably chance (one of four columns): with a teacher, 48 other
sets deviate there by -0.002(2) and -0.003(2) at N = 256 (T = 0.11, 0.22).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from experiments import from_examples
from experiments.options import ended, saved, started

RULE = "unsupervised"
_STARTS = 8  # archetypes of a network from whose first example it starts
_SWEEPS = 60  # of zero temperature: ten times what a network takes to come to rest
_DIVIDED = (0.6, 1.5)  # shares of the M where theory loses the states, between which none compares


@dataclass(frozen=True, kw_only=True)
class Settings(from_examples.Study):
    store: Path = Path("results/unsupervised")
    figure: Path = Path("figures/unsupervised.png")
    map_loads: tuple[int, ...] = (10, 14)
    """Number of loads of the map at each P, equally spaced."""
    example_interaction: int = 3
    """Interaction order P >= 3 of the networks that start at an example."""
    example_neurons: int = 400
    """Their smaller N; the other is twice that."""
    example_alpha: float = 0.00025
    """Their load."""
    example_quality: float = 0.5
    """Their quality r."""
    example_numbers: tuple[int, ...] = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40)
    """Their numbers of examples M."""


def start_at_example(settings: Settings, seed, n_neurons: int, alpha: float, n_examples):
    """Overlaps after a quench from examples of some archetypes: Dataset over n_examples (lanes)."""
    import xarray as xr

    from hopfield_sim import Schedule, ZeroTemperature, examples, patterns, simulate
    from hopfield_sim.learning import examples as learning

    P, r = settings.example_interaction, settings.example_quality
    n_patterns = round(alpha * n_neurons ** (P - 1))
    found = np.empty((3, len(n_examples)))
    for k, M in enumerate(n_examples):
        words = (*seed, int(M))
        xi = patterns.random(n_patterns, n_neurons, seed=words)
        eta = examples.noisy(xi, r, int(M), seed=words)
        some = min(_STARTS, n_patterns)
        run = simulate(
            learning.unsupervised(eta, r, P),
            ZeroTemperature(),
            start=eta[:some, 0],
            schedule=Schedule(_SWEEPS - 1, 1),
            n_replicas=some,
            seed=words,
            device=settings.device,
            observe=(),
            keep_spins=True,
        )
        spins = run["spins"].values.astype(float) / n_neurons
        own = np.einsum("kai,ki->ka", eta[:some], spins)
        found[:, k] = np.einsum("ki,ki->k", xi[:some], spins).mean(), own[:, 0].mean(), np.nan
        if M > 1:
            found[2, k] = own[:, 1:].mean()
    names = {
        "overlap": "Overlap with the archetype",
        "own": "Overlap with the example of the start",
        "others": "Mean overlap with the other examples of the archetype",
    }
    return xr.Dataset(
        {
            name: ("n_examples", values, {"long_name": text, "units": "1"})
            for (name, text), values in zip(names.items(), found, strict=True)
        }
    )


def sweeps(settings: Settings) -> dict:
    """Those of `from_examples`, of both rules over M, and "from_example"."""
    from hopfield_sim import Sweep

    each = from_examples.sweeps(settings, RULE, from_examples.RULES)
    P, smaller = settings.example_interaction, settings.example_neurons
    alpha = from_examples.simulated((settings.example_alpha,), smaller, P)[0]
    known = {"interaction": P, "alpha": alpha, "quality": settings.example_quality}
    each["from_example"] = Sweep(
        partial(start_at_example, settings, alpha=alpha),
        {"n_neurons": (smaller, 2 * smaller), "n_examples": np.unique(settings.example_numbers)},
        lanes=("n_examples",),
        realisations=settings.realisations,
        seed=settings.seed,
        title="Unsupervised learning: started at an example",
        settings=known,
    )
    return each


def main(settings: Settings) -> None:
    from_examples.checked(settings)
    if settings.example_interaction < 3 or settings.example_neurons < 2:
        raise ValueError(
            "--example-interaction of at least 3 and --example-neurons of at least 2 are needed: "
            "pairwise networks have no states on one example in this theory."
        )
    if min(settings.example_numbers, default=0) < 1 or not 0 < settings.example_quality <= 1:
        raise ValueError("--example-numbers of at least 1, --example-quality in (0, 1] are needed.")
    each = sweeps(settings)
    if settings.dry_run:
        print(from_examples.planned(settings, each))
        return
    report(from_examples.finished(settings, each), settings)


def report(found: dict, settings: Settings) -> None:
    """Tables, figure and verdicts of the finished sweeps."""
    from matplotlib.figure import Figure

    orders = settings.interaction
    figure = Figure(figsize=(14, 4.1 * len(orders) + 3.7), layout="constrained")
    axes = figure.subplots(len(orders) + 1, max(3, len(orders) + 1), squeeze=False)
    theories, verdicts = from_examples.predictions(found), []
    for row, P in zip(axes, orders, strict=False):
        verdicts += from_examples.studied(row, found, theories, P, RULE, settings)
    for panel, name in zip(axes[-1], (f"curves_{P}" for P in orders), strict=False):
        verdicts.append(_gap(panel, found[name], theories[name], settings))
    verdicts.append(_at_example(axes[-1, len(orders)], found["from_example"], settings))
    for panel in axes.ravel():
        if not panel.has_data():
            panel.set_axis_off()
    figure.suptitle(from_examples.title(RULE, settings), fontsize=11)
    saved(figure, settings.figure)
    print("\n".join(verdicts))


def _gap(axes, found, theory, settings: Settings) -> str:
    """Draw the gap between the rules; return its verdict as a line."""
    from analysis import comparison, learning, learning_figure

    P = int(found.interaction)
    scores, reasons = learning.gap(found, theory, settings.replicas)
    at = {"temperature": settings.shown}
    kept = (sum(reasons.values()) == 0).sel(at)
    learning_figure.difference(axes, found, scores.sel(at), kept)
    where = rf"$P = {P}$, $\alpha = {float(found.alpha):.3g}$, $T = {settings.shown:g}$"
    axes.set_title(where, fontsize=9.5)
    # supervised and unsupervised are one network where there is one example
    reasons["with one example, no gap"] = (scores.n_examples == 1).broadcast_like(scores.z)
    verdict = comparison.verdict(scores, columns=("quality", "n_examples"), reasons=reasons)
    return f"P = {P}, gap between the rules: {verdict}"


def _at_example(axes, found, settings: Settings) -> str:
    """Draw where networks go from an example; print the table; return the verdict as a line."""
    from analysis import comparison, learning, learning_figure
    from hopfield_sim.theory import examples

    numbers = found.n_examples.values
    given = (float(found.alpha), settings.example_quality)
    P = settings.example_interaction
    every = np.arange(2, numbers.max() + 1)
    line = examples.example_state(*given, every, P).squeeze()
    learning_figure.from_example(axes, found, line)
    theory = examples.example_state(*given, found.n_examples.values, P).squeeze(drop=True)
    scores = {
        name: comparison.z_scores(learning.extrapolated(found[name]), theory[symbol])
        for name, symbol in (("own", "n1"), ("overlap", "m"))
    }
    for (name, score), symbol in zip(scores.items(), ("n1", "m"), strict=True):
        print(f"started at an example, T = 0, {found[name].attrs['long_name'].lower()}:")
        print(comparison.table(score, symbol=symbol, theory=f"{symbol} of theory"), end="\n\n")
    lost = (
        float(every[np.argmin(line.retained.values > 0)]) if (line.retained < 1).any() else np.inf
    )
    low, high = _DIVIDED
    M = found.n_examples
    divided = (M > low * lost) & (M < high * lost)
    reasons = {f"between {low} and {high} of M = {lost:g}, where theory loses the state": divided}
    verdict = comparison.verdict(scores["overlap"], columns="n_examples", reasons=reasons)
    return f"P = {P}, started at an example, m: {verdict}"


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
