"""How others write times, addresses and SMTP replies: pure functions of text, which know nothing of the rest.

May be called by everyone.
"""
