"""Which mixtures to train: the first ones and the next ones, as a sheet to be filled in."""
