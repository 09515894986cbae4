"""The Seed Space: where an expert describes a domain and sees what samples come of it."""
