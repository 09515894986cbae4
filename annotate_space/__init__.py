"""The Annotate Space: experts judge samples, and no judgement is lost."""
