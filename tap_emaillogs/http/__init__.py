"""Asking a vendor: one client per account, with authorization, budget, retries by a table, redaction and a clock.

Called by whoever reads. Knows neither streams nor windows.
"""
