"""Servers that fail on demand: what stands between the pipeline and a real server in the chaos tests."""
