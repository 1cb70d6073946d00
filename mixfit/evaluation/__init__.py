"""How well laws predict, and which to take."""
