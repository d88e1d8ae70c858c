"""What `etl` can be told, a file a subject; `etl.cli` gathers them."""
