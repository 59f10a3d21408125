"""Capacities of P-body networks at T = 0, by three levels of theory, for P = 2 to 8."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import dense, dense_1rsb, hopfield, hopfield_1rsb

ORDERS = tuple(range(2, 9))


def compute(points: int) -> dict[str, xr.Dataset]:
    """The table "critical" over the order of the interaction; it has no lines (points: unused).

    Reduced loads: alpha at P = 2, alpha (P-1)! for *distinct* and alpha (2P-3)!! for *full*
    energies beyond. The bound is that of the Nishimori line; pairwise networks have none.
    """
    table = dense.capacities(ORDERS)
    breaking = dense_1rsb.capacity(ORDERS[1:]).reindex(interaction=list(ORDERS))
    pairwise, broken = hopfield.zero_temperature_capacity(), hopfield_1rsb.capacity()
    first = table.interaction == 2

    def joined(rest, at_two):
        return xr.where(first, float(at_two), rest.drop_attrs(deep=False))

    columns = {
        "symmetric": (table.reduced_load, "retrieval ends, replica symmetric"),
        "one_step": (
            joined(breaking.reduced_load, broken.alpha_c),
            "retrieval ends, one step of replica symmetry breaking",
        ),
        "bound": (
            table.reduced_load_max.where(~first, np.nan),
            "largest load with retrieval at any T (Nishimori line)",
        ),
        "ground_symmetric": (
            table.reduced_load_1.where(first, np.nan).where(~first, float(pairwise.alpha_1)),
            "retrieval stops being the ground state, replica symmetric (P = 2)",
        ),
        "ground_one_step": (
            joined(breaking.reduced_load_1, broken.alpha_1),
            "retrieval stops being the ground state, one step",
        ),
        "ground_bound": (
            table.reduced_load_1.where(~first, np.nan),
            "retrieval stops being the equilibrium, on the Nishimori line",
        ),
    }
    found = xr.Dataset(attrs={"title": "capacities of P-body networks at T = 0, reduced loads"})
    for name, (values, text) in columns.items():
        found[name] = values.drop_attrs(deep=False).assign_attrs(long_name=text, units="1")
    found["interaction"].attrs = table.interaction.attrs
    return {"critical": found.reset_coords(drop=True)}
