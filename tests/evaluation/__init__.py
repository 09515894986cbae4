"""LightEval runs exported exams in an environment of its own; ``run`` starts it, not pytest."""
