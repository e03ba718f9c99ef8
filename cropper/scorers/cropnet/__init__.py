"""CropNet: one pass of a trunk for a photo, then thousands of boxes through a small head.

``config`` holds its numbers. ``network`` is it on torch: training, GPU, gradients. ``cpu`` is the
same function on ONNX Runtime and NumPy, without torch; it reads feature maps by
``sampling_numpy``, and ``export`` writes the graph that it runs.
"""

__all__: list[str] = []  # importing it imports neither backend
