"""The e-mail vendors on loopback: strict, deterministic for a seed and a size, with faults to switch on.

`python -m sandbox` serves them; tests use `sandbox.server.Sandbox`.
"""
