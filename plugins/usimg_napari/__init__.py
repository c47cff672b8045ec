"""usimg in napari: review, correct and accept outlines."""
