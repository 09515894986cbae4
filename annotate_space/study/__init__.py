"""A process beside the server that studies the project, so that no vote waits for it."""
