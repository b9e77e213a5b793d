"""What became of a job: its `Outcome` becomes a result or an error, and its artifacts are kept."""
