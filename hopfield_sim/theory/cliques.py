"""The clustered network of Gripon and Berrou: messages stored as cliques, one unit per cluster.

c clusters of l units; a message picks one unit of every cluster, at random, and all edges between
its units are set, once. P messages fill the part

    d = 1 - (1 - 1/l^2)^P   of the edges between two clusters.

Recall: e clusters are erased, the c - e others given. After one step with "the unit with most
edges wins" a wrong unit of an erased cluster competes with the right one, which has all c - e
edges, if it has them all too. With x the probability of that, and wrong units independent,

    P(error) = 1 - (1 - x)^(e (l - 1)):    x = d^(c-e)   (independent edges), or
                                           x = E_n [1 - (1 - 1/l)^n]^(c-e)

with n, the number of other messages that use the wrong unit, from the binomial distribution of
P - 1 trials with 1/l. The second x is exact; it remains that errors are correlated between units,
by which P(error) of simulations is lower by up to some per cent.

Sources: V. Gripon, C. Berrou, IEEE Trans. Neural Netw. 22 (2011) 1087 (network, density,
independent edges); the average over usage derived here, checked by simulation.
"""

import numpy as np

from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.willshaw import usage_average

_CONVENTION = "binary edges between c clusters of l units; one unit per cluster and message"
_SOURCE = "Gripon, Berrou 2011; average over usage derived here"
_MEANINGS = {"n_patterns": "number P of messages"}


def density(n_patterns, n_units):
    """d = 1 - (1 - 1/l^2)^P, the part of the edges between two clusters that is set.

    Args:
        n_patterns: messages P, a number, a 1-D array or a DataArray, whole numbers >= 1.
        n_units: units l of a cluster, likewise, >= 2. Plain arrays span the grid (n_patterns,
            n_units).

    Returns:
        xarray.Dataset on that grid with `density`.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Gripon, Berrou, IEEE Trans. Neural Netw. 22 (2011) 1087.
    """
    grid = common_grid(_MEANINGS, n_patterns=n_patterns, n_units=n_units)
    return evaluated(
        grid,
        lambda P, units: {"density": _density(P, units)},
        {"density": "part of the edges between two clusters that is set"},
        "edges of the clustered network",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def recall(n_patterns, n_clusters, n_units, n_erased):
    """Errors of one step of recall from c - e clusters.

    Args:
        n_patterns: messages P, a number, a 1-D array or a DataArray, whole numbers >= 1.
        n_clusters: clusters c, likewise, >= 2.
        n_units: units l of a cluster, likewise, >= 2.
        n_erased: erased clusters e, likewise, 1 <= e < c. Plain arrays span the grid (n_patterns,
            n_clusters, n_units, n_erased).

    Returns:
        xarray.Dataset on that grid with `density`; `rival`, the probability x that a wrong unit
        has all edges (exact); `error`, that any erased symbol is not the only winner of its
        cluster, and `recovered` = 1 - error; `error_independent`, by independent edges;
        `information`, the bits of all messages, P c log2 l, per edge (c (c - 1) l^2/2 of them).

    Raises:
        ValueError: a parameter outside its domain, all clusters erased, or unnamed axes.

    Source: Gripon, Berrou, IEEE Trans. Neural Netw. 22 (2011) 1087; average over usage derived
    here.
    """
    grid = common_grid(
        _MEANINGS,
        n_patterns=n_patterns,
        n_clusters=n_clusters,
        n_units=n_units,
        n_erased=n_erased,
    )

    def equations(P, clusters, units, erased):
        given = clusters - erased
        if np.any(given < 1):
            raise ValueError("n_erased must be below n_clusters: at least one cluster is given")
        rivals = erased * (units - 1.0)
        filled = _density(P, units)
        rival = usage_average(P - 1, 1 / units, 1 / units, given)
        with np.errstate(divide="ignore"):  # a rival for certain: ln 0
            safe, safe_independent = (rivals * np.log1p(-x) for x in (rival, filled**given))
        return {
            "density": filled,
            "rival": rival,
            "error": -np.expm1(safe),
            "recovered": np.exp(safe),
            "error_independent": -np.expm1(safe_independent),
            "information": P * np.log2(units) * 2 / ((clusters - 1.0) * units**2.0),
        }

    names = {
        "density": "part of the edges between two clusters that is set",
        "rival": "probability that a wrong unit has all edges",
        "error": "probability of an error in one step, average over usage",
        "recovered": "probability that all erased symbols are recovered in one step",
        "error_independent": "probability of an error in one step, independent edges",
        "information": "bits of all messages, per edge",
    }
    title = "recall in the clustered network"
    return evaluated(grid, equations, names, title, convention=_CONVENTION, source=_SOURCE)


def _density(P, units):
    return -np.expm1(P * np.log1p(-1 / units**2.0))
