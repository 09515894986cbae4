"""The same chains by others, each in an environment of its own; no module here imports ours."""
