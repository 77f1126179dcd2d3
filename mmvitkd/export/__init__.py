"""Export a student as MMPretrain's, timm's and ONNX files, with a model card."""
