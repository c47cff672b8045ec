"""Trained networks that travel with the package, each with its card; see `usimg.outline.layer_model`."""
