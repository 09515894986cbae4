"""Grows seeds into samples, keeps the project and turns votes into training data."""
