"""Taking a student away: as MMPretrain's, timm's and ONNX files, with a model card."""
