"""``cropper bot``: photos that people send are answered with their best crop, its score and why.

In the order of a message's way: ``network`` says what a bot needs of a network, ``telegram`` and
``mastodon`` are the two; ``state`` is what a restart has to know, ``rates`` who asks too often,
``judge`` makes the answer with ``picture``, ``loop`` brings all of that together, ``run`` is the
process.
"""

from cropper.bot.options import NETWORKS, BotOptions
from cropper.bot.run import run

__all__ = ["NETWORKS", "BotOptions", "run"]
