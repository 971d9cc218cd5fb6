"""What disturbs pods: a package, so that the market and its load end with the last test of it."""
