"""The commands that have no folder of their own: whoever operates, publishes or reads figures has a module each."""
