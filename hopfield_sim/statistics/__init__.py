"""Error bars of correlated series, thermal and disorder apart, and whether a run has equilibrated.

A series is an `xarray.DataArray` with dims `(..., "replica", "sample")`: replicas are independent
chains of one network, samples are equally spaced in time. The leading dims (temperature lanes) are
kept; every function treats each of their points on its own.

* One network: `thermal` mean and error, `effective_samples`, `r_hat`.
* Many networks: `disorder` joins their means; `jackknife` and `bootstrap` do it for functions of
  means, of which `susceptibility`, `binder`, `specific_heat` and `spin_glass_susceptibility` are
  the usual ones.
* Trust: `equilibration` is a verdict, `log_binned` the means it looks at; `escapes` counts the
  replicas that left a metastable state, `within` averages over those that stayed, `escape_rate` is
  the rate at which they leave.
"""

from hopfield_sim.statistics.equilibrium import (
    EFFECTIVE_SAMPLES_PER_REPLICA,
    R_HAT_BELOW,
    R_HAT_OF_TWO_BELOW,
    Z_BELOW,
    equilibration,
    log_binned,
)
from hopfield_sim.statistics.errors import disorder, effective_samples, r_hat, thermal
from hopfield_sim.statistics.fluctuations import (
    binder,
    specific_heat,
    spin_glass_susceptibility,
    susceptibility,
)
from hopfield_sim.statistics.metastability import both_stayed, escape_rate, escapes, within
from hopfield_sim.statistics.resampling import bootstrap, jackknife

__all__ = [
    "EFFECTIVE_SAMPLES_PER_REPLICA",
    "R_HAT_BELOW",
    "R_HAT_OF_TWO_BELOW",
    "Z_BELOW",
    "binder",
    "bootstrap",
    "both_stayed",
    "disorder",
    "effective_samples",
    "equilibration",
    "escape_rate",
    "escapes",
    "jackknife",
    "log_binned",
    "r_hat",
    "specific_heat",
    "spin_glass_susceptibility",
    "susceptibility",
    "thermal",
    "within",
]
