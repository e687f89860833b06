"""What the tests start and drive: real processes on free ports in temporary folders.

process.py   start, signal, kill and read one process; nothing it started outlives its block
services.py  Redis and Postgres
site.py      a Headrace site: folder, database, environment; its servers and workers
wire.py      a small test client of the protocol and of the plain dialect
browser.py   Chromium through Playwright
fixtures.py  all of it as pytest fixtures
"""
