"""From text to padded batches, in plain numpy.

  text_lines      lines of UTF-8 files, plain or gzipped
  toy, cmudict    the built-in corpora, as lines of text
  parallel_text   pairs of lines of two files
  tabular_text    pairs of columns of a TSV or CSV file
  tfds_folder, tfds_info, tfds_pipeline    pairs of what tensorflow-datasets has prepared
  tfds_builder    pairs of any kind, prepared as a dataset of tensorflow-datasets
  tokenizers      text to tokens and back: words, characters or subwords
  bpe, sentencepiece_model    subwords, learnt from text
  vocabulary      tokens to ids and back
  ragged          rows of unequal length in one flat array
  corpus          a whole training set as ids
  dev_set         sources with all their references, and the pairs as a corpus
  buckets         the few (source, target) widths that batches are padded to
  epoch_order     which examples each batch of an epoch holds
  batches         epochs of batches, and where one is in them
  report          what the data look like, told before anything is compiled
  postprocessing  decoded tokens to text
  pictures        the same for pictures and their captions

Nothing in here knows of the configuration or of JAX.
"""
