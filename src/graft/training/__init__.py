"""How a network learns: the loop, its steps and phases, optimisation, checkpoints."""
