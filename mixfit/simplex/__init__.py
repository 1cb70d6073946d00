"""Smooth functions minimised over mixtures, with a certificate; knows nothing of laws."""
