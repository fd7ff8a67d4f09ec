"""What a person sees of a run while it lasts and at its end: a live display, lines, and the summary, all on stderr.

Called by the tap. Knows a run only by what it tells an observer (`engine/observer.py`) and what its endpoints' activity
(`http/activity.py`) counts; nothing in a run waits for this, or fails by it.
"""
