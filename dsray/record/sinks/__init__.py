"""Where the lines of a training go beside the record: TensorBoard."""
