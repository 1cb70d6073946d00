"""Tables of training runs to validated arrays, and their splits."""
