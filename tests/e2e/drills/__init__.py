"""Drills: a package, so that their shop and its calls end with the last of them."""
