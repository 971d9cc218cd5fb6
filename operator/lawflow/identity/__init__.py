"""Who a workload is and how it proves it: SPIFFE ids, certificates, tokens, and the rules by which they rotate.

Everything here decides and computes. Time, random bytes and new keys are parameters; where a certificate authority is
kept (a Secret, a folder) is the business of the shells, which store the text that :mod:`lawflow.identity.lifecycle`
gives them.
"""
