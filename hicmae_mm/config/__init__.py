"""Reading configs: what they say, and where they say it."""
