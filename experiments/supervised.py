"""Supervised learning from examples, pairwise and dense: overlap and loss against RS theory.

Simulated: K = alpha N^(P-1) random archetypes, each seen in M noisy examples of quality r; the
network stores the class averages (a teacher tells which examples belong together). Heat-bath
(Glauber) dynamics; half of the replicas start at the archetype, half with 5 % of it flipped. Drawn,
for P = 2 and P = 3: the overlap m with the archetype against M for several r, with the M_c of
theory; the map of m over (alpha, T) at one rho = (1 - r^2)/(M r^2) and the spinodals of several;
the loss of the examples against m. Every cell is computed at N and 2 N neurons; what is compared
with theory is the limit of a term 1/N, realisation by realisation. Printed: m against theory, the
numbers of examples needed, verdicts on m and on the loss.

Cells near the end of retrieval are left out (`analysis.learning` has the margins), those from which
replicas left too: few examples (M = 1 ... 9 at r = 0.4) make states of m = 0.4 ... 0.7, which are
far from the archetype where the replicas start, and some of them go elsewhere. Where theory has no
retrieval state at all the network does not fall to m = 0 at low T either, but stays in a glassy
state near its start.

The loss. A state s has with the class average the overlap nbar = (1/N) sum_i etabar_i s_i, in
[-1, 1]; L = 1 - nbar^P is 0 where all examples agree and s with them, and
H = -(N/(P g)) sum_mu (1 - L_mu), g = G^(P/2), up to tuples in which a site comes twice: a constant
at P = 2; beyond, 1/N of the part of the class that is retrieved (but not so for the many others).
The network thus descends the losses of all classes. In the state of one archetype nbar is the
example_overlap of theory (derived here, checked by the points), so L(m) has a curve, along which T,
M or alpha run. An archetype itself has L = 1 - r^P; a state that has learned the noise of its few
examples lies below 1 - (r m)^P.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments import from_examples
from experiments.options import ended, saved, started

RULE = "supervised"


@dataclass(frozen=True, kw_only=True)
class Settings(from_examples.Study):
    store: Path = Path("results/supervised")
    figure: Path = Path("figures/supervised.png")
    map_realisations: int = 32


def main(settings: Settings) -> None:
    from_examples.checked(settings)
    each = from_examples.sweeps(settings, RULE, (RULE,))
    if settings.dry_run:
        print(from_examples.planned(settings, each))
        return
    report(from_examples.finished(settings, each), settings)


def report(found: dict, settings: Settings) -> None:
    """Tables, figure and verdicts of the finished sweeps."""
    from matplotlib.figure import Figure

    orders = settings.interaction
    figure = Figure(figsize=(14, 4.2 * len(orders)), layout="constrained")
    axes = figure.subplots(len(orders), 3, squeeze=False)
    theories, verdicts = from_examples.predictions(found), []
    for row, P in zip(axes, orders, strict=True):
        verdicts += from_examples.studied(row, found, theories, P, RULE, settings)
    figure.suptitle(from_examples.title(RULE, settings), fontsize=11)
    saved(figure, settings.figure)
    print("\n".join(verdicts))


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
