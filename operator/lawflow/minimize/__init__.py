"""What a data flow lets through of one message, and which fields a message would need: to try flows without a mesh.

Pure but for the minimizer of the sidecar (:mod:`lawflow.native.minimizer`), which decides alone what passes.
"""
