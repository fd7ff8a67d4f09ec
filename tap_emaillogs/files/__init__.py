"""Files that vendors make: downloads, archives, tables, and the jobs that a file is asked for with.

Called by providers.
"""
