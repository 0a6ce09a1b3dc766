"""From picture files and their captions to batches, in plain numpy.

  images           bytes of a file to pixels of one size
  captioned_image  a picture, not read yet, with its captions
  caption_files, caption_records, tfds_captions    where such are found
  image_captions   the input pipeline over all of those
  caption_corpus   the pictures that can be used, and their captions as ids
  decoded_images   pictures as pixels, decoded when they are needed
  image_variants   the same picture as others might have drawn it
  feature_cache    what a frozen network makes of pictures, computed once
  image_batches    epochs of batches, and where one is in them
  emoji            a small task: the names of emoji, drawn by two families of artists

Nothing in here knows of the configuration or of JAX.
"""
