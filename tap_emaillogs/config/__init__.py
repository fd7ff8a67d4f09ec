"""The configuration: its schema, loading and merging it, and what can be wrong with it in plain words.

Called by the tap alone. Knows vendors only through `streams.provider`.
"""
