"""What a check raises."""


class Wrong(AssertionError):
    """depwatch does not say what plain Python finds."""
