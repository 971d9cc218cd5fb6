"""One protocol for objects, with two stores: the Kubernetes API and a folder."""
