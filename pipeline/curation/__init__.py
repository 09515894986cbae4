"""Turns votes into training data."""
