"""One run: which windows are due, reading them side by side, writing them in order, and what STATE and ledger keep.

Called by the tap. Knows vendors only as streams.
"""
