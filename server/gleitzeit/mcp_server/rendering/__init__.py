"""How answers are told: within a budget, as text for a model and as the same data."""
