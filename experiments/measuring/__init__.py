"""How `experiments.benchmark` measures: the protocol, and who takes part."""
