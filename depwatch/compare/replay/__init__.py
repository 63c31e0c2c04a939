"""Replay: what each policy of invalidation would have done in a recorded run."""

from typing import Final

FORMAT: Final = 2  # of the JSON that `depwatch replay -o` writes and reports are made of
