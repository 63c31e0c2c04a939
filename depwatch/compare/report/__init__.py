"""Report: one HTML file that says what the replays of traces found."""
