"""One attempt at a better model: may it begin, how it is watched while it runs, and whether its result is promoted."""
