"""The law as rules: a flow and the objects around it in, findings out. Pure; ``today`` is a parameter."""
