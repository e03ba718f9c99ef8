"""Training on whole selfies, as in 2015.

From likes: ``likes`` makes labels of posts and ``summary`` tells of them, ``data`` reads a data
set, ``faces`` leaves out photos without one, ``batches`` decodes, ``start`` builds the network,
``classifier`` trains it, ``quality`` measures it. From ranked tiles: ``tile_data`` reads them,
``tiles`` fits the package's own scorer and ``geometry`` where the face belongs.
"""

__all__: list[str] = []  # a command imports what it needs
