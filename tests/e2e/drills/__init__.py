"""Drills, on a cluster of their own: a package, so that it ends with the last of them."""
