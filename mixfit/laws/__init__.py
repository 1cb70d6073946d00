"""What a law is: formulas for the loss L(N, D, h), as values."""
