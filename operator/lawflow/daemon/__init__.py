"""What the processes of a cluster have in common: health, metrics, work that is tried again, and an orderly end."""
