"""What both Spaces share on screen: look, identity, safe rendering, launching."""
