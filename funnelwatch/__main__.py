"""``python -m funnelwatch``: the same as the ``funnelwatch`` command."""

from funnelwatch.agents.cli import main

if __name__ == "__main__":
    main()
