"""What happens to personal data before anything is written.

Called once for each record, after its key is made and before it is written.
"""
