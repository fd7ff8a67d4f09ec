"""One HTML file about the deliverability of all vendors' mails, from the dbt models; `scripts/page` writes it.

Vega-Lite draws the charts when the file is written, not when it is read: what is read is HTML and SVG. So it needs no
server, no network and (but for local times) no script, a strict Content-Security-Policy holds, and nothing in it ages.
"""
