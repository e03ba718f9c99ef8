"""A service and a page over the library: pictures in, crops out, over HTTP.

Read the files as the way of a request: ``security`` decides who may ask, ``uploads`` reads what is
sent within its limits, ``questions`` what is asked (its ``texts`` and ``negotiation`` read single
values), ``admission`` lets a bounded number in, ``handlers`` find and cut, ``answers`` are what
they say, ``app`` ties these to routes. ``problems`` are the errors, ``openapi`` describes it all,
``pages`` holds what a browser loads, ``connections`` ends those that stand still, ``metrics``
count, ``run`` is the process. Nothing of a photo outlives its request.
"""

from cropper.serve.run import serve
from cropper.serve.settings import ServeOptions

__all__ = ["ServeOptions", "serve"]
