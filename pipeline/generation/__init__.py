"""Turns seeds into samples; the only place that imports distilabel."""
