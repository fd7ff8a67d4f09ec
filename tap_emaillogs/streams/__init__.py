"""What a stream is: a vendor's endpoint as it describes itself, its pages, records and keys, and the unified events.

Called by engine, files and providers.
"""
