"""Training: pure steps, and the host loop that runs them. Knows no model and no data set."""
