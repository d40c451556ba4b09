"""Keras networks, and model files that carry their own front end."""

import lazy_loader

# Loaded at first use, so that importing this face costs nothing.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "blocks": ["convolution_block", "multiplications", "parameter_count", "receptive_field"],
        "detector": ["CallDetector", "call_network", "ensemble"],
        "saved": ["ModelError", "load_classifier", "load_detector", "save"],
        "settings": ["EventSettings"],
        "classifiers": [
            "conv1d", "conv2d", "dense", "embedding_model", "first_cnn", "margin_loss", "moments",
            "residual_cnn",
        ],
        "prediction": [
            "ClipClassifier", "classify", "mean_of_clips", "outputs_of_crops", "probabilities",
        ],
    },
)  # fmt: skip
