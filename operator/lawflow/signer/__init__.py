"""Answers the kubelets' requests for pod certificates, with or without a controller. It keeps nothing of its own."""
