"""The process that reads a big MySQL table: `mysql_arrow` starts it."""
