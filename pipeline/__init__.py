"""Grows seeds into samples, keeps the project and turns votes into training data."""

__version__ = "0.1.0"
