"""The fold of each entity, its merge, and what it contributes to its reps."""
