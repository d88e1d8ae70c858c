"""What Redshift answers a statement with that it does not run."""


class Refused(Exception):
    """An error answer. `position` is where in the statement the fault is, counted from 1, where that is known."""

    def __init__(self, sqlstate: str, message: str, detail: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.position = position
