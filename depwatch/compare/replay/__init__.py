"""Replay: what each policy of invalidation would have done in a recorded run."""
