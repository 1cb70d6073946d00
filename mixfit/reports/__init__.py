"""Results to tables and lines for people; nothing here computes."""
