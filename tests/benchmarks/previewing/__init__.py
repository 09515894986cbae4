"""The sections of the preview's benchmark."""
