"""``cropper bot``: photos that people send are answered with their best crop, its score and why.

In the order of a message's way: ``messenger`` says what a bot needs of one, ``telegram`` and
``mastodon`` (with ``mastodon_calls``) are the two; ``state`` is what a restart has to know,
``rates`` who asks too often, ``answer`` makes what is said, with ``picture``, ``loop`` brings all
of that together, ``run`` is the process.
"""

from cropper.bot.options import NETWORKS, BotOptions
from cropper.bot.run import run

__all__ = ["NETWORKS", "BotOptions", "run"]
