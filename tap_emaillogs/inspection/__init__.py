"""What the tap tells before it reads: whether it could (`check`), and what that would take (`plan`).

Called by the tap; knows the engine's plans and readers, and no vendor.
"""
