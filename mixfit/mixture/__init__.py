"""The best mixture for a budget, under constraints."""
