"""A law and runs to a fit."""
