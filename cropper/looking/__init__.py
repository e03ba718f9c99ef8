"""Looking at scores: tables, contact sheets, maps. Read ``stream``, ``sheet``, ``layout``, and
then ``commands``, which is what the shell calls."""

__all__: list[str] = []
