"""How fast the tap is, and how few requests it needs.

`scripts/bench` runs `__main__`: cases (`reading`, `vendors`, `growth`, `start`, `loading`) run contestants
(`contestants`, `taps/`) against one server (`server`, `rows`), each as a process of its own (`runs`, `measure`), and
`report` and `plot` show what they took. `requests_needed.py` and `export_memory.py` are run by themselves.

Nothing of the tap is imported here, so that any version of it can be measured, and that the bench weighs little.
"""
