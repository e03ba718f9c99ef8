"""Photos by the scores that they have as a whole: tables, contact sheets, maps.

``stream`` decodes, scores and counts, ``sheet`` lays tiles side by side, ``layout`` places them on
a map, and ``commands`` is what the shell calls.
"""

__all__: list[str] = []
