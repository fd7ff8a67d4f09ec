"""The e-mail vendors on loopback: strict, deterministic for a seed and a size, with faults to switch on.

`python -m sandbox` serves them; tests use `sandbox.server.Sandbox`. `server` knows the registry in `vendors`, which
knows one package per vendor, which know `base`. Nothing knows what is above it, and no vendor knows another.
"""
