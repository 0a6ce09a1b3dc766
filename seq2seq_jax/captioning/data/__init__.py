"""From image files and their captions to batches, in NumPy.

  images           bytes of a file to pixels of one size
  captioned_image  an image, not read yet, with its captions
  caption_files, caption_records, tfds_captions    where captioned images are read from
  image_captions   the input pipeline over all of those
  caption_corpus   the images that can be used, and their captions as ids
  decoded_images   images as pixels, decoded when they are needed
  image_variants   augmented variants of images
  feature_cache    features of a frozen network, computed once
  image_batches    epochs of batches

Nothing in here depends on the configuration or on JAX.
"""
