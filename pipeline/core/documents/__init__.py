"""Documents that samples rest on: read once, kept as text, cut into passages with their place."""
